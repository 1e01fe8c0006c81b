"""Which spends of an account with a window still count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._window import SLICES, Window

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Rolling"]


class Rolling:
    """A window at one moment; times in microseconds.

    Attributes:
        window: its kind and length.
        start: what was booked before this does not count.
        end: of a calendar window: when the next begins; 0 for a sliding one.
        slices: of a sliding window: what was booked in each slice, by the slice's start and the resource.
    """

    __slots__ = ("end", "slices", "start", "window")

    def __init__(self, window: Window, start: int = 0, end: int = 0) -> None:
        self.window = window
        self.start = start
        self.end = end
        self.slices: dict[int, dict[str, int]] = {}

    def roll(self, now: int, spent: Mapping[str, int]) -> Mapping[str, int]:
        """Move on to ``now``; returns how much of ``spent`` counts no longer."""
        if self.window.kind == "sliding":
            self.start = max(self.start, (now // self.window.slice - SLICES) * self.window.slice)
            return self._forget()
        if now < self.end:
            return {}
        self.start, self.end = self.window.bounds(now)
        return spent

    def _forget(self) -> dict[str, int]:
        gone: dict[str, int] = {}
        for at in [at for at in self.slices if at < self.start]:
            for name, n in self.slices.pop(at).items():
                gone[name] = gone.get(name, 0) + n
        return gone

    def counts(self, at: int) -> bool:
        """Whether what is booked at ``at`` counts."""
        return at >= self.start

    def book(self, name: str, n: int, at: int) -> None:
        """Remember when ``n`` more (or, corrected, less) were spent."""
        if self.window.kind == "sliding":
            part = self.slices.setdefault(at - at % self.window.slice, {})
            part[name] = part.get(name, 0) + n
