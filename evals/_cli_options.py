"""What several commands take: a model, budgets, prices, a folder of data; and how bad input ends."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from budgetkit import Budget, PriceBook

from ._presets import PRESETS, read_budget, read_budgets

__all__ = [
    "PRESET_LINES",
    "BadInput",
    "BudgetOption",
    "BudgetsOption",
    "DataOption",
    "ModelOption",
    "PricesOption",
    "one_budget",
    "price_book",
]


class BadInput(Exception):  # noqa: N818 - ends as a line of text
    """What the user typed cannot be used."""


def one_budget(text: str) -> Budget:
    """The budget that a preset or limits name."""
    try:
        return read_budget(text)
    except (ValueError, TypeError) as problem:
        raise typer.BadParameter(str(problem), param_hint="--budget") from None


def _some_budgets(text: str) -> tuple[Budget, ...]:
    try:
        return read_budgets(text)
    except (ValueError, TypeError) as problem:
        raise typer.BadParameter(str(problem), param_hint="--budget") from None


def price_book(path: Path | None) -> PriceBook | None:
    """The prices of the user's file."""
    try:
        return None if path is None else PriceBook.from_toml(path)
    except (ValueError, TypeError, OSError) as problem:
        raise BadInput(str(problem)) from None


PRESET_LINES: Final = "\n".join(("\b", "Presets for --budget:", *(f"  {n:15} {p}" for n, p in PRESETS.items())))
"""What is behind the names of budgets, for the end of a help text."""

BudgetOption = Annotated[
    Any,
    typer.Option(
        "--budget",
        parser=one_budget,
        metavar="LIMITS",
        help=f"Limits for each question: tool_calls=5,usd=0.05,tool:search=3 ... or a preset: {', '.join(PRESETS)}.",
    ),
]
BudgetsOption = Annotated[
    list[Any] | None,
    typer.Option(
        "--budget",
        parser=_some_budgets,
        metavar="LIMITS",
        help="Limits for each question: tool_calls=5,usd=0.05,tool:search=3 ... or presets: low,mid,high (see below). "
        "Once for each budget, presets also several at once.  [default: tool_calls=5]",
    ),
]
ModelOption = Annotated[
    str, typer.Option("--model", help="offline, the URL of a server (http://host:8000/v1), or provider:model.")
]
PricesOption = Annotated[
    Path | None, typer.Option("--prices", metavar="FILE", help="A TOML file with the prices of models and tools.")
]
DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="The folder that holds the suites' files.")
]
