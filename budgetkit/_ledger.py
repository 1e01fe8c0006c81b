"""What a ledger is: reserve, call, settle, over a tree of accounts.

An account is named by its path from the root, ``("tenant", "user", "run")``; a charge counts on the account and on all
its ancestors. Four homes stand behind this one protocol; the same calls in the same order give the same result on each.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final, Protocol

from ._errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._account import Account, AccountState
    from ._reservation import Reservation
    from ._spend import Spend
    from ._window import Window

__all__ = ["LEASE", "WEEK", "Ledger", "check_known", "check_lease", "check_path"]

LEASE: Final = 600.0
"""How long a call may go unsettled before it counts as spent, in seconds."""
WEEK: Final = 7 * 24 * 3600.0
"""How long a call may wait for a person, in seconds."""


class Ledger(Protocol):
    """Where spend is recorded. Append-only: nothing that happens in a graph gives money back.

    Time is the ledger's own, the store's clock where there is a store: the ``seconds`` of an account are the wall-clock
    time in which it was started or had a call in flight, overlaps counted once. What a call says of its own seconds
    stays on its record and is not added up.

    Every method has an async twin with the prefix ``a``. All raise `LedgerError` when the account was never opened or
    the home cannot be reached; nothing is admitted then. A home of your own derives from this class and is
    checked by `budgetkit.testing.LEDGER_PROPERTIES`.
    """

    @staticmethod
    def from_url(url: str) -> Ledger:
        """The ledger at ``memory://``, ``sqlite:///file``, ``postgresql://…`` or ``redis://…``.

        Raises:
            ValueError: no home has this scheme, or the url is not one.
            ImportError: the driver is not installed; the message has the command that installs it.
        """
        from ._homes import ledger_from_url  # noqa: PLC0415 - the homes are built on this protocol

        return ledger_from_url(url)

    # -- accounts ---------------------------------------------------------------------------------------------------

    def open(
        self,
        account: Account,
        limits: Mapping[str, int],
        *,
        keep: Spend = ...,
        prepaid: bool = False,
        window: Window | None = None,
    ) -> None:
        """Make an account under its parent, which must be open; an account that is there keeps its limits.

        Args:
            account: its path.
            limits: units per resource.
            keep: the answer reserve.
            prepaid: take the limits out of the parent now; raises `BudgetExceeded` if the parent cannot pay.
            window: how long a spend counts against the limits. Not for a prepaid account, which is given its share
                once; and ``seconds`` cannot be limited over a sliding one.

        Raises:
            ValueError: a limit that is no amount, or a window that does not go with the rest.
        """

    def close(self, account: Account) -> None:
        """Give back what a prepaid account did not use; from then on it draws on its parent, up to its own limits.

        Opening it again as prepaid takes out what is left of its limits. Calls in flight can still be settled.
        """

    def start(self, account: Account, *, lease: float | None = None) -> Reservation:
        """Let the wall clock of the account and its ancestors run (it also runs while a call is in flight).

        Args:
            account: whose clock.
            lease: seconds until it stops by itself. None: it runs until `stop`, or until the process that holds what
                this returns is gone, which a home that outlives the process notices within a minute.
        """
        ...

    def stop(self, presence: Reservation) -> None:
        """Undo one `start`; twice is once."""

    def freeze(self, account: Account) -> None:
        """Admit nothing more on this account and below it. Calls in flight can still be settled."""

    def unfreeze(self, account: Account) -> None:
        """Undo `freeze`."""

    def top_up(self, account: Account, amounts: Spend, *, id: str) -> None:  # noqa: A002 - the field's own word
        """Raise the limits of the account by ``amounts``; the same id is applied once. No limit stays no limit.

        A prepaid account takes the difference out of its parent; raises `BudgetExceeded` if the parent cannot pay.
        """

    def set_limits(self, account: Account, limits: Mapping[str, int | None]) -> None:
        """Set the limits that are named, in units; None takes one away. Those not named stay.

        What is spent or reserved stays so, also above a limit that was lowered below it. A prepaid account takes the
        difference out of its parent, or gives it back; raises `BudgetExceeded` if the parent cannot pay.

        Raises:
            LedgerError: ``seconds`` where they were not limited from the start, or taking that limit away.
        """

    # -- calls ------------------------------------------------------------------------------------------------------

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
        lease: float = LEASE,
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
            lease: seconds until an unsettled reservation counts as spent. A home that outlives the process renews it
                while the process holds the reservation.

        Raises:
            BudgetExceeded: an account is frozen, or cannot pay; each checked from the root down, so the outermost is
                the one reported.
        """
        ...

    def renew(self, reservation: Reservation, *, lease: float = LEASE) -> None:
        """Give an open call, or a presence, ``lease`` more seconds; one that is over or paused stays as it is."""

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

    # -- reading ----------------------------------------------------------------------------------------------------

    def states(self, account: Account) -> tuple[AccountState, ...]:
        """The account's ancestors from the root down, and itself last, as this account sees them.

        A share that it took out, or an account between, is not reserved in this view but left: it is there to be spent.
        """
        ...

    def charges(self, account: Account) -> tuple[Reservation, ...]:
        """What was settled on this account and below it, in the order of settling."""
        ...

    def children(self, account: Account = ()) -> tuple[Account, ...]:
        """The accounts right below this one, sorted; the roots for ``()``."""
        ...

    # -- the async twins --------------------------------------------------------------------------------------------

    async def aopen(
        self,
        account: Account,
        limits: Mapping[str, int],
        *,
        keep: Spend = ...,
        prepaid: bool = False,
        window: Window | None = None,
    ) -> None: ...
    async def aclose(self, account: Account) -> None: ...
    async def astart(self, account: Account, *, lease: float | None = None) -> Reservation: ...
    async def astop(self, presence: Reservation) -> None: ...
    async def afreeze(self, account: Account) -> None: ...
    async def aunfreeze(self, account: Account) -> None: ...
    async def atop_up(self, account: Account, amounts: Spend, *, id: str) -> None: ...  # noqa: A002 - the field's own word
    async def aset_limits(self, account: Account, limits: Mapping[str, int | None]) -> None: ...
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
        lease: float = LEASE,
    ) -> Reservation: ...
    async def arenew(self, reservation: Reservation, *, lease: float = LEASE) -> None: ...
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
    async def astates(self, account: Account) -> tuple[AccountState, ...]: ...
    async def acharges(self, account: Account) -> tuple[Reservation, ...]: ...
    async def achildren(self, account: Account = ()) -> tuple[Account, ...]: ...


def check_lease(lease: float) -> None:
    """Refuse a lease that never ends.

    Raises:
        ValueError: not a finite number of seconds above 0.
    """
    if not 0 < lease < inf:
        raise ValueError(f"lease={lease!r} must be a finite number of seconds above 0: nothing is reserved for ever")


def check_path(account: Account) -> None:
    """Refuse an account without a name.

    Raises:
        LedgerError: the path is empty.
    """
    if not account:
        raise LedgerError("the account () has no name: an account is a path such as ('tenant', 'run')")


def check_known(amounts: Spend) -> None:
    """Refuse to top up by what nobody knows.

    Raises:
        LedgerError: an amount that is not measured.
    """
    if amounts.unmeasured:
        raise LedgerError(f"cannot top up by an unknown amount of {', '.join(sorted(amounts.unmeasured))}")
