"""A stopwatch that several users may run at the same time: time that overlaps is counted once."""

from __future__ import annotations

from typing import Final

__all__ = ["Stopwatch"]

_NANO: Final = 10**9


class Stopwatch:
    """Wall-clock time in use. Adds whole nanoseconds up, so that nothing is lost to rounding."""

    __slots__ = ("_elapsed", "_since", "_users")

    def __init__(self) -> None:
        self._elapsed = 0
        self._since = 0.0
        self._users = 0

    def start(self, now: float) -> None:
        """Begin to count, unless somebody already does."""
        if self._users == 0:
            self._since = now
        self._users += 1

    def stop(self, now: float) -> None:
        """Undo one `start`; the watch stands still after the last."""
        self._elapsed = self.nanoseconds(now)
        self._since = now
        self._users -= 1

    def nanoseconds(self, now: float) -> int:
        """Time in use so far."""
        return self._elapsed + (round((now - self._since) * _NANO) if self._users else 0)
