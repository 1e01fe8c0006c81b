"""A mean over questions with its bootstrap confidence interval, and the paired difference of two runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.stats import bootstrap

from ._run_file import read_header, read_results

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["Interval", "interval", "paired"]

_SCORES: Final = ("em", "f1", "recall", "seconds")
_RESAMPLES: Final = 2_000
_CELLS: Final = 2_000_000  # resampled values held at a time: 16 MB, however many questions


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over ``n`` questions with the bounds of its 95 % interval."""

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def interval(values: Sequence[float], *, seed: int = 0) -> Interval:
    """Mean and 95 % percentile bootstrap interval over questions (Efron, 1979; 2,000 resamples, seeded).

    Raises:
        ValueError: there are no values.
    """
    if not len(values):
        raise ValueError("an interval needs at least one value")
    data = np.sort(np.asarray(values, dtype=np.float64))  # questions end in any order: the interval must not tell
    mean = float(data.mean())
    if np.ptp(data) == 0:
        return Interval(mean, mean, mean, len(data))
    batch = max(1, _CELLS // len(data))
    rng = np.random.default_rng(seed)
    drawn = bootstrap((data,), np.mean, n_resamples=_RESAMPLES, batch=batch, method="percentile", rng=rng)
    return Interval(mean, float(drawn.confidence_interval.low), float(drawn.confidence_interval.high), len(data))


def paired(a: Path, b: Path, metric: str, *, seed: int = 0) -> Interval:
    """The mean of ``b`` minus ``a`` over the questions that both runs asked, with its bootstrap interval.

    Args:
        a: a results file.
        b: another one over the same questions.
        metric: a score (``em``, ``f1``, ``recall``), ``seconds``, or a resource of the spend (``tool_calls``).
        seed: of the bootstrap.

    Raises:
        ValueError: the runs are of different questions, or no question of both has a value.
    """
    if read_header(a)["data"] != read_header(b)["data"]:
        raise ValueError(f"{str(a)!r} and {str(b)!r} were measured on different data: a pair needs the same questions")
    before, after = _values(a, metric), _values(b, metric)
    both = [name for name in before if name in after]
    if not both:
        raise ValueError(f"no question has a value of {metric!r} in both {str(a)!r} and {str(b)!r}")
    return interval([after[name] - before[name] for name in both], seed=seed)


def _values(path: Path, metric: str) -> dict[str, float]:
    found = ((record["id"], _value(record, metric)) for record in read_results(path))
    return {name: float(value) for name, value in found if value is not None}


def _value(record: Mapping[str, Any], metric: str) -> float | None:
    """A score, else an amount of the spend: a resource that was not touched is not listed there."""
    value: float | None = record[metric] if metric in _SCORES else record["spend"].get(metric, 0)
    return value
