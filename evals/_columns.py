"""A results file as columns: a number a question, eight bytes each."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from math import nan
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ._run_file import read_header, read_results

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["SCORES", "SPENT", "Columns", "score_or_spend"]

SCORES: Final = ("em", "f1", "recall", "kept_recall")
SPENT: Final = ("llm_calls", "tool_calls", "input_tokens", "output_tokens", "total_tokens", "usd")

_OWN_FIELDS: Final = (*SCORES, "seconds")


class Columns:
    """The numbers of a run by name; what is unknown is NaN, never 0.

    Attributes:
        header: what the run is.
        ids: the questions, in the order in which they ended.
        estimated: resources of which some amount is an estimate.
        first_error: what the first question says that the agent failed on.
        over: what was used over the limits, by the tools' own count and by the books, summed.
    """

    def __init__(self, header: Mapping[str, Any], records: Iterable[Mapping[str, Any]]) -> None:
        self.header = header
        self.ids: list[str] = []
        self.estimated: set[str] = set()
        self.first_error: str | None = None
        self.over: dict[str, Counter[str]] = {"counted": Counter(), "booked": Counter()}
        self._values: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))
        for record in records:
            self._take(record)

    @classmethod
    def read(cls, path: Path) -> Columns:
        """The columns of a results file, read line by line.

        Raises:
            DataError: the file is missing or broken.
        """
        return cls(read_header(path), read_results(path))

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """A column: a score, an event, an amount of the spend, ``seconds``, or ``share``, the fullest limit's."""
        return np.frombuffer(self._values[name]) if self.ids else np.empty(0)

    def known(self, name: str) -> NDArray[np.float64]:
        """The same without the questions of which it is unknown."""
        column = self[name]
        return column[~np.isnan(column)]

    def _take(self, record: Mapping[str, Any]) -> None:
        self.ids.append(str(record["id"]))
        for name, value in _numbers(record).items():
            self._values[name].append(nan if value is None else value)
        for name, total in self.over.items():
            total.update(record["overshoot"][name])
        self.estimated.update(record["estimated"])
        self.first_error = self.first_error or record["error"]


def score_or_spend(record: Mapping[str, Any], name: str) -> float | None:
    """A field of the line, else an amount of its spend: a resource that was not touched is not listed there."""
    found: float | None = record.get(name) if name in _OWN_FIELDS else record["spend"].get(name, 0)
    return found


def _numbers(record: Mapping[str, Any]) -> dict[str, float | None]:
    shares = [share for share in record["share"].values() if share is not None]
    ended = record["ended"]
    return {
        **{name: score_or_spend(record, name) for name in (*_OWN_FIELDS, *SPENT)},
        "share": max(shares, default=None),
        "ended_early": ended is not None,
        "from_reserve": bool(ended) and ended["ended"] == "answer",
        "errors": record["error"] is not None,
        "over": any(record["overshoot"].values()),
    }
