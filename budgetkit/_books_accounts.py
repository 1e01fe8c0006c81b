"""The half of the books that keeps accounts: their limits, their clocks, and what is in flight on them."""

from __future__ import annotations

import math
import threading
import time
from itertools import count
from typing import TYPE_CHECKING
from uuid import uuid4

from ._errors import LedgerError
from ._ledger import check_known, check_lease, check_path
from ._memory_calls import book, estimate
from ._memory_limits import raise_limits, return_share, set_limits, take_share
from ._memory_tree import Node
from ._reservation import MICRO, Reservation
from ._resource import check_units
from ._spend import Spend
from ._window import check_window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ._account import Account, AccountState
    from ._window import Window

__all__ = ["AccountBooks", "due", "steady_clock"]

_NOTHING = Spend()


class AccountBooks:
    """A tree of accounts behind one lock, which is never held while anything is awaited.

    Attributes:
        nodes: the accounts by their path.
        open_calls: what is in flight, presences too, and on which account.
        journal: the settled calls, in order.
        top_ups: which account was topped up under which id.
    """

    def __init__(self, *, clock: Callable[[], float]) -> None:
        """See `MemoryLedger`."""
        self._clock = clock
        # Re-entrant: a stream that the garbage collector ends settles its call wherever the collector ran, in here too.
        self._lock = threading.RLock()
        self.nodes: dict[Account, Node] = {}
        self.open_calls: dict[Reservation, Node] = {}
        self.journal: list[Reservation] = []
        self.top_ups: set[tuple[Account, str]] = set()
        self._soonest = math.inf
        """Nothing in flight expires before this."""
        self._prefix = f"{uuid4().hex[:8]}-"
        self._numbers = count(1)

    def open(
        self,
        account: Account,
        limits: Mapping[str, int],
        *,
        keep: Spend = _NOTHING,
        prepaid: bool = False,
        window: Window | None = None,
    ) -> None:
        """See `Ledger.open`."""
        check_path(account)
        check_units(limits)
        check_window(window, limits, prepaid=prepaid)
        with self._lock:
            node = self.nodes.get(account)
            if node is None:
                parent = self._node(account[:-1]) if len(account) > 1 else None
                node = Node(account, parent, limits, keep, prepaid=prepaid, window=window)
            self._time(node)
            if prepaid:
                take_share(node)
            self.nodes[account] = node

    def close(self, account: Account) -> None:
        """See `Ledger.close`."""
        with self._lock:
            node = self._node(account)
            self._time(node)
            return_share(node)

    def start(self, account: Account, *, lease: float | None = None, id: str | None = None) -> Reservation:  # noqa: A002 - as in the protocol
        """See `Ledger.start`; ``id`` names the presence, for homes that keep it elsewhere too."""
        if lease is not None:
            check_lease(lease)
        with self._lock:
            node = self._node(account)
            now = self._time(node)
            expires = math.inf if lease is None else now + round(lease * MICRO)
            presence = Reservation(id or self._name(), account, "", _NOTHING, expires=expires / MICRO, presence=True)
            self._begin(node, presence, now, expires)
            return presence

    def stop(self, presence: Reservation) -> None:
        """See `Ledger.stop`."""
        with self._lock:
            node = self._node(presence.account)
            now = self._time(node)
            if presence in self.open_calls:
                self._leave(presence, now)

    def freeze(self, account: Account) -> None:
        """See `Ledger.freeze`."""
        with self._lock:
            self._node(account).frozen = True
            self._chill(account)

    def unfreeze(self, account: Account) -> None:
        """See `Ledger.unfreeze`."""
        with self._lock:
            self._node(account).frozen = False
            self._chill(account)

    def top_up(self, account: Account, amounts: Spend, *, id: str) -> None:  # noqa: A002 - as in the protocol
        """See `Ledger.top_up`."""
        check_known(amounts)
        with self._lock:
            node = self._node(account)
            self._time(node)
            if (account, id) not in self.top_ups:
                raise_limits(node, amounts.as_units())
                self.top_ups.add((account, id))

    def set_limits(self, account: Account, limits: Mapping[str, int | None]) -> None:
        """See `Ledger.set_limits`."""
        check_units({name: n for name, n in limits.items() if n is not None})
        with self._lock:
            node = self._node(account)
            self._time(node)
            set_limits(node, limits)

    def states(self, account: Account) -> tuple[AccountState, ...]:
        """See `Ledger.states`."""
        with self._lock:
            node = self._node(account)
            return node.states(self._time(node))

    def charges(self, account: Account) -> tuple[Reservation, ...]:
        """See `Ledger.charges`."""
        with self._lock:
            self._time(self._node(account))
            depth = len(account)
            return tuple(call for call in self.journal if call.account[:depth] == account)

    def children(self, account: Account = ()) -> tuple[Account, ...]:
        """See `Ledger.children`."""
        with self._lock:
            if account:
                self._node(account)
            depth = len(account)
            return tuple(sorted(path for path in self.nodes if len(path) == depth + 1 and path[:depth] == account))

    def carry_on(self, node: Node, call: Reservation) -> None:
        """Take in what is in flight already, with its clocks running: for books that are kept elsewhere too."""
        self.open_calls[call] = node
        self._soonest = min(self._soonest, due(call))

    # -- inside the lock --------------------------------------------------------------------------------------------

    def _node(self, account: Account) -> Node:
        try:
            return self.nodes[account]
        except KeyError:
            raise LedgerError(f"account {'/'.join(account)!r} is not open: open it before it spends") from None

    def _name(self) -> str:
        return f"{self._prefix}{next(self._numbers)}"

    def _time(self, node: Node) -> int:
        """The time in microseconds; what has lapsed or left its window by then is on the books, asked for or not."""
        now = round(self._clock() * MICRO)
        if now >= self._soonest:
            self._lapse(now)
        if node.rolls:
            node.roll(now)
        return now

    def _lapse(self, now: int) -> None:
        """A reservation that nobody settled in time counts as spent, never as nothing."""
        for call in sorted((call for call in self.open_calls if due(call) <= now), key=due):
            node = self.open_calls[call]
            node.roll(now)
            if call.presence:
                self._leave(call, int(due(call)))
            else:
                self._end(call, int(due(call)), None)
            call.lapsed = True
        self._soonest = min(map(due, self.open_calls), default=math.inf)

    def _chill(self, account: Account) -> None:
        """Tell the accounts below whether they are frozen from above; parents are older than their children."""
        depth = len(account)
        for path, node in self.nodes.items():
            if path[:depth] == account:
                node.chilled = node.frozen or (node.parent is not None and node.parent.chilled)

    def _begin(self, node: Node, call: Reservation, now: int, expires: float) -> None:
        """Something is in flight: its clocks run, and it has until it expires."""
        for timed in _clocks(node, call):
            timed.watch.start(now)
        self.open_calls[call] = node
        self._soonest = min(self._soonest, expires)

    def _leave(self, call: Reservation, now: int) -> Node:
        """It is in flight no longer: its clocks stop."""
        node = self.open_calls.pop(call)
        if not call.paused:
            for timed in _clocks(node, call):
                timed.watch.stop(now)
        return node

    def _end(self, call: Reservation, now: int, spend: Spend | None) -> None:
        """A call is over: booked and in the journal."""
        if spend is None or spend.unmeasured:
            spend = estimate(call.asked, spend)
        book(self._leave(call, now), call, spend, now)
        self.journal.append(call)


def due(call: Reservation) -> float:
    """When it expires, in whole microseconds, or never."""
    return call.expires if call.expires == math.inf else round(call.expires * MICRO)


def _clocks(node: Node, call: Reservation) -> Iterable[Node]:
    """A call runs the clocks of the accounts that limit time; a scope that is open, of all."""
    return node.upward() if call.presence else node.timed


def steady_clock() -> Callable[[], float]:
    """Seconds since 1970 that never go back, as long as this process lives."""
    began = time.time() - time.monotonic()
    return lambda: time.monotonic() + began
