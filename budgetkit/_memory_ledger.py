"""The ledger in memory: one process, any number of threads and tasks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from itertools import count
from typing import final

from ._errors import BudgetExceeded, LedgerError
from ._ledger import Account, AccountState, Reservation
from ._memory_tree import Cell, Node, Route
from ._spend import Spend
from ._sync_as_async import SyncAsAsync

__all__ = ["MemoryLedger"]

_NOTHING = Spend()


@final
class MemoryLedger(SyncAsAsync):
    """The books of one process.

    One lock guards the whole tree and is never held while anything is awaited or called, so a reservation holds on
    every ancestor or on none. The accounts and their calls stay until the ledger goes: nothing in a graph can give
    money back by forgetting.

    Args:
        clock: seconds that never go back; `budgetkit.testing.ManualClock` in tests.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """See the class."""
        self._clock = clock
        self._lock = threading.Lock()
        self._nodes: dict[Account, Node] = {}
        self._numbers = count(1)
        self._journal: list[Reservation] = []
        self._top_ups: set[tuple[Account, str]] = set()

    # -- accounts ---------------------------------------------------------------------------------------------------

    def open(
        self, account: Account, limits: Mapping[str, int], *, keep: Spend = _NOTHING, prepaid: bool = False
    ) -> None:
        """See `Ledger.open`."""
        with self._lock:
            if account in self._nodes:
                return
            parent = self._node(account[:-1]) if len(account) > 1 else None
            if prepaid and parent is not None:
                _admit(parent, Spend.from_units({name: n for name, n in limits.items() if name != "seconds"}))
            self._nodes[account] = Node(account, parent, limits, keep, prepaid=prepaid)

    def close(self, account: Account) -> None:
        """See `Ledger.close`."""
        with self._lock:
            node = self._node(account)
            for name in node.prepaid_names():
                _hold(node.parent, name, -node.cells[name].shut())

    def start(self, account: Account) -> None:
        """See `Ledger.start`."""
        with self._lock:
            for node in self._node(account).chain():
                node.tick(self._clock())

    def stop(self, account: Account) -> None:
        """See `Ledger.stop`."""
        with self._lock:
            for node in self._node(account).chain():
                node.tock(self._clock())

    def top_up(self, account: Account, amounts: Spend, *, id: str) -> None:  # noqa: A002 - as in the protocol
        """See `Ledger.top_up`."""
        with self._lock:
            node = self._node(account)
            if (account, id) in self._top_ups:
                return
            self._top_ups.add((account, id))
            for name, amount in amounts.as_units().items():
                node.cell(name).raise_limit(amount)

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
        with self._lock:
            node = self._nodes.get(account) or self._node(account)
            attempt = 1
            if id is None:
                id = f"#{next(self._numbers)}"  # noqa: A001 - as in the protocol
            elif (found := node.calls.get(id)) is not None:
                if found.spend is None or not again:
                    return found
                attempt = _archive(node, found) + 1
            now = self._clock()
            time_left = _time_left(node, now, final=final) if node.timed else None
            if keep is None and not final:
                _admit_fast(node, asked)
            else:
                _admit(node, asked, keep=keep, final=final)
            for timed in node.timed:
                timed.tick(now)
            call = Reservation(id, account, label, asked, attempt, time_left, None, _NOTHING, now + lease)
            node.calls[id] = call
            return call

    def settle(self, reservation: Reservation, spend: Spend | None = None) -> Reservation:
        """See `Ledger.settle`."""
        with self._lock:
            node = self._nodes.get(reservation.account) or self._node(reservation.account)
            call = node.calls.get(reservation.id)
            if call is None or call.attempt != reservation.attempt:
                call = reservation  # an earlier attempt, or one that was released: settled as it stands
            if call.spend is not None and not call.lapsed:
                return call
            if spend is None or spend.unmeasured or spend.estimated:
                spend = _estimate(node, call.asked, spend)
            self._end(node, call, self._clock() if node.timed else 0.0)
            _book(node, call, spend)
            return call

    def release(self, reservation: Reservation) -> None:
        """See `Ledger.release`."""
        with self._lock:
            node = self._node(reservation.account)
            call = node.calls.get(reservation.id)
            if call is None or call.spend is not None or call.attempt != reservation.attempt:
                return
            del node.calls[call.id]
            for name, amount in call.asked.as_units().items():
                _hold(node, name, -amount)
            for timed in node.timed:
                timed.tock(self._clock())

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
            node = self._node(account)
            id = id or f"#{next(self._numbers)}"  # noqa: A001 - as in the protocol
            if (found := node.calls.get(id)) is not None:
                return found
            call = node.calls[id] = Reservation(id, account, label, _NOTHING)
            self._journal.append(call)
            node.flag(spend)
            _book(node, call, spend)
            return call

    # -- reading ----------------------------------------------------------------------------------------------------

    def states(self, account: Account) -> tuple[AccountState, ...]:
        """See `Ledger.states`."""
        with self._lock:
            node, now = self._node(account), self._clock()
            chain = node.chain()
            self._lapse(chain[0], now)
            return tuple(n.state(now) for n in chain)

    def charges(self, account: Account) -> tuple[Reservation, ...]:
        """See `Ledger.charges`."""
        with self._lock:
            self._lapse(self._node(account).chain()[0], self._clock())
            depth = len(account)
            return tuple(call for call in self._journal if call.account[:depth] == account)

    # -- inside the lock --------------------------------------------------------------------------------------------

    def _node(self, account: Account) -> Node:
        try:
            return self._nodes[account]
        except KeyError:
            raise LedgerError(f"account {'/'.join(account)!r} is not open: open it before it spends") from None

    def _end(self, node: Node, call: Reservation, now: float) -> None:
        """The call is over: its clock stops and it stands in the journal. A late settlement has done both already."""
        if call.lapsed:
            return
        for timed in node.timed:
            timed.tock(now)
        self._journal.append(call)

    def _lapse(self, root: Node, now: float) -> None:
        """A reservation that nobody settled in time counts as spent, never as nothing."""
        for node in root.below():
            for call in node.calls.values():
                if call.spend is None and now >= call.expires:
                    self._end(node, call, call.expires)
                    _book(node, call, _estimate(node, call.asked, None))
                    call.lapsed = True


def _archive(node: Node, settled: Reservation) -> int:
    """Make room for a further attempt under the same id; the settled one stays on the books."""
    node.calls[f"{settled.id}@{settled.attempt}"] = settled
    return settled.attempt


def _admit_fast(node: Node, asked: Spend) -> None:
    """The common case in one pass; a refusal is undone, and the slow path says why, from the root down."""
    admitting = node.route(asked.names).admitting
    refused = False
    for cells, amount in zip(admitting, asked.units, strict=True):
        for cell in cells:
            cell.held += amount
            if cell.held > cell.ceiling:
                refused = True
    if refused:
        for cells, amount in zip(admitting, asked.units, strict=True):
            for cell in cells:
                cell.held -= amount
        _judge(node, asked, final=False)


def _admit(node: Node, asked: Spend, *, keep: Spend | None = None, final: bool = False) -> None:
    before = {name: cell.kept for name, cell in node.cells.items()}
    if keep is not None:
        _keep(node, keep.as_units())
    try:
        _judge(node, asked, final=final)
    except BudgetExceeded:
        _keep(node, before)
        raise
    for name, amount in zip(asked.names, asked.units, strict=True):
        _hold(node, name, amount)


def _keep(node: Node, amounts: Mapping[str, int]) -> None:
    for name in {*node.cells, *amounts}:
        node.cell(name).keep(amounts.get(name, 0))


def _judge(node: Node, asked: Spend, *, final: bool) -> None:
    """Raise for the outermost account that cannot pay."""
    chain = node.chain()
    for depth, account in enumerate(chain):
        own_reserve = final and account is node
        for name, need in zip(asked.names, asked.units, strict=True):
            cell = account.cell(name)
            ceiling = cell.limit if own_reserve else cell.ceiling
            admits = depth >= len(chain) - len(node.route((name,)).admitting[0])
            if admits and cell.held + need > ceiling:
                raise _refusal(account.account, name, cell, cell.limit - ceiling, need)


def _time_left(node: Node, now: float, *, final: bool) -> float:
    """Seconds until the nearest ``seconds`` limit; raises when there are none."""
    nearest = float("inf")
    for timed in node.timed:
        cell = timed.cell("seconds")
        cell.spent = cell.held = round(timed.seconds(now) * 1000)
        ceiling = cell.limit if final and timed is node else cell.ceiling
        if cell.held >= ceiling:
            raise _refusal(timed.account, "seconds", cell, cell.limit - ceiling, 0)
        nearest = min(nearest, (ceiling - cell.held) / 1000)
    return nearest


def _hold(node: Node | None, name: str, amount: int) -> None:
    """Reserve (or free) on the route; what breaks a prepaid account's limit is held by its parent too."""
    if node is None or not amount:
        return
    route = node.route((name,))
    edge = route.admitting[0][0]
    before = edge.over
    for cell in route.admitting[0]:
        cell.held += amount
    if route.above[0] and (more := edge.over - before):
        owner = next(n for n in node.chain() if n.cells.get(name) is edge)
        _hold(owner.parent, name, more)


def _estimate(node: Node, asked: Spend, spend: Spend | None) -> Spend:
    """What was not measured is kept at what was reserved; what was not reserved either stays unmeasured."""
    known, missing = (spend.as_units(), spend.unmeasured) if spend is not None else ({}, frozenset(asked.names))
    reserved = asked.as_units()
    kept = {name: max(reserved[name], known.get(name, 0)) for name in missing if name in reserved}
    marked = spend.estimated if spend is not None else frozenset[str]()
    full = Spend.from_units(known | kept, estimated={*marked, *kept}, unmeasured=missing - set(kept))
    node.flag(full)
    return full


def _book(node: Node, call: Reservation, spend: Spend) -> None:
    """Replace what was asked by what was spent, on every account; name the overshoot."""
    route = node.route(spend.names)
    if call.asked.names == spend.names and not route.prepaid and not call.lapsed:
        over = _book_fast(route, call.asked.units, spend.units)
    else:
        over = _book_slowly(node, call, spend.as_units())
    call.spend, call.lapsed = spend, False
    if over:
        call.overshoot = _overshoot(node, call.asked, spend)


def _book_fast(route: Route, asked: tuple[int, ...], used: tuple[int, ...]) -> bool:
    over = False
    for cells, was, now in zip(route.admitting, asked, used, strict=True):
        more = now - was
        for cell in cells:
            cell.spent += now
            cell.held += more
            if more > 0 and cell.held > cell.limit:
                over = True
    return over


def _book_slowly(node: Node, call: Reservation, used: Mapping[str, int]) -> bool:
    asked, over = call.asked.as_units(), False
    counted = call.spend.as_units() if call.lapsed and call.spend is not None else {}
    for name in {*asked, *used, *counted}:
        more = used.get(name, 0) - (counted.get(name, 0) if call.lapsed else asked.get(name, 0))
        _hold(node, name, more)
        for account in node.chain():
            cell = account.cell(name)
            cell.spent += used.get(name, 0) - counted.get(name, 0)
            over = over or (more > 0 and cell.over > 0)
    return over


def _overshoot(node: Node, asked: Spend, spend: Spend) -> Spend:
    """By how much this call broke the tightest limit, per resource; at most what it spent beyond what it reserved."""
    reserved, found = asked.as_units(), dict[str, int]()
    for name, used in spend.as_units().items():
        more = used - reserved.get(name, 0)
        found[name] = max(0, min(more, max(account.cell(name).over for account in node.chain())))
    return Spend.from_units(found)


def _refusal(account: Account, name: str, cell: Cell, kept: int, asked: int) -> BudgetExceeded:
    reserved = cell.held - cell.spent + kept
    return BudgetExceeded(
        resource=name, account=account, limit=cell.limit, spent=cell.spent, reserved=reserved, asked=asked
    )
