"""Which of the answers that were given is the answer."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from .._same import normalise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._tree import Given

__all__ = ["is_none", "majority", "same_answer", "told_answers"]

_NOTHING: Final = "none"
"""How a model says that it does not know (arXiv 2511.17006)."""


def told_answers(given: Sequence[Given]) -> Sequence[Given]:
    """The answers that tell something, oldest first: "None" is one only where there is no other."""
    return [answer for answer in given if not is_none(answer.text)] or given


def is_none(text: str) -> bool:
    """Whether it is no answer but the word for none."""
    return same_answer(text) == _NOTHING


def same_answer(text: str) -> str:
    """The same for two ways to write the same answer; the answer "A" is not empty."""
    return normalise(text) or text.strip().lower()


def majority(given: Sequence[Given]) -> Given:
    """The first among those that most agree with; of equals the one that was given first."""
    winner, _ = Counter(same_answer(answer.text) for answer in given).most_common(1)[0]
    return next(answer for answer in given if same_answer(answer.text) == winner)
