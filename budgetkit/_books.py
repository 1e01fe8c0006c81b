"""The books: what a ledger does, without the async twins. The ledger in memory, and the kernel of the one in SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._books_accounts import AccountBooks, due
from ._ledger import LEASE, WEEK, check_lease
from ._memory_calls import admit, admit_beside, book, estimate, widen
from ._reservation import MICRO, Reservation
from ._spend import Spend

if TYPE_CHECKING:
    from ._account import Account
    from ._memory_tree import Node

__all__ = ["Books"]

_NOTHING = Spend()


class Books(AccountBooks):
    """The half of the books that keeps calls."""

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
        lease: float = LEASE,
    ) -> Reservation:
        """See `Ledger.reserve`."""
        check_lease(lease)
        with self._lock:
            node = self.nodes.get(account) or self._node(account)
            now = round(self._clock() * MICRO)  # as `_time` does, without its call: this is the hot path
            if now >= self._soonest or node.rolls:
                now = self._time(node)
            found = None if id is None else node.calls.get(id)
            if found is not None and found in self.open_calls:
                return self._reenter(node, found, asked, now, keep=keep, final=final, lease=lease)
            if found is not None and not (again or found.released):
                return found
            if keep is None and not final:
                time_left = admit(node, asked, now)
            else:
                time_left = admit_beside(node, asked, now, keep=keep, final=final)
            name = f"{self._prefix}{next(self._numbers)}" if id is None else id
            expires = now + round(lease * MICRO)
            call = Reservation(name, account, label, asked, 1, time_left, None, _NOTHING, expires / MICRO)
            if id is not None:
                _file(node, call, found)
            self._begin(node, call, now, expires)
            return call

    def renew(self, reservation: Reservation, *, lease: float = LEASE) -> None:
        """See `Ledger.renew`."""
        check_lease(lease)
        with self._lock:
            node = self._node(reservation.account)
            now = self._time(node)
            call = reservation if reservation.presence else self._known(node, reservation)
            if call is not None and call in self.open_calls and not call.paused:
                call.expires = max(call.expires, (now + round(lease * MICRO)) / MICRO)

    def settle(self, reservation: Reservation, spend: Spend | None = None) -> Reservation:
        """See `Ledger.settle`."""
        with self._lock:
            now = round(self._clock() * MICRO)  # as in `reserve`
            node = self.open_calls.get(reservation) or self._node(reservation.account)
            if now >= self._soonest or node.rolls:
                now = self._time(node)
            if reservation in self.open_calls:
                self._end(reservation, now, spend)
                return reservation
            return self._settle_found(node, self._find(node, reservation), now, spend)

    def release(self, reservation: Reservation) -> None:
        """See `Ledger.release`."""
        with self._lock:
            node = self._node(reservation.account)
            now = self._time(node)
            call = self._find(node, reservation)
            if call in self.open_calls:
                self._end(call, now, _NOTHING)
                self.journal.pop()
                call.released = True
                node.calls.setdefault(call.id, call)  # found again by its name, should it be settled after all
            elif call.lapsed:
                self._settle_found(node, call, now, _NOTHING)

    def pause(self, reservation: Reservation, *, lease: float = WEEK) -> None:
        """See `Ledger.pause`."""
        check_lease(lease)
        with self._lock:
            node = self._node(reservation.account)
            now = self._time(node)
            call = self._find(node, reservation)
            if call in self.open_calls and not call.paused:
                for timed in node.timed:
                    timed.watch.stop(now)
                expires = now + round(lease * MICRO)
                call.paused, call.expires = True, expires / MICRO
                self._soonest = min(self._soonest, expires)

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
            now = self._time(node)
            id = id or self._name()  # noqa: A001 - as in the protocol
            call = node.calls.get(id) or _unreserved(node, id, label)
            return self._settle_found(node, call, now, spend)

    # -- inside the lock --------------------------------------------------------------------------------------------

    def _reenter(
        self, node: Node, call: Reservation, asked: Spend, now: int, *, keep: Spend | None, final: bool, lease: float
    ) -> Reservation:
        """An open id is asked for again: hold what it asks beyond what is held, and renew the lease."""
        widen(node, call, asked, now, keep=keep, final=final)
        expires = now + round(lease * MICRO)
        if call.paused:
            call.paused, call.expires = False, expires / MICRO
            self._begin(node, call, now, expires)
        else:
            call.expires = max(call.expires, expires / MICRO)
        return call

    def _find(self, node: Node, reservation: Reservation) -> Reservation:
        """The books' own record of a call; a new one for a call not seen before."""
        known = self._known(node, reservation)
        return known or _unreserved(node, reservation.id, reservation.label, reservation.attempt)

    def _known(self, node: Node, reservation: Reservation) -> Reservation | None:
        """The books' own record of a call, also where a copy was handed in."""
        name, attempt = reservation.id, reservation.attempt
        call = node.calls.get(name)
        if call is not None:
            return call if call.attempt == attempt else node.calls.get((name, attempt))
        if reservation in self.open_calls or reservation in self.journal:
            return reservation
        key = (node.account, name, attempt)
        return next((c for c in (*self.open_calls, *self.journal) if (c.account, c.id, c.attempt) == key), None)

    def _settle_found(self, node: Node, call: Reservation, now: int, spend: Spend | None) -> Reservation:
        """Settle a call in whatever state: open, lapsed, taken back, or settled (then it stays as it is)."""
        if call in self.open_calls:
            self._end(call, now, spend)
        elif call.lapsed or call.released:
            # What lapsed was booked when it expired, and is corrected there.
            book(node, call, estimate(call.asked, spend), int(due(call)) if call.lapsed else now)
            if call.released:
                self.journal.append(call)
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
