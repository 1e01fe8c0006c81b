"""A refusal as JSON data: that the budget ended is remembered, like whatever else a search was told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from budgetkit import BudgetExceeded, resource

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["read_refusal", "write_refusal"]


def write_refusal(refusal: BudgetExceeded) -> dict[str, Any]:
    """A refusal as JSON data, its amounts in whole units."""
    scale = resource(refusal.resource).scale
    amounts = {"limit": refusal.limit, "spent": refusal.spent, "reserved": refusal.reserved, "asked": refusal.asked}
    return {
        "resource": refusal.resource,
        "account": list(refusal.account),
        "frozen": refusal.frozen,
        **{name: int(amount * scale) for name, amount in amounts.items()},
    }


def read_refusal(data: Mapping[str, Any]) -> BudgetExceeded:
    """Read what `write_refusal` wrote."""
    changed: dict[str, Any] = {**data, "account": tuple(data["account"])}
    return BudgetExceeded(**changed)
