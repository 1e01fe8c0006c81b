"""Which passages to keep for the answer: a small set that together has the question, not the five best one by one.

A passage is worth its best sentence's share of the question, more if the question names it or a search ranked it
first. Beside passages that are kept already it is worth what it adds: the words of the question that they leave open,
and that one of them names it, the more so in a sentence that has much of the question. So a chain of pages that lead
to each other is kept whole, though its last page may share no word with the question.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ._found import Found
from ._reading import Reading, phrase, read, roots
from ._words import Passage

__all__ = ["Evidence", "keep", "progress", "share", "support"]

_NAMED = 0.1  # for each word of a passage's name that stands in the question, up to three
_NAME_WORDS = 3
_RANKED = 0.3  # for a first rank, a half for a second, and so on
_ASKED = 0.2  # the same again where the search was the question itself
_LINKED = 0.3  # for being named in a kept passage; the share of the question that its sentence has comes on top
_AGAIN = 2.0  # a second passage of one title comes after all first ones


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found for a question, each passage once.

    Attributes:
        question: the question as a phrase.
        weights: the roots of the question, each by how few passages have it; they add up to 1.
        readings: the passages in the order in which they were found, taken apart.
        worth: how well each passage was ranked, from 0 to 1/2.
    """

    question: str
    weights: Mapping[str, float]
    readings: Mapping[Passage, Reading]
    worth: Mapping[Passage, float]

    @classmethod
    def of(cls, question: str, found: Sequence[Found]) -> "Evidence":
        """Gather what searches found."""
        worth = dict[Passage, float]()
        asked = phrase(question)
        for result in found:
            first = _RANKED + _ASKED * (phrase(result.query) == asked)
            for rank, passage in enumerate(result.passages, start=1):
                worth[passage] = max(worth.get(passage, 0.0), first / rank)
        readings = {passage: read(passage) for passage in worth}
        return cls(asked, _weights(roots(question), readings), readings, worth)

    def names(self, reading: Reading) -> bool:
        """Whether the question has the passage's name, word by word."""
        return bool(reading.phrase) and f" {reading.phrase} " in f" {self.question} "

    def score(self, passage: Passage) -> float:
        """What a passage is worth by itself."""
        reading = self.readings[passage]
        named = _NAMED * min(_NAME_WORDS, len(reading.phrase.split())) if self.names(reading) else 0.0
        best = max((share(self.weights, s.roots | reading.name) for s in reading.sentences), default=0.0)
        return best + named + self.worth[passage]

    def link(self, passage: Passage, other: Passage) -> float:
        """What it is worth that one passage names another: 0 if it does not."""
        reading, name = self.readings[passage], self.readings[other]
        if not name.name <= reading.roots or not name.phrase or name.phrase == reading.phrase:
            return 0.0
        key = f" {name.phrase} "
        return max((_LINKED + share(self.weights, s.roots) for s in reading.sentences if key in s.words), default=0.0)


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
    left = {passage: evidence.score(passage) for passage in evidence.readings}
    linked = dict.fromkeys(left, 0.0)
    kept = list[Passage]()
    have = frozenset[str]()
    while left and len(kept) < k:
        weights = {term: weight for term, weight in evidence.weights.items() if term not in have}
        best = max(left, key=lambda p: left[p] + linked[p] + share(weights, evidence.readings[p].roots))
        del left[best]
        kept.append(best)
        have |= evidence.readings[best].roots
        for passage in left:
            linked[passage] = max(linked[passage], evidence.link(best, passage))
            left[passage] -= _AGAIN * (passage.title == best.title)
    return kept


def share(weights: Mapping[str, float], terms: frozenset[str]) -> float:
    """The weight of the question that some roots have."""
    return sum(weight for term, weight in weights.items() if term in terms)


def progress(question: str, before: Sequence[Found], new: Found) -> int:
    """How much closer a result brought the answer, by words alone: from -4 to 4.

    Returns:
        Below 0 for a search that was done before, 0 for a result with nothing new, 1 or 2 for a useful new passage,
        3 or 4 for one that the question or the evidence led to.
    """
    if any(phrase(result.query) == phrase(new.query) for result in before):
        return -2
    known = {passage for result in before for passage in result.passages}
    fresh = [passage for passage in keep(question, [*before, new]) if passage not in known]
    if not fresh:
        return 0
    evidence = Evidence.of(question, [*before, new])
    have = frozenset[str]().union(*(evidence.readings[passage].roots for passage in known))
    gained = share(evidence.weights, frozenset().union(*(evidence.readings[p].roots for p in fresh)) - have)
    led = max((evidence.link(old, p) for old in known for p in fresh), default=0.0)
    return min(4, 1 + round(4 * gained) + (led > 0) + any(evidence.names(evidence.readings[p]) for p in fresh))


def support(question: str, found: Sequence[Found]) -> float:
    """How far the kept passages together hold the question, from 0 to 1."""
    evidence = Evidence.of(question, found)
    kept = keep(question, found)
    return share(evidence.weights, frozenset[str]().union(*(evidence.readings[p].roots for p in kept)))


def _weights(asked: frozenset[str], readings: Mapping[Passage, Reading]) -> dict[str, float]:
    """The fewer passages have a word, the more it says."""
    found = Counter(term for reading in readings.values() for term in reading.roots & asked)
    plain = {term: 1 / (1 + found[term]) ** 0.5 for term in sorted(asked)}
    total = sum(plain.values())
    return {term: weight / total for term, weight in plain.items()}
