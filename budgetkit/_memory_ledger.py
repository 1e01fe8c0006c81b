"""The ledger in memory: one process, any number of threads and tasks."""

from __future__ import annotations

import math
import threading
import time
from itertools import count
from typing import TYPE_CHECKING, final
from uuid import uuid4

from ._errors import LedgerError
from ._ledger import WEEK, Account, AccountState, Reservation, check_lease
from ._memory_calls import admit, admit_beside, book, estimate, widen
from ._memory_tree import Node
from ._resource import check_units
from ._spend import Spend
from ._sync_as_async import SyncAsAsync

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["MemoryLedger"]

_NOTHING = Spend()


@final
class MemoryLedger(SyncAsAsync):
    """The books of one process.

    One lock guards the whole tree and is never held while anything is awaited, so a reservation holds on every
    ancestor or on none. The accounts and their calls stay until the ledger goes: nothing in a graph can give money
    back by forgetting.

    Args:
        clock: seconds that never go back; `budgetkit.testing.ManualClock` in tests.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """See the class."""
        self._clock = clock
        # Re-entrant: a stream that the garbage collector ends settles its call wherever the collector ran, in here too.
        self._lock = threading.RLock()
        self._nodes: dict[Account, Node] = {}
        self._open: dict[Reservation, Node] = {}
        self._soonest = math.inf
        """No open reservation expires before this."""
        self._prefix = f"{uuid4().hex[:8]}-"
        self._numbers = count(1)
        self._journal: list[Reservation] = []
        self._top_ups: set[tuple[Account, str]] = set()

    # -- accounts ---------------------------------------------------------------------------------------------------

    def open(
        self, account: Account, limits: Mapping[str, int], *, keep: Spend = _NOTHING, prepaid: bool = False
    ) -> None:
        """See `Ledger.open`."""
        if not account:
            raise LedgerError("the account () has no name: an account is a path such as ('tenant', 'run')")
        check_units(limits)
        with self._lock:
            node = self._nodes.get(account)
            if node is None:
                parent = self._node(account[:-1]) if len(account) > 1 else None
                node = Node(account, parent, limits, keep, prepaid=prepaid)
            if prepaid:
                node.take_share()
            self._nodes[account] = node

    def close(self, account: Account) -> None:
        """See `Ledger.close`."""
        with self._lock:
            self._node(account).return_share()

    def start(self, account: Account) -> None:
        """See `Ledger.start`."""
        with self._lock:
            node, now = self._node(account), self._time()
            node.starts += 1
            for above in node.upward():
                above.watch.start(now)

    def stop(self, account: Account) -> None:
        """See `Ledger.stop`."""
        with self._lock:
            node, now = self._node(account), self._time()
            if not node.starts:
                raise LedgerError(f"account {'/'.join(account)!r} is stopped more often than it was started")
            node.starts -= 1
            for above in node.upward():
                above.watch.stop(now)

    def top_up(self, account: Account, amounts: Spend, *, id: str) -> None:  # noqa: A002 - as in the protocol
        """See `Ledger.top_up`."""
        if amounts.unmeasured:
            raise LedgerError(f"cannot top up by an unknown amount of {', '.join(sorted(amounts.unmeasured))}")
        with self._lock:
            node = self._node(account)
            if (account, id) not in self._top_ups:
                node.raise_limits(amounts.as_units())
                self._top_ups.add((account, id))

    # -- calls ------------------------------------------------------------------------------------------------------

    def reserve(
        self,
        account: Account,
        asked: Spend,
        *,
        id: str | None = None,  # noqa: A002 - as in the protocol
        label: str = "",
        keep: Spend | None = None,
        final: bool = False,
        again: bool = False,
        lease: float = 600.0,
    ) -> Reservation:
        """See `Ledger.reserve`."""
        check_lease(lease)
        with self._lock:
            node = self._nodes.get(account) or self._node(account)
            now = self._clock()
            if now >= self._soonest:
                self._lapse(now)
            found = None if id is None else node.calls.get(id)
            if found is not None and found in self._open:
                return self._reenter(node, found, asked, now, keep=keep, final=final, lease=lease)
            if found is not None and not (again or found.released):
                return found
            if keep is None and not final:
                time_left = admit(node, asked, now)
            else:
                time_left = admit_beside(node, asked, now, keep=keep, final=final)
            name = f"{self._prefix}{next(self._numbers)}" if id is None else id
            call = Reservation(name, account, label, asked, 1, time_left, None, _NOTHING, now + lease)
            if id is not None:
                _file(node, call, found)
            self._begin(node, call, now)
            return call

    def settle(self, reservation: Reservation, spend: Spend | None = None) -> Reservation:
        """See `Ledger.settle`."""
        with self._lock:
            now = self._clock()
            if now >= self._soonest:
                self._lapse(now)
            if reservation in self._open:
                self._end(reservation, now, spend)
                return reservation
            node = self._node(reservation.account)
            return self._settle_found(node, self._find(node, reservation), now, spend)

    def release(self, reservation: Reservation) -> None:
        """See `Ledger.release`."""
        with self._lock:
            now, node = self._time(), self._node(reservation.account)
            call = self._find(node, reservation)
            if call in self._open:
                self._end(call, now, _NOTHING)
                self._journal.pop()
                call.released = True
            elif call.lapsed:
                self._settle_found(node, call, now, _NOTHING)

    def pause(self, reservation: Reservation, *, lease: float = WEEK) -> None:
        """See `Ledger.pause`."""
        check_lease(lease)
        with self._lock:
            now, node = self._time(), self._node(reservation.account)
            call = self._find(node, reservation)
            if call in self._open and not call.paused:
                for timed in node.timed:
                    timed.watch.stop(now)
                call.paused, call.expires = True, now + lease
                self._soonest = min(self._soonest, call.expires)

    def charge(
        self,
        account: Account,
        spend: Spend,
        *,
        id: str | None = None,  # noqa: A002 - as in the protocol
        label: str = "",
    ) -> Reservation:
        """See `Ledger.charge`."""
        with self._lock:
            node, now = self._node(account), self._time()
            id = id or f"{self._prefix}{next(self._numbers)}"  # noqa: A001 - as in the protocol
            call = node.calls.get(id) or _unreserved(node, id, label)
            return self._settle_found(node, call, now, spend)

    # -- reading ----------------------------------------------------------------------------------------------------

    def states(self, account: Account) -> tuple[AccountState, ...]:
        """See `Ledger.states`."""
        with self._lock:
            return self._node(account).states(self._time())

    def charges(self, account: Account) -> tuple[Reservation, ...]:
        """See `Ledger.charges`."""
        with self._lock:
            self._node(account)
            self._time()
            depth = len(account)
            return tuple(call for call in self._journal if call.account[:depth] == account)

    # -- inside the lock --------------------------------------------------------------------------------------------

    def _node(self, account: Account) -> Node:
        try:
            return self._nodes[account]
        except KeyError:
            raise LedgerError(f"account {'/'.join(account)!r} is not open: open it before it spends") from None

    def _time(self) -> float:
        """The time; what has lapsed by then is on the books, whether or not anybody looked."""
        now = self._clock()
        if now >= self._soonest:
            self._lapse(now)
        return now

    def _lapse(self, now: float) -> None:
        """A reservation that nobody settled in time counts as spent, never as nothing."""
        for call in sorted((c for c in self._open if c.expires <= now), key=lambda c: c.expires):
            self._end(call, call.expires, None)
            call.lapsed = True
        self._soonest = min((call.expires for call in self._open), default=math.inf)

    def _begin(self, node: Node, call: Reservation, now: float) -> None:
        """A call is open: its clock runs, and it has until it expires."""
        for timed in node.timed:
            timed.watch.start(now)
        self._open[call] = node
        if call.expires < self._soonest:  # noqa: PLR1730 - on the hot path, where min() is dear
            self._soonest = call.expires

    def _reenter(
        self, node: Node, call: Reservation, asked: Spend, now: float, *, keep: Spend | None, final: bool, lease: float
    ) -> Reservation:
        """An open id is asked for again: hold what it asks beyond what is held, and renew the lease."""
        widen(node, call, asked, now, keep=keep, final=final)
        call.expires = now + lease if call.paused else max(call.expires, now + lease)
        if call.paused:
            call.paused = False
            self._begin(node, call, now)
        return call

    def _end(self, call: Reservation, now: float, spend: Spend | None) -> None:
        """An open call is over: booked and in the journal, its clock stopped."""
        if spend is None or spend.unmeasured:
            spend = estimate(call.asked, spend)
        node = self._open.pop(call)
        if not call.paused:
            for timed in node.timed:
                timed.watch.stop(now)
        book(node, call, spend)
        self._journal.append(call)

    def _find(self, node: Node, reservation: Reservation) -> Reservation:
        """The books' own record of a call, also where a copy was handed in; a new one for a call not seen before."""
        name, attempt = reservation.id, reservation.attempt
        call = node.calls.get(name)
        if call is not None:
            call = call if call.attempt == attempt else node.calls.get((name, attempt))
        elif reservation in self._open or reservation.released or reservation in self._journal:
            call = reservation
        else:
            key = (node.account, name, attempt)
            call = next((c for c in (*self._open, *self._journal) if (c.account, c.id, c.attempt) == key), None)
        return call or _unreserved(node, name, reservation.label, attempt)

    def _settle_found(self, node: Node, call: Reservation, now: float, spend: Spend | None) -> Reservation:
        """Settle a call in whatever state: open, lapsed, taken back, or settled (then it stays as it is)."""
        if call in self._open:
            self._end(call, now, spend)
        elif call.lapsed or call.released:
            book(node, call, estimate(call.asked, spend))
            if call.released:
                self._journal.append(call)
            call.lapsed = call.released = False
        return call


def _file(node: Node, call: Reservation, before: Reservation | None) -> None:
    """Keep a named call where it is found again, and the attempts before it too."""
    if before is not None:
        node.calls[before.id, before.attempt] = before
        call.attempt = before.attempt + 1
    node.calls[call.id] = call


def _unreserved(node: Node, id: str, label: str, attempt: int = 1) -> Reservation:  # noqa: A002 - as in the protocol
    """A call that these books have not seen: nothing is set aside for it; what it costs is recorded all the same."""
    call = Reservation(id, node.account, label, _NOTHING, attempt, spend=_NOTHING, released=True)
    node.calls[(id, attempt) if id in node.calls else id] = call
    return call
