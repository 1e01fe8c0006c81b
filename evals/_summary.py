"""A results file in numbers: quality and spend side by side."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING

from ._columns import SCORES, SPENT, Columns
from ._estimate import Interval, interval

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Middle", "Summary", "middle", "summarise"]


@dataclass(frozen=True, slots=True)
class Middle:
    """Mean and median of one amount over the ``n`` questions of which it is known; whether any was estimated."""

    mean: float
    median: float
    n: int
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run came to. Shares are of the questions, from 0 to 1.

    Attributes:
        suite: its name.
        agent: what it was called.
        model: what it was called.
        budget: the limits of each question.
        n: questions with a line.
        scores: ``em``, ``f1`` and, where the suite names supporting passages, ``kept_recall`` (of those that went into
            the answer) and ``recall`` (of all that the agent saw).
        spend: per question, by resource; a resource of which nothing is known is not listed. ``seconds`` is wall time.
        share_used: the largest share of a limit that a question used, over questions.
        ended_early: share of questions that the budget ended.
        from_reserve: share of questions that were answered from the reserve.
        errors: share of questions on which the agent failed.
        first_error: what the first of them says.
        overshoot_counted: what was used over the limits by the tools' and the server's own counts, summed.
        overshoot_booked: the same by the ledger.
    """

    suite: str
    agent: str
    model: str
    budget: Mapping[str, float]
    n: int
    scores: Mapping[str, Interval]
    spend: Mapping[str, Middle]
    share_used: Middle | None
    ended_early: float
    from_reserve: float
    errors: float
    first_error: str | None
    overshoot_counted: Mapping[str, float]
    overshoot_booked: Mapping[str, float]


def summarise(path: Path, *, seed: int = 0) -> Summary:
    """The summary of a results file, read line by line.

    Args:
        path: the file that `run_eval` wrote.
        seed: of the bootstrap.

    Raises:
        DataError: the file is missing or broken.
    """
    columns = Columns.read(path)
    header = columns.header
    spend = {name: middle(columns, name) for name in (*SPENT, "seconds")}
    return Summary(
        suite=header["suite"],
        agent=header["agent"],
        model=header["model"],
        budget=header["budget"],
        n=len(columns),
        scores=_scores(columns, seed),
        spend={name: amount for name, amount in spend.items() if amount},
        share_used=middle(columns, "share"),
        ended_early=_share(columns, "ended_early"),
        from_reserve=_share(columns, "from_reserve"),
        errors=_share(columns, "errors"),
        first_error=columns.first_error,
        overshoot_counted=dict(columns.over["counted"]),
        overshoot_booked=dict(columns.over["booked"]),
    )


def middle(columns: Columns, name: str) -> Middle | None:
    """Mean and median of a column; None if nothing is known of it."""
    values = columns.known(name).tolist()
    return Middle(fmean(values), median(values), len(values), estimated=name in columns.estimated) if values else None


def _scores(columns: Columns, seed: int) -> dict[str, Interval]:
    known = {name: columns.known(name) for name in SCORES}
    return {name: interval(values, seed=seed) for name, values in known.items() if len(values)}


def _share(columns: Columns, event: str) -> float:
    return float(columns[event].mean()) if len(columns) else 0.0
