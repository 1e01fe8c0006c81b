"""What a question asks for, by its words alone: one fact, a comparison, or a chain of facts.

A guess from patterns of English. It costs nothing, and it is wrong about one question in six.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .._extract import AnswerKind, answer_kind
from .._words import question_names

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["Cues", "cues", "open_hops"]

_MOST: Final = 4
"""Facts that the longest chains take (MuSiQue, arXiv 2108.00573)."""
_READ: Final = 500
"""Characters that are read: a longer text is a task rather than a question."""
_LONG: Final = 14
"""Words that a question about one fact rarely has more of."""
_BOTH: Final = re.compile(r"\b(?:both|same|share|in common|than)\b|\band\b.*,? (?:are|were)\b", re.IGNORECASE)
_FIRST: Final = re.compile(r"\b(?:first|older|oldest|earlier|earliest|elder)\b", re.IGNORECASE)
_LAST: Final = re.compile(r"\b(?:younger|youngest|later|latest|newer|newest)\b", re.IGNORECASE)
_EITHER: Final = re.compile(r"\b(?:or|out of)\b")
_ATTRIBUTE: Final = "birth|death|burial|origin|citizenship|residence|establishment|years|mountains"
_OPENING: Final = re.compile(r"^(?:in|on|at|to|from|of|for|by|with) (?=which|what|whom)", re.IGNORECASE)
_LINKS: Final = (
    re.compile(rf"\b(?!name\b)[a-z]+ of (?!(?:{_ATTRIBUTE})\b)"),  # the director of
    re.compile(r"\w(?:[\u2019']s|s[\u2019]) +[a-z]"),  # Alpha's father
    re.compile(r"(?<=[a-z\d,] )(?:who|whom|whose|that|where|(?:in )?which)\b(?= [^?])"),  # the city where
    re.compile(r"\b(?:largest|longest|highest|tallest|oldest|biggest|(?:most|second|third) [a-z]+)\b"),
)
_ASKS: Final = re.compile(r"(?:when|where|how|why|in|on|at|from|to|(?:what|which) [a-z]+)\b", re.IGNORECASE)
_AUXILIARY: Final = re.compile(r"\b(?:was|were|did|does|is|are|has)\b.*\w\)?\?*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Cues:
    """What the words of a question say about the way to its answer.

    Attributes:
        hops: facts that it takes, as a guess: 1 to 4.
        comparison: it compares two things.
        ambiguous: it has words for both ends of an order, so that it is open which one is asked for.
    """

    hops: int
    comparison: bool = False
    ambiguous: bool = False

    @property
    def compositional(self) -> bool:
        """Whether it takes more than one fact; if not, it is simple."""
        return self.hops > 1


def cues(question: str) -> Cues:
    """Read the cues of a question in English."""
    question = question[:_READ]
    comparison = _compares(question)
    chain = _chain(question)
    ambiguous = bool(_FIRST.search(question) and _LAST.search(question))
    return Cues(min(_MOST, 2 * chain) if comparison else chain, comparison, ambiguous)


def open_hops(question: str, resolved: Collection[object] = ()) -> int:
    """How many facts are still missing once so many steps have each brought one."""
    return max(0, cues(question).hops - len(resolved))


def _compares(question: str) -> bool:
    """Two names, and a word that sets them side by side."""
    if answer_kind(question) is AnswerKind.CHOICE:
        return True
    ordered = _EITHER.search(question) and (_FIRST.search(question) or _LAST.search(question))
    return len(question_names(question)) > 1 and bool(_BOTH.search(question) or ordered)


def _chain(question: str) -> int:
    """Links from fact to fact, and what is asked of the one that they lead to: when was it founded."""
    rest = _OPENING.sub("", question)
    links = sum(len(pattern.findall(rest)) for pattern in _LINKS)
    asks = _ASKS.match(question)
    further = bool(asks and _AUXILIARY.search(question, asks.end()))
    return max(1, min(_MOST, links + further + (len(question.split()) > _LONG)))
