"""Means over questions, and what chance makes of them: resamples that can be subtracted, mixed and averaged."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Estimate", "Interval", "average", "estimates", "interval"]

_RESAMPLES: Final = 2_000
_CELLS: Final = 500_000  # drawn questions held at a time: 16 MB in all, however many questions there are
_BOUNDS: Final = (0.025, 0.975)

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over ``n`` questions with the bounds of its 95 % interval."""

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """A mean over ``n`` questions, and the same mean in each resample of them.

    Two that were made together were made from the same resamples: their difference is the paired one, question by
    question.
    """

    mean: float
    resampled: NDArray[np.float64]
    n: int

    def __sub__(self, other: Estimate) -> Estimate:
        return Estimate(self.mean - other.mean, self.resampled - other.resampled, self.n)

    @property
    def interval(self) -> Interval:
        """The 95 % percentile interval (Efron, 1979)."""
        low, high = np.quantile(self.resampled, _BOUNDS)
        return Interval(self.mean, float(low), float(high), self.n)


def estimates(columns: Mapping[K, NDArray[np.float64]], *, seed: int | Sequence[int] = 0) -> dict[K, Estimate]:
    """The means of columns of equal length over the same questions, in the same order.

    Raises:
        ValueError: there are no questions.
    """
    if not columns:
        return {}
    table = np.column_stack(list(columns.values()))
    n = len(table)
    if not n:
        raise ValueError("an interval needs at least one value")
    resampled = np.concatenate([drawn @ table / n for drawn in _draws(n, seed)])
    return {key: _estimate(table[:, i], resampled[:, i]) for i, key in enumerate(columns)}


def interval(values: Sequence[float] | NDArray[np.float64], *, seed: int = 0) -> Interval:
    """Mean and 95 % percentile bootstrap interval over questions (Efron, 1979; 2,000 resamples, seeded).

    Raises:
        ValueError: there are no values.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))  # questions end in any order: the interval must not tell
    return estimates({"": ordered}, seed=seed)[""].interval


def average(parts: Sequence[Estimate]) -> Estimate:
    """The plain mean of means over different questions; each part's resamples are its own."""
    mean = float(np.mean([part.mean for part in parts]))
    return Estimate(mean, np.mean([part.resampled for part in parts], axis=0), sum(part.n for part in parts))


def _estimate(column: NDArray[np.float64], resampled: NDArray[np.float64]) -> Estimate:
    mean = float(column.mean())
    even = np.ptp(column) == 0  # without the last digit's noise
    return Estimate(mean, np.full_like(resampled, mean) if even else resampled, len(column))


def _draws(n: int, seed: int | Sequence[int]) -> Iterator[NDArray[np.float64]]:
    """How often each of ``n`` questions is drawn: a row a resample, in blocks."""
    rng = np.random.default_rng(seed)
    block = max(1, _CELLS // n)
    for start in range(0, _RESAMPLES, block):
        rows = min(block, _RESAMPLES - start)
        drawn = rng.integers(0, n, (rows, n)) + n * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)
