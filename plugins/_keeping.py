"""Which passages to keep for the answer: a small set that together has the question, not the five best one by one.

A passage is worth its best sentence's share of the question, more if the question names it, if a search ranked it
high, or if it is what a search for a name was after. Beside passages that are kept already it is worth what it adds:
the words of the question that they leave open, and how they lead to it. One passage leads to another if it names it,
or if it has the name that was searched for when the other was found; the more of the question the sentence with that
name has, the stronger. So a chain of pages is kept whole, though its last page may share no word with the question.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from ._evidence import Evidence, Page, weight
from ._found import Found
from ._reading import phrase
from ._words import Passage

__all__ = ["keep", "progress", "support"]

_KEPT = 5
_REMEMBERED = 64
_REPEATED = -2
_MOST = 4
_ASKED_FOR = 0.15  # for each word of the name, if the question has the name
_NAME_WORDS = 3  # so many words of a name count
_RANKED = 0.4  # for a first rank, half of it for a second, and so on
_SOUGHT = 0.3  # for being what a search for a name was after
_NAMED = 0.3  # for being named in a kept passage, beside what the sentence has of the question
_SHARED = 0.3  # of what the sentence has, for sharing the name that was searched for
_AGAIN = 2.0  # a second passage of one title comes after all but very weak first ones; 1 and 5 measured the same


def keep(question: str, found: Sequence[Found], k: int = _KEPT) -> list[Passage]:
    """Choose the passages that an answer is written from.

    Args:
        question: The question, in English.
        found: What the searches found, in their order.
        k: How many to keep at most.

    Returns:
        The passages, best first; one of each title as long as there are others.
    """
    return [page.passage for page in _chosen(Evidence.of(question, found), k)]


def progress(question: str, before: Sequence[Found], new: Found) -> int:
    """How much closer a result brought the answer, by words alone: from -4 to 4.

    Returns:
        Below 0 for a search that was done before, 0 for a result with nothing worth keeping, 1 or 2 for a useful new
        passage, 3 or 4 for one that the question or the evidence led to.
    """
    if any(phrase(result.query) == phrase(new.query) for result in before):
        return _REPEATED
    evidence = Evidence.of(question, [*before, new])
    fresh = [page for page in _chosen(evidence, _KEPT) if page.source == len(before)]
    if not fresh:
        return 0
    known = [page for page in evidence.pages if page.source < len(before)]
    gained = evidence.has(_roots(fresh) - _roots(known))
    led = any(True for page in known for _ in _led_to(evidence, page, fresh))
    return min(_MOST, 1 + round(_MOST * gained) + led + any(page.asked_for for page in fresh))


def support(question: str, found: Sequence[Found]) -> float:
    """How far the kept passages together have the question, from 0 to 1."""
    evidence = Evidence.of(question, found)
    return evidence.has(_roots(_chosen(evidence, _KEPT)))


@lru_cache(maxsize=_REMEMBERED)
def _chosen(evidence: Evidence, k: int) -> tuple[Page, ...]:
    """Take the best page again and again, each in the light of those taken."""
    left = {page: _alone(evidence, page) for page in evidence.pages}
    led = dict.fromkeys(left, 0.0)
    chosen = list[Page]()
    still_open = dict(evidence.weights)
    while left and len(chosen) < k:
        best = max(left, key=lambda page: left[page] + led[page] + weight(still_open, page.reading.roots))
        del left[best]
        chosen.append(best)
        for root in best.reading.roots & still_open.keys():
            del still_open[root]
        for page, gain in _led_to(evidence, best, left):
            led[page] = max(led[page], gain)
        for page in left:
            left[page] -= _AGAIN * (page.passage.title == best.passage.title != "")
    return tuple(chosen)


def _alone(evidence: Evidence, page: Page) -> float:
    """What a page is worth by itself."""
    reading = page.reading
    best = max((evidence.has(sentence.roots | reading.name) for sentence in reading.sentences), default=0.0)
    named = _ASKED_FOR * min(_NAME_WORDS, len(reading.phrase.split())) * page.asked_for
    sought = any(reading.phrase == name and page in pages for name, pages in evidence.sought)
    return best + named + _RANKED * page.ranked + _SOUGHT * sought


def _led_to(evidence: Evidence, start: Page, others: Iterable[Page]) -> Iterator[tuple[Page, float]]:
    """Where a page leads, and how strongly."""
    here = start.reading
    searched = [(f" {name} ", pages) for name, pages in evidence.sought if f" {name} " in here.words]
    shared = [(name, pages, _SHARED * _told(evidence, start, name)) for name, pages in searched]
    for page in others:
        there = page.reading
        name = f" {there.phrase} "
        if there.phrase and there.name <= here.roots and there.phrase != here.phrase and name in here.words:
            yield page, _NAMED + _told(evidence, start, name)
        for name, pages, strength in shared:
            if page in pages and name in there.words:
                yield page, strength


def _told(evidence: Evidence, page: Page, name: str) -> float:
    """The most of the question that a page's sentences with a name have."""
    return max((evidence.has(s.roots) for s in page.reading.sentences if name in s.words), default=0.0)


def _roots(pages: Iterable[Page]) -> frozenset[str]:
    return frozenset[str]().union(*(page.reading.roots for page in pages))
