"""An account of the books, as it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from ._errors import BudgetExceeded
from ._resource import Amount, from_units
from ._spend import Spend

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._window import Window

__all__ = ["Account", "AccountState"]

Account = tuple[str, ...]
"""The path of an account from the root."""


@final
@dataclass(frozen=True, slots=True)
class AccountState:
    """One account at one moment; amounts in whole units."""

    account: Account
    limits: Mapping[str, int]
    spent: Spend
    reserved: Spend
    kept: Spend
    """The answer reserve: what only a final call may use."""
    window: Window | None = None
    """How long a spend counts; None: for ever."""
    frozen: bool = False
    """Whether nothing more is admitted, here and below."""

    def left(self, name: str) -> int | None:
        """Units that are neither spent nor reserved; None without a limit, never below 0."""
        limit = self.limits.get(name)
        if limit is None:
            return None
        return max(0, limit - self.spent.in_units(name) - self.reserved.in_units(name))

    def refusal(self, name: str, asked: int) -> BudgetExceeded:
        """The error that says that this account cannot pay for ``asked`` more units; raise it."""
        return BudgetExceeded(
            resource=name,
            account=self.account,
            limit=self.limits.get(name, 0),
            spent=self.spent.in_units(name),
            reserved=self.reserved.in_units(name) + self.kept.in_units(name),
            asked=asked,
        )

    @property
    def overshoot(self) -> Spend:
        """What was spent over each limit; empty if every limit held."""
        over = {name: self.spent.in_units(name) - limit for name, limit in self.limits.items()}
        return Spend.from_units({name: n for name, n in over.items() if n > 0})

    @property
    def remaining(self) -> Mapping[str, Amount | None]:
        """What is left of each limit, as the user sees it."""
        return {name: from_units(name, self.left(name) or 0) for name in self.limits}
