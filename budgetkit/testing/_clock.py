"""A clock that moves when the test says so."""

import threading


class ManualClock:
    """A monotonic clock in seconds that stands still until it is advanced.

    Hand it to whatever takes a clock: it is callable, and it is safe to read and advance from many threads.

    Args:
        start: Seconds that the clock shows at first.

    Example:
        >>> clock = ManualClock()
        >>> clock.advance(1.5)
        1.5
        >>> clock(), clock.now_ms
        (1.5, 1500)
    """

    def __init__(self, start: float = 0.0) -> None:
        self._now = float(start)
        self._lock = threading.Lock()

    def now(self) -> float:
        """Return the time in seconds."""
        with self._lock:
            return self._now

    __call__ = now

    @property
    def now_ms(self) -> int:
        """The time in whole milliseconds."""
        return round(self.now() * 1000)

    def advance(self, seconds: float) -> float:
        """Move the clock forward and return the new time in seconds.

        Raises:
            ValueError: If ``seconds`` is negative: time does not run backwards.
        """
        if seconds < 0:
            raise ValueError(f"a clock only moves forward: advance(seconds={seconds!r}) must be >= 0")
        with self._lock:
            self._now += seconds
            return self._now
