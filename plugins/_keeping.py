"""Which passages to keep for the answer: a small set that together has the question, not the five best one by one.

A passage is worth its best sentence's share of the question, more if the question names it, if a search ranked it
high, or if it is what a search for a name was after. Beside passages that are kept already it is worth what it adds:
the words of the question that they leave open, and how they lead to it. One passage leads to another if it names it,
or if it has the name that was searched for when the other was found; the more of the question the sentence with that
name has, the stronger. So a chain of pages is kept whole, though its last page may share no word with the question.
"""

from collections.abc import Iterator, Sequence

from ._evidence import Evidence, share
from ._found import Found
from ._reading import phrase
from ._words import Passage

__all__ = ["keep", "progress", "support"]

_ASKED_FOR = 0.15  # for each word of the name, if the question has the name
_NAME_WORDS = 3  # so many words of a name count
_RANKED = 0.4  # for a first rank, half of it for a second, and so on
_SOUGHT = 0.3  # for being what a search for a name was after
_NAMED = 0.3  # for being named in a kept passage, beside what the sentence has of the question
_SHARED = 0.3  # of what the sentence has, for sharing the name that was searched for
_AGAIN = 2.0  # more than all else: a second passage of one title comes after all first ones


def keep(question: str, found: Sequence[Found], k: int = 5) -> list[Passage]:
    """Choose the passages that an answer is written from.

    Args:
        question: The question, in English.
        found: What the searches found, in their order.
        k: How many to keep at most.

    Returns:
        The passages, best first; one of each title as long as there are others.
    """
    evidence = Evidence.of(question, found)
    return _chosen(evidence, k)


def _chosen(evidence: Evidence, k: int) -> list[Passage]:
    """Take the best passage again and again, each in the light of those taken."""
    left = _alone(evidence)
    led = dict.fromkeys(left, 0.0)
    kept = list[Passage]()
    open_weights = dict(evidence.weights)
    while left and len(kept) < k:
        best = max(left, key=lambda p: left[p] + led[p] + share(open_weights, evidence.readings[p].roots))
        del left[best]
        kept.append(best)
        for term in evidence.readings[best].roots & open_weights.keys():
            del open_weights[term]
        for passage, gain in _led_to(evidence, best, left):
            led[passage] = max(led[passage], gain)
        for passage in left:
            left[passage] -= _AGAIN * (passage.title == best.title)
    return kept


def _alone(evidence: Evidence) -> dict[Passage, float]:
    """What each passage is worth by itself."""
    sought = {p for name, passages in evidence.sought for p in passages if evidence.readings[p].phrase == name}
    return {p: _worth(evidence, p) + _SOUGHT * (p in sought) for p in evidence.readings}


def _worth(evidence: Evidence, passage: Passage) -> float:
    reading = evidence.readings[passage]
    best = max((evidence.has(sentence.roots | reading.name) for sentence in reading.sentences), default=0.0)
    words = min(_NAME_WORDS, len(reading.phrase.split())) if evidence.asks_for(passage) else 0
    return best + _RANKED * evidence.ranked[passage] + _ASKED_FOR * words


def _led_to(evidence: Evidence, start: Passage, left: dict[Passage, float]) -> Iterator[tuple[Passage, float]]:
    """Where a passage leads, and how strongly."""
    reading = evidence.readings[start]
    for passage in left:
        there = evidence.readings[passage]
        if there.name <= reading.roots and there.phrase != reading.phrase:
            strength = _strength(evidence, start, there.phrase)
            if strength is not None:
                yield passage, _NAMED + strength
    for name, passages in evidence.sought:
        strength = _strength(evidence, start, name)
        if strength is not None:
            for passage in passages:
                if passage in left and f" {name} " in evidence.readings[passage].words:
                    yield passage, _SHARED * strength


def _strength(evidence: Evidence, passage: Passage, name: str) -> float | None:
    """The most of the question that a sentence with a name has; None if there is no such sentence."""
    key = f" {name} "
    sentences = evidence.readings[passage].sentences if name else ()
    return max((evidence.has(sentence.roots) for sentence in sentences if key in sentence.words), default=None)


def progress(question: str, before: Sequence[Found], new: Found) -> int:
    """How much closer a result brought the answer, by words alone: from -4 to 4.

    Returns:
        Below 0 for a search that was done before, 0 for a result with nothing new, 1 or 2 for a useful new passage,
        3 or 4 for one that the question or the evidence led to.
    """
    if any(phrase(result.query) == phrase(new.query) for result in before):
        return -2
    known = {passage for result in before for passage in result.passages}
    evidence = Evidence.of(question, [*before, new])
    fresh = [passage for passage in _chosen(evidence, 5) if passage not in known]
    if not fresh:
        return 0
    have = frozenset[str]().union(*(evidence.readings[passage].roots for passage in known))
    gained = evidence.has(frozenset().union(*(evidence.readings[p].roots for p in fresh)) - have)
    led = any(True for old in known for _ in _led_to(evidence, old, dict.fromkeys(fresh, 0.0)))
    return min(4, 1 + round(4 * gained) + led + any(evidence.asks_for(p) for p in fresh))


def support(question: str, found: Sequence[Found]) -> float:
    """How far the kept passages together have the question, from 0 to 1."""
    evidence = Evidence.of(question, found)
    kept = _chosen(evidence, 5)
    return evidence.has(frozenset[str]().union(*(evidence.readings[p].roots for p in kept)))
