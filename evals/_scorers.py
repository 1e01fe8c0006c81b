"""Answer and retrieval scores, as SQuAD (Rajpurkar et al., 2016) and HotpotQA (Yang et al., 2018) define them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from budgetkit.plugins import normalise

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

__all__ = ["exact_match", "f1", "normalise", "recall"]

_CLOSED: Final = frozenset({"yes", "no", "noanswer"})


def exact_match(answer: str, accepted: Iterable[str]) -> float:
    """1.0 if the normalised answer is one of the accepted ones, else 0.0."""
    return _best(lambda left, right: float(left == right), answer, accepted)


def f1(answer: str, accepted: Iterable[str]) -> float:
    """Token F1 in [0, 1] against the accepted answer that fits best.

    HotpotQA's rule: yes, no and noanswer earn nothing by sharing a word with a longer text.
    """
    return _best(_overlap, answer, accepted)


def recall(seen: Collection[str], supporting: Iterable[str]) -> float | None:
    """The share of distinct supporting titles among those seen; None if the suite names no supporting titles."""
    gold = set(supporting)
    return len(gold.intersection(seen)) / len(gold) if gold else None


def _best(score: Callable[[str, str], float], answer: str, accepted: Iterable[str]) -> float:
    said = normalise(answer)
    return max((score(said, normalise(right)) for right in accepted), default=0.0)


def _overlap(left: str, right: str) -> float:
    if left == right:
        return 1.0
    if _CLOSED & {left, right}:
        return 0.0
    ours, theirs = left.split(), right.split()
    common = (Counter(ours) & Counter(theirs)).total()
    return 2 * common / (len(ours) + len(theirs)) if common else 0.0
