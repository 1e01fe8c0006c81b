"""A seeded order over a suite's questions that holds eight bytes a question in memory, however long they are."""

from __future__ import annotations

import json
import random
import tempfile
from array import array
from dataclasses import asdict
from typing import IO, TYPE_CHECKING, Any, Self

from ._suite import Question

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Order"]


class Order:
    """The first ``limit`` questions of the order that ``seed`` gives; a context manager.

    The order is drawn over all questions before it is cut, so that a higher limit only adds questions. The questions
    wait in a temporary file: packed data cannot be read at random.
    """

    def __init__(self, questions: Iterable[Question], *, seed: int, limit: int | None = None) -> None:
        self._spool = tempfile.TemporaryFile("w+b")  # noqa: SIM115 - closed by __exit__
        try:
            places = _spooled(self._spool, questions)
        except BaseException:
            self._spool.close()
            raise
        random.Random(seed).shuffle(places)
        self._places = places[:limit]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Question]:
        for place in self._places:
            self._spool.seek(place)
            yield Question.parse(json.loads(self._spool.readline()))


def _spooled(spool: IO[bytes], questions: Iterable[Question]) -> array[int]:
    """Write the questions down, one a line; returns where each begins."""
    places = array("Q")
    for question in questions:
        places.append(spool.tell())
        spool.write(json.dumps(_record(question)).encode() + b"\n")
    return places


def _record(question: Question) -> dict[str, Any]:
    """The question as `Question.parse` reads it."""
    fields = asdict(question)
    return {"question": fields.pop("text"), **fields}
