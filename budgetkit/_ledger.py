"""What a ledger is: reserve, call, settle, over a tree of accounts.

An account is named by its path from the root, ``("tenant", "user", "run")``; a charge counts on the account and on all
its ancestors. Four homes are planned behind this one protocol; the same calls in the same order give the same result on
each.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final, Protocol, final

from ._resource import Amount, from_units
from ._spend import Spend

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["WEEK", "Account", "AccountState", "Ledger", "Reservation", "check_lease"]

Account = tuple[str, ...]
"""The path of an account from the root."""

WEEK: Final = 7 * 24 * 3600.0
"""How long a call may wait for a person, in seconds."""
_NOTHING: Final = Spend()


@final
@dataclass(slots=True, eq=False)
class Reservation:
    """The worst case of one call, set aside before it starts and settled at what it really cost.

    Made by a ledger; read it, do not write it.

    Attributes:
        id: names the call within its account; reserving an open id again finds it.
        account: the account that pays.
        label: what the money is for, such as ``"model:gpt-4o"``.
        asked: what was set aside.
        attempt: 1 for the first use of the id, more when a settled id was reserved again.
        time_left: seconds until the nearest ``seconds`` limit above the call, None without one.
        spend: what it cost, once settled; None while the call is in flight.
        overshoot: by how much it broke limits, once settled.
        expires: when it counts as spent if nobody settles it, on the ledger's clock.
        lapsed: whether that happened; a late settlement still replaces the estimate.
        released: whether it was taken back; should it be settled after all, it is recorded.
        paused: whether it waits for a person: reserved, with its clock standing still.
    """

    id: str
    account: Account
    label: str
    asked: Spend
    attempt: int = 1
    time_left: float | None = None
    spend: Spend | None = None
    overshoot: Spend = _NOTHING
    expires: float = 0.0
    lapsed: bool = False
    released: bool = False
    paused: bool = False


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

    def left(self, name: str) -> int | None:
        """Units that are neither spent nor reserved; None without a limit, never below 0."""
        limit = self.limits.get(name)
        if limit is None:
            return None
        return max(0, limit - self.spent.in_units(name) - self.reserved.in_units(name))

    @property
    def overshoot(self) -> Spend:
        """What was spent over each limit; empty if every limit held."""
        over = {name: self.spent.in_units(name) - limit for name, limit in self.limits.items()}
        return Spend.from_units({name: n for name, n in over.items() if n > 0})

    @property
    def remaining(self) -> Mapping[str, Amount | None]:
        """What is left of each limit, as the user sees it."""
        return {name: from_units(name, self.left(name) or 0) for name in self.limits}


class Ledger(Protocol):
    """Where spend is recorded. Append-only: nothing that happens in a graph gives money back.

    Time is the ledger's own: the ``seconds`` of an account are the wall-clock time in which it was started or had a
    call in flight, overlaps counted once. What a call says of its own seconds stays on its record and is not added up.

    Every method has an async twin with the prefix ``a``. All raise `LedgerError` when the account was never opened or
    the home cannot be reached; nothing is admitted then.
    """

    def open(self, account: Account, limits: Mapping[str, int], *, keep: Spend = ..., prepaid: bool = False) -> None:
        """Make an account under its parent, which must be open; an account that is there keeps its limits.

        A prepaid account takes its limits out of its parent now; raises `BudgetExceeded` if the parent cannot pay.
        """

    def close(self, account: Account) -> None:
        """Give back what a prepaid account did not use; from then on it draws on its parent, up to its own limits.

        Opening it again as prepaid takes out what is left of its limits. Calls in flight can still be settled.
        """

    def start(self, account: Account) -> None:
        """Let the wall clock of the account and its ancestors run (it also runs while a call is in flight)."""

    def stop(self, account: Account) -> None:
        """Undo one `start`."""

    def reserve(
        self,
        account: Account,
        asked: Spend,
        *,
        id: str | None = None,  # noqa: A002 - the field's own word
        label: str = "",
        keep: Spend | None = None,
        final: bool = False,
        again: bool = False,
        lease: float = 600.0,
    ) -> Reservation:
        """Set ``asked`` aside on the account and every ancestor, or on none.

        Args:
            account: who pays.
            asked: the worst case of the call.
            id: names the call. Reserving an open id finds its reservation: it is widened to what is asked now, its
                lease is renewed, and it goes on if it was paused. A settled or lapsed id is returned as it stands.
                None: a new one.
            label: what the money is for.
            keep: set the account's answer reserve to this, in the same step; the call must fit beside it.
            final: the call may use the account's own answer reserve (never an ancestor's).
            again: a settled id may be reserved anew, as a further attempt (a call that is really made again).
            lease: seconds until an unsettled reservation counts as spent.

        Raises:
            BudgetExceeded: an account cannot pay; checked from the root down, so the outermost is the one reported.
        """
        ...

    def settle(self, reservation: Reservation, spend: Spend | None = None) -> Reservation:
        """Replace the reservation by what the call cost; twice is once.

        What ``spend`` marks as unmeasured (all of it, when None) is kept at what was reserved and marked estimated; a
        resource that it leaves out was not used. Spend over a limit is recorded all the same, with the overshoot
        named; it is never refused. A call that had lapsed, or was released, is still recorded at what it cost.
        """
        ...

    def release(self, reservation: Reservation) -> None:
        """Take back a reservation whose call was certainly never sent."""

    def pause(self, reservation: Reservation, *, lease: float = WEEK) -> None:
        """Keep a call reserved that waits for a person: its clock stands still until its id is reserved again.

        Should nobody come back within ``lease`` seconds, it counts as spent.
        """

    def charge(self, account: Account, spend: Spend, *, id: str | None = None, label: str = "") -> Reservation:  # noqa: A002 - the field's own word
        """Record spend that happened, whatever the limits say; the same id is recorded once.

        The id of a reservation settles it.
        """
        ...

    def top_up(self, account: Account, amounts: Spend, *, id: str) -> None:  # noqa: A002 - the field's own word
        """Raise the limits of the account by ``amounts``; the same id is applied once. No limit stays no limit.

        A prepaid account takes the difference out of its parent; raises `BudgetExceeded` if the parent cannot pay.
        """

    def states(self, account: Account) -> tuple[AccountState, ...]:
        """The account's ancestors from the root down, and itself last, as this account sees them.

        A share that it took out, or an account between, is not reserved in this view but left: it is there to be spent.
        """
        ...

    def charges(self, account: Account) -> tuple[Reservation, ...]:
        """What was settled on this account and below it, in the order of settling."""
        ...

    async def aopen(
        self, account: Account, limits: Mapping[str, int], *, keep: Spend = ..., prepaid: bool = False
    ) -> None: ...
    async def aclose(self, account: Account) -> None: ...
    async def astart(self, account: Account) -> None: ...
    async def astop(self, account: Account) -> None: ...
    async def areserve(
        self,
        account: Account,
        asked: Spend,
        *,
        id: str | None = None,  # noqa: A002 - the field's own word
        label: str = "",
        keep: Spend | None = None,
        final: bool = False,
        again: bool = False,
        lease: float = 600.0,
    ) -> Reservation: ...
    async def asettle(self, reservation: Reservation, spend: Spend | None = None) -> Reservation: ...
    async def arelease(self, reservation: Reservation) -> None: ...
    async def apause(self, reservation: Reservation, *, lease: float = WEEK) -> None: ...
    async def acharge(
        self,
        account: Account,
        spend: Spend,
        *,
        id: str | None = None,  # noqa: A002 - the field's own word
        label: str = "",
    ) -> Reservation: ...
    async def atop_up(self, account: Account, amounts: Spend, *, id: str) -> None: ...  # noqa: A002 - the field's own word
    async def astates(self, account: Account) -> tuple[AccountState, ...]: ...
    async def acharges(self, account: Account) -> tuple[Reservation, ...]: ...


def check_lease(lease: float) -> None:
    """Refuse a lease that never ends.

    Raises:
        ValueError: not a finite number of seconds above 0.
    """
    if not 0 < lease < inf:
        raise ValueError(f"lease={lease!r} must be a finite number of seconds above 0: nothing is reserved for ever")
