"""Turns: so many at a time, and who has waited longest is next."""

from __future__ import annotations

import threading
from collections import deque
from typing import final

__all__ = ["Turns"]


@final
class Turns:
    """A semaphore for threads that nobody jumps: a turn that ends is handed to the one who has waited longest."""

    def __init__(self, at_a_time: int) -> None:
        self._free = at_a_time
        self._lock = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()

    def take(self, timeout: float) -> bool:
        """Wait for a turn; False if none came in ``timeout`` seconds."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            gate = threading.Lock()
            gate.acquire()
            self._waiting.append(gate)
        got = False
        try:
            got = gate.acquire(timeout=max(0.0, timeout))
        finally:
            late = not got and not self._withdraw(gate)
            if late:  # it was handed over in the very moment
                self.give()
        return got

    def give(self) -> None:
        """End a turn."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1

    def _withdraw(self, gate: threading.Lock) -> bool:
        with self._lock:
            if gate in self._waiting:
                self._waiting.remove(gate)
                return True
            return False
