"""What the state machine moves in: a ledger with its clients and twins, the recount beside it, and the clock."""

import asyncio
import copy
from collections.abc import Callable
from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from budgetkit import Account, BudgetExceeded, Ledger, Reservation

from ._clock import ManualClock
from ._ledger_home import LedgerHome, through_twins
from ._ledger_moves import EIGHTH
from ._ledger_recount import Period, Recount, RecountCall

__all__ = ["ROOT", "SECOND", "World"]

ROOT: Final[Account] = ("root",)
SECOND: Final = 10**6
_START: Final = 1_706_741_997.0
"""Three seconds before midnight of 1 February 2024 in Berlin: an hour, a day and a month end there."""


class World(RuleBasedStateMachine):
    """A ledger, and the recount beside it.

    Attributes:
        home: where the ledger comes from.
        ledger: the client, or its async twins, that asks at present.
        recount: what must be true.
        handed: the reservations that were handed out, and the calls that they stand for.
        present: the presences that were handed out: since when, and until when they are there.
    """

    @staticmethod
    def make_home() -> LedgerHome:
        """Say which."""
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(_START)
        self.home: LedgerHome = self.make_home()
        self.runner = asyncio.Runner()
        one = self.home.ledger(self.clock)
        two = self.home.again() or one
        self.callers: list[Ledger] = [one, two, through_twins(one, self.runner), through_twins(two, self.runner)]
        self.ledger: Ledger = one
        self.recount = Recount(round(_START * SECOND))
        self.handed: list[tuple[Reservation, RecountCall]] = []
        self.present: list[tuple[Reservation, Period, list[int]]] = []

    def teardown(self) -> None:
        """Put away what the example has opened."""
        self.runner.run(self.home.aclose())
        self.runner.close()
        self.home.close()

    def account(self, number: int) -> Account:
        """One of the accounts that are open."""
        return list(self.recount.accounts)[number % len(self.recount.accounts)]

    def of_handed(self, number: int, *, copied: bool = False) -> tuple[Reservation, RecountCall]:
        """One of the reservations that were handed out, or a copy, and its call."""
        reservation, call = self.handed[number % len(self.handed)]
        return (copy.deepcopy(reservation) if copied else reservation), call

    # -- who asks, and when -----------------------------------------------------------------------------------------

    @rule(caller=st.integers(0, 3))
    def somebody_else_asks(self, caller: int) -> None:
        """From now on the other client asks, or the async twins do."""
        self.ledger = self.callers[caller]

    @rule(eighths=st.integers(1, 40), look=st.booleans())
    def time_passes(self, eighths: int, look: bool) -> None:
        """Whether anybody looks at the books while it passes makes no difference."""
        self._pass(eighths * EIGHTH)
        if look:
            self.ledger.charges(ROOT)

    @rule(eighths=st.integers(-8, 8), hours=st.sampled_from([1, 1, 1, 24]))
    def time_leaps(self, eighths: int, hours: int) -> None:
        """To about the next full hour, or the same hour tomorrow."""
        hour = 3600 * SECOND
        self._pass(max(EIGHTH, (self.recount.now // hour + hours) * hour + eighths * EIGHTH - self.recount.now))

    def _pass(self, micros: int) -> None:
        self.clock.advance(micros / SECOND)
        self.recount.pass_time(micros)
        for _, period, expires in self.present:
            if period[1] is None and expires[0] <= self.recount.now:
                period[1] = expires[0]

    def admitted(
        self, refusing: set[tuple[Account, str]], act: Callable[[], object], *, frozen: Account | None = None
    ) -> bool:
        """Do it: refused where the recount refuses, naming the outermost account, and admitted everywhere else."""
        try:
            act()
        except BudgetExceeded as refusal:
            found = (refusal.account, refusal.frozen or refusal.resource)
            wanted = {(frozen, True)} if frozen else refusing
            if found not in wanted:
                raise AssertionError(f"refused by {found}; those with no room are {wanted or 'none'}") from refusal
            return False
        if frozen or refusing:
            raise AssertionError(f"admitted, though {frozen or refusing} has no room, or is frozen")
        return True
