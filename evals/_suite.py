"""What a suite is: questions with accepted answers, and the corpus that they are to be answered from."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ._corpus import Corpus
from ._records import read, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["Question", "Suite"]

_NOT_WORD: Final = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a suite.

    Attributes:
        id: unique in its suite.
        text: the question as it stands.
        answers: every accepted answer; at least one.
        supporting_titles: titles of the passages that hold the evidence; empty if the suite does not know them.
        type: the suite's own class of question, such as ``bridge``.
        qkey: a hash of the normalised question, equal in every file that holds it.
    """

    id: str
    text: str
    answers: tuple[str, ...]
    supporting_titles: tuple[str, ...] = ()
    type: str = ""
    qkey: str = ""

    @classmethod
    def parse(cls, record: Mapping[str, Any]) -> Question:
        """A question from a data record; its context passages are left where they are, to keep memory flat.

        Raises:
            KeyError, TypeError, ValueError: a field is missing, of the wrong type, or empty.
        """
        text = str(record["question"])
        answers = _strings(record, "answers")
        if not answers:
            raise ValueError("'answers' is empty: a question needs at least one accepted answer")
        return cls(
            id=str(record["id"]),
            text=text,
            answers=answers,
            supporting_titles=_strings(record, "supporting_titles", ()),
            type=str(record.get("type", "")),
            qkey=str(record.get("qkey") or _qkey(text)),
        )


@dataclass(frozen=True, slots=True)
class Suite:
    """Questions, their corpus, and where both come from.

    Attributes:
        name: as ``budgetkit eval`` takes it.
        citation: the paper, and what its questions are like.
        questions: the ``.jsonl`` or ``.jsonl.gz`` file of the questions.
        corpus: the same of the passages.
        prompt: the user message; ``{question}`` stands for the question.
    """

    name: str
    citation: str
    questions: Path
    corpus: Path
    prompt: str = "{question}"

    def read(self) -> Iterator[Question]:
        """The questions in file order, one at a time.

        Raises:
            DataError: the file is missing, or a line is broken.
        """
        return read(self.questions, Question.parse)

    def load_corpus(self) -> Corpus:
        """The passages, indexed for search.

        Raises:
            DataError: the file is missing, or a line is broken.
        """
        return Corpus.load(self.corpus)

    def checksums(self) -> dict[str, str]:
        """SHA-256 of both files: what a run was measured on."""
        return {"questions": sha256(self.questions), "corpus": sha256(self.corpus)}


_REQUIRED: Final = object()


def _strings(record: Mapping[str, Any], field: str, default: object = _REQUIRED) -> tuple[str, ...]:
    values = record[field] if default is _REQUIRED else record.get(field, default)
    if not isinstance(values, (list, tuple)):
        raise TypeError(f"{field!r} must be a list of strings, not {type(values).__name__}")
    return tuple(str(value) for value in values)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # JSON


def _qkey(text: str) -> str:
    words = " ".join(_NOT_WORD.sub(" ", text.lower()).split())
    return hashlib.sha256(words.encode()).hexdigest()[:16]
