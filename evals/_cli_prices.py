"""The price list as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from decimal import Decimal

    from budgetkit import PriceBook

__all__ = ["price_table"]


def price_table(book: PriceBook, part: str) -> Table:
    """The models whose name contains ``part``; dollars per million tokens, the user's own prices first."""
    table = Table("model", "provider", title="US dollars per million tokens", title_justify="left")
    for column in ("input", "cached input", "output"):
        table.add_column(column, justify="right")
    for row in book.models():
        if part.lower() in row.model.lower():
            table.add_row(
                row.model, row.provider or "yours", _shown(row.input), _shown(row.cached_input), _shown(row.output)
            )
    return table


def _shown(price: Decimal | None) -> str:
    return "-" if price is None else f"{price.normalize():f}"
