"""The paired difference of two runs, question by question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._columns import score_or_spend
from ._estimate import Interval, interval
from ._run_file import read_header, read_results

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["paired"]


def paired(a: Path, b: Path, metric: str, *, seed: int = 0) -> Interval:
    """The mean of ``b`` minus ``a`` over the questions that both runs asked, with its bootstrap interval.

    Args:
        a: a results file.
        b: another one over the same questions.
        metric: a score (``em``, ``f1``, ``recall``, ``kept_recall``), ``seconds``, or a resource of the spend
            (``tool_calls``).
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
    found = ((record["id"], score_or_spend(record, metric)) for record in read_results(path))
    return {name: float(value) for name, value in found if value is not None}
