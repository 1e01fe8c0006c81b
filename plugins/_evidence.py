"""All that was found for a question, weighed by the question's words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ._found import Found
from ._reading import Reading, Titles, mentions, phrase, read, roots
from ._words import Passage

__all__ = ["Evidence", "share"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found for a question, each passage once.

    Attributes:
        question: the question in plain words.
        weights: the roots of the question, each by how few passages have it; they add up to 1.
        readings: the passages in the order in which they were found, taken apart.
        ranked: how high each passage was ranked at best: 1, 1/2, 1/3 ...
        sought: for each search that went after a name from a passage: the name, and what was found.
    """

    question: str
    weights: Mapping[str, float]
    readings: Mapping[Passage, Reading]
    ranked: Mapping[Passage, float]
    sought: Sequence[tuple[str, Sequence[Passage]]]

    @classmethod
    def of(cls, question: str, found: Sequence[Found]) -> "Evidence":
        """Gather what searches found, in their order."""
        ranked = dict[Passage, float]()
        for result in found:
            for rank, passage in enumerate(result.passages, start=1):
                ranked[passage] = max(ranked.get(passage, 0.0), 1 / rank)
        readings = {passage: read(passage) for passage in ranked}
        weights = _weights(roots(question), readings)
        return cls(phrase(question), weights, readings, ranked, _sought(found))

    def has(self, terms: frozenset[str]) -> float:
        """The share of the question that some roots have, from 0 to 1."""
        return share(self.weights, terms)

    def asks_for(self, passage: Passage) -> bool:
        """Whether the question has the passage's name, word by word."""
        name = self.readings[passage].phrase
        return bool(name) and f" {name} " in f" {self.question} "


def share(weights: Mapping[str, float], terms: frozenset[str]) -> float:
    """How much weight some roots have."""
    return sum(weight for term, weight in weights.items() if term in terms)


def _weights(asked: frozenset[str], readings: Mapping[Passage, Reading]) -> dict[str, float]:
    """The fewer passages have a word, the more it says."""
    found = Counter(term for reading in readings.values() for term in reading.roots & asked)
    plain = {term: 1 / (1 + found[term]) ** 0.5 for term in sorted(asked)}
    total = sum(plain.values())
    return {term: weight / total for term, weight in plain.items()}


def _sought(found: Sequence[Found]) -> list[tuple[str, Sequence[Passage]]]:
    """The name that each search opens with, if an earlier passage has it, and what was found."""
    known, sought = set[str](), list[tuple[str, Sequence[Passage]]]()
    no_titles = Titles.of(frozenset())
    for result in found:
        words = phrase(result.query).split()
        openings = (" ".join(words[:size]) for size in range(len(words), 0, -1))
        name = next((opening for opening in openings if opening in known), "")
        if name:
            sought.append((name, result.passages))
        for passage in result.passages:
            known.update(name.phrase for sentence in mentions(passage, no_titles) for name in sentence)
    return sought
