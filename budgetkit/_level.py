"""Levels: how much of a budget is left, in four words that an agent can plan with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

__all__ = ["Level", "Levels"]


class Level(StrEnum):
    """How much is left (Budget Tracker, arXiv 2511.17006, section on levels)."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Levels:
    """Where the levels begin, as shares of the limit that are left; a boundary belongs to the upper level.

    The defaults are the paper's (arXiv 2511.17006, table of levels): high from 70 %, medium from 30 %, low from 10 %,
    critical below, or as soon as any resource is at 0.

    Raises:
        ValueError: not 1 >= high >= medium >= low >= 0.
    """

    high: str | float | Decimal = "0.7"
    medium: str | float | Decimal = "0.3"
    low: str | float | Decimal = "0.1"

    def __post_init__(self) -> None:
        steps = (Fraction(1), *map(_exact, (self.high, self.medium, self.low)), Fraction(0))
        if any(upper < lower for upper, lower in pairwise(steps)):
            raise ValueError(f"{self!r} must fall: 1 >= high >= medium >= low >= 0")

    def of(self, left: int, cap: int) -> Level:
        """The level of one resource with ``left`` of ``cap`` units left; a cap of 0 was never there to plan with."""
        if cap <= 0:
            return Level.HIGH
        if left <= 0:
            return Level.CRITICAL
        if _reaches(left, cap, _exact(self.high)):
            return Level.HIGH
        if _reaches(left, cap, _exact(self.medium)):
            return Level.MEDIUM
        return Level.LOW if _reaches(left, cap, _exact(self.low)) else Level.CRITICAL


def _reaches(left: int, cap: int, share: Fraction) -> bool:
    """Whether left / cap >= share, exactly: 1 - 90/100 as a float is not 10/100."""
    return left * share.denominator >= share.numerator * cap


@lru_cache
def _exact(share: str | float | Decimal) -> Fraction:
    """The share as it was written: ``0.1`` is one tenth."""
    return Fraction(str(share))


_SEVERITY = tuple(Level)


def worst(levels: Iterable[Level]) -> Level:
    """The most severe of some levels; high when there is none."""
    return max(levels, key=_SEVERITY.index, default=Level.HIGH)
