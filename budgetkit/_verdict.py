"""Record always, then judge: the error for a charge that broke a limit and is on the books."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._errors import BudgetExceeded
from ._spend import Spend

if TYPE_CHECKING:
    from ._account import AccountState
    from ._reservation import Reservation

__all__ = ["broken"]


def broken(states: tuple[AccountState, ...], call: Reservation) -> BudgetExceeded:
    """The refusal that would have been, had the charge been asked for: of the outermost account that it broke."""
    spend = call.spend or Spend()
    for state in states:
        for name in call.overshoot.names:
            held = state.spent.in_units(name) + state.reserved.in_units(name)
            if name in state.limits and held > state.limits[name]:
                return _refusal(state, name, spend.in_units(name))
    return _refusal(states[-1], call.overshoot.names[0], spend.in_units(call.overshoot.names[0]))


def _refusal(state: AccountState, name: str, asked: int) -> BudgetExceeded:
    return BudgetExceeded(
        resource=name,
        account=state.account,
        limit=state.limits.get(name, 0),
        spent=max(0, state.spent.in_units(name) - asked),
        reserved=state.reserved.in_units(name) + state.kept.in_units(name),
        asked=asked,
    )
