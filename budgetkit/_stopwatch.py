"""A stopwatch that several users may run at the same time: time that overlaps is counted once."""

from __future__ import annotations

__all__ = ["Stopwatch"]


class Stopwatch:
    """Wall-clock time in use, in whole microseconds. A clock that is set back counts as standing still."""

    __slots__ = ("elapsed", "since", "users")

    def __init__(self, elapsed: int = 0, since: int = 0, users: int = 0) -> None:
        self.elapsed = elapsed
        self.since = since
        self.users = users

    def start(self, now: int) -> None:
        """Begin to count, unless somebody already does."""
        if self.users == 0:
            self.since = now
        self.users += 1

    def stop(self, now: int) -> None:
        """Undo one `start`; the watch stands still after the last."""
        self.elapsed = self.read(now)
        self.since = max(now, self.since)
        self.users -= 1

    def read(self, now: int) -> int:
        """Microseconds in use so far."""
        return self.elapsed + (max(0, now - self.since) if self.users else 0)

    def begin_anew(self, at: int) -> None:
        """Forget what was counted before ``at``."""
        self.elapsed = 0
        self.since = max(at, self.since)
