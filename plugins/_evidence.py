"""All that was found for a question, weighed by the question's words."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import fsum

from ._found import Found
from ._reading import Reading, phrase, read, roots, spelled
from ._words import Passage

__all__ = ["Evidence", "Page", "weight"]

_REMEMBERED = 64


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """A passage that was found.

    Attributes:
        passage: the passage itself.
        reading: the passage, taken apart.
        ranked: how high it was ranked at best: 1, 1/2, 1/3 ...
        source: the result that had it first.
        asked_for: whether the question has its name, word by word.
    """

    passage: Passage
    reading: Reading
    ranked: float
    source: int
    asked_for: bool


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What was found for a question, each passage once; equal only to itself, which is quick to look up.

    Attributes:
        pages: the passages in the order in which they were found.
        weights: the roots of the question, each by how few passages have it; they add up to 1.
        sought: for each search that went after a name from a passage: the name, and what was found.
    """

    pages: Sequence[Page]
    weights: Mapping[str, float]
    sought: Sequence[tuple[str, frozenset[Page]]]

    @staticmethod
    def of(question: str, found: Sequence[Found]) -> "Evidence":
        """Gather what searches found, in their order; the last few are remembered."""
        return _gathered(question, tuple(found))

    def has(self, terms: frozenset[str]) -> float:
        """The share of the question that some roots have, from 0 to 1."""
        return weight(self.weights, terms)


@lru_cache(maxsize=_REMEMBERED)
def _gathered(question: str, found: tuple[Found, ...]) -> Evidence:
    pages = {page.passage: page for page in _pages(f" {phrase(question)} ", found)}
    weights = _weights(roots(question), pages.values())
    return Evidence(tuple(pages.values()), weights, _sought(found, pages))


def weight(weights: Mapping[str, float], terms: frozenset[str]) -> float:
    """How much some roots weigh; the same in whatever order a set gives them."""
    shared = weights.keys() & terms
    return fsum([weights[term] for term in shared]) if shared else 0.0


def _pages(question: str, found: Sequence[Found]) -> list[Page]:
    """Every passage once, with its best rank and its first result."""
    best = dict[Passage, tuple[float, int]]()
    for source, result in enumerate(found):
        for rank, passage in enumerate(result.passages, start=1):
            before, first = best.get(passage, (0.0, source))
            best[passage] = max(before, 1 / rank), first
    readings = {passage: read(passage) for passage in best}
    named = {passage: bool(r.phrase) and f" {r.phrase} " in question for passage, r in readings.items()}
    return [Page(passage, readings[passage], *best[passage], named[passage]) for passage in best]


def _weights(asked: frozenset[str], pages: Iterable[Page]) -> dict[str, float]:
    """The fewer passages have a word, the more it says."""
    found = Counter(term for page in pages for term in page.reading.roots & asked)
    plain = {term: 1 / (1 + found[term]) ** 0.5 for term in sorted(asked)}
    total = fsum(plain.values())
    return {term: part / total for term, part in plain.items()}


def _sought(found: Sequence[Found], pages: Mapping[Passage, Page]) -> list[tuple[str, frozenset[Page]]]:
    """The name that each search opens with, if an earlier passage has it, and what was found."""
    known, sought = set[str](), list[tuple[str, frozenset[Page]]]()
    for before, result in pairwise(found):
        for passage in before.passages:
            known.update(*spelled(passage))
        words = phrase(result.query).split()
        openings = (" ".join(words[:size]) for size in range(len(words), 0, -1))
        name = next((opening for opening in openings if opening in known), "")
        if name:
            sought.append((name, frozenset(pages[passage] for passage in result.passages)))
    return sought
