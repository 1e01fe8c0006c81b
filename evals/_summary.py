"""A results file in numbers: quality and spend side by side."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, Final

from ._interval import Interval, interval
from ._run_file import read_header, read_results

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["Middle", "Summary", "summarise"]

_SCORES: Final = ("em", "f1", "recall")
_SPENT: Final = ("llm_calls", "tool_calls", "input_tokens", "output_tokens", "usd")


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
        scores: ``em``, ``f1`` and, where the suite names supporting passages, ``recall``.
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
    header, columns = read_header(path), _Columns(read_results(path))
    return Summary(
        suite=header["suite"],
        agent=header["agent"],
        model=header["model"],
        budget=header["budget"],
        n=columns.n,
        scores={name: interval(values, seed=seed) for name in _SCORES if (values := columns.values[name])},
        spend={name: columns.middle(name) for name in (*_SPENT, "seconds") if columns.values[name]},
        share_used=columns.middle("share") if columns.values["share"] else None,
        ended_early=columns.share("ended_early"),
        from_reserve=columns.share("from_reserve"),
        errors=columns.share("errors"),
        first_error=columns.first_error,
        overshoot_counted=dict(columns.over["counted"]),
        overshoot_booked=dict(columns.over["booked"]),
    )


class _Columns:
    """The numbers of a results file by name: eight bytes a question and column."""

    def __init__(self, records: Iterable[Mapping[str, Any]]) -> None:
        self.n = 0
        self.values: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))
        self.events: Counter[str] = Counter()
        self.estimated: set[str] = set()
        self.first_error: str | None = None
        self.over: dict[str, Counter[str]] = {"counted": Counter(), "booked": Counter()}
        for record in records:
            self._take(record)

    def middle(self, name: str) -> Middle:
        values = self.values[name]
        return Middle(fmean(values), median(values), len(values), estimated=name in self.estimated)

    def share(self, event: str) -> float:
        return self.events[event] / self.n if self.n else 0.0

    def _take(self, record: Mapping[str, Any]) -> None:
        self.n += 1
        for name, value in _numbers(record).items():
            if value is not None:
                self.values[name].append(value)
        for name, total in self.over.items():
            total.update(record["overshoot"][name])
        self.estimated.update(record["estimated"])
        self.events.update(_events(record))
        self.first_error = self.first_error or record["error"]


def _numbers(record: Mapping[str, Any]) -> dict[str, float | None]:
    shares = [share for share in record["share"].values() if share is not None]
    return {
        **{name: record[name] for name in (*_SCORES, "seconds")},
        **{name: record["spend"].get(name, 0) for name in _SPENT},
        "share": max(shares, default=None),
    }


def _events(record: Mapping[str, Any]) -> list[str]:
    happened = {
        "ended_early": record["ended"] is not None,
        "from_reserve": bool(record["ended"]) and record["ended"]["ended"] == "answer",
        "errors": record["error"] is not None,
    }
    return [event for event, is_so in happened.items() if is_so]
