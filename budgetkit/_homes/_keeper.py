"""The keeper: renews the leases of what this process still holds, in a thread of its own."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from .._errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._reservation import Reservation

__all__ = ["Keeper"]

_EARLY = 3
"""A lease is renewed when a third of it is over, so that two renewals may fail."""


class Keeper:
    """Renews a reservation as long as somebody in this process has it in hand.

    It holds them weakly: one that was forgotten expires into spend. The thread is started with the first and ends when
    there is nothing left to renew.

    Args:
        renew: extends a lease by so many seconds; a `LedgerError` is tried again later.
    """

    def __init__(self, renew: Callable[[Reservation, float], None]) -> None:
        """See the class."""
        self._renew = renew
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._held: WeakKeyDictionary[Reservation, tuple[float, float]] = WeakKeyDictionary()
        """By reservation: its lease, and when to renew it, in seconds of the monotonic clock."""
        self._changed = threading.Condition(threading.RLock())  # re-entrant: a settlement may run inside a collection
        self._wakes = 0.0
        self._thread: threading.Thread | None = None

    def hold(self, reservation: Reservation, lease: float) -> None:
        """Renew this until it is let go."""
        if self._process != os.getpid():
            self._begin()  # a fork has no thread, perhaps a lock that nobody opens, and holds what is its parent's
        due = time.monotonic() + lease / _EARLY
        with self._changed:
            self._held[reservation] = lease, due
            if self._thread is None or not self._thread.is_alive():
                self._wakes = due
                self._thread = threading.Thread(target=self._work, name="budgetkit-keeper", daemon=True)
                self._thread.start()
            elif due < self._wakes:
                self._changed.notify()

    def let_go(self, reservation: Reservation) -> None:
        """It is settled, released, paused or stopped."""
        if self._process != os.getpid():
            return
        with self._changed:
            self._held.pop(reservation, None)

    def let_all_go(self) -> None:
        """Nothing is renewed any more; the thread ends."""
        with self._changed:
            self._held.clear()
            self._changed.notify()

    def _work(self) -> None:
        while self._wait():
            self._prolong_late()

    def _wait(self) -> bool:
        """Until the next renewal is due; False if there is nothing to renew."""
        with self._changed:
            self._wakes = min((due for _, due in self._held.values()), default=0.0)
            if not self._held:
                self._thread = None
                return False
            self._changed.wait(max(0.0, self._wakes - time.monotonic()))
            return True

    def _prolong_late(self) -> None:
        now = time.monotonic()
        with self._changed:
            late = [(held, lease) for held, (lease, due) in self._held.items() if due <= now]
        for held, lease in late:
            self._prolong(held, lease)

    def _prolong(self, held: Reservation, lease: float) -> None:
        try:
            self._renew(held, lease)
            wait = lease / _EARLY
        except LedgerError:
            wait = lease / _EARLY**2  # the store is away for a moment: sooner than usual
        with self._changed:
            if held in self._held:
                self._held[held] = lease, time.monotonic() + wait
