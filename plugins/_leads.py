"""Which searches are worth trying next, by words alone: the names that the evidence leads to, and what is missing.

A name is promising if the question names the passage that has it, if the passage and the sentence have much of the
question, if the question's own words stand right beside it, and if a page is known to be called like it. It is
searched for together with the words of the question that its passage leaves open.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from ._evidence import Evidence, Page
from ._found import Found
from ._reading import Mention, Titles, mentions, phrase, roots
from ._words import Passage, content_terms, is_about, is_origin, question_names, split_words

__all__ = ["Lead", "leads"]

# What speaks for a name; together less than 1, so that every gain is one.
_ASKED_FOR = 0.2  # the question names the passage that it stands in
_PASSAGE = 0.1  # the share of the question that the passage has
_SENTENCE = 0.25  # the share that its sentence has, over the passage's name
_NEAR = 0.15  # the share that stands right beside it
_RANK = 0.05  # how high the passage was ranked
_TITLE = 0.1  # a page is known to be called like it
_LONG = 0.05  # more than one word: rarely something general
# What speaks for a search that no passage led to.
_MISSING = 0.4  # a name in the question that nothing found is about
_REST = 0.05  # the words of the question that nothing found has
_PAGES = 20  # names are read off the best pages; behind so many none comes to the top


@dataclass(frozen=True, slots=True)
class Lead:
    """One search worth trying.

    Attributes:
        query: what to search for.
        gain: what it may bring, from 0 to 1; comparable over passages and over steps.
        about: the name it is about, if any.
        source: which result of ``found`` it came from; -1 is the question.
    """

    query: str
    gain: float
    about: str = ""
    source: int = -1


def leads(question: str, found: Sequence[Found], *, names: Collection[str] = ()) -> list[Lead]:
    """List the searches worth trying next, best first; none that was done already.

    Args:
        question: The question, in English.
        found: What the searches so far found, in their order. Before the first, the question itself comes first.
        names: The titles of the pages that can be found, if they are known. A frozenset is quickest.
    """
    if not found:
        return [Lead(question, 1.0), *(Lead(name, _MISSING, name) for name in question_names(question))]
    evidence = Evidence.of(question, found)
    titles = Titles.of(frozenset(names))
    listed = (*_missing(question, evidence), *_links(question, evidence, titles), *_rest(question, evidence))
    return _best_first(listed, {phrase(result.query) for result in found})


def _best_first(listed: Iterable[tuple[str, Lead]], done: set[str]) -> list[Lead]:
    """Each search once, at its best."""
    best = dict[str, Lead]()
    for key, lead in listed:
        if key not in done and (key not in best or lead.gain > best[key].gain):
            best[key] = lead
    return sorted(best.values(), key=lambda lead: -lead.gain)


def _missing(question: str, evidence: Evidence) -> Iterator[tuple[str, Lead]]:
    """Names in the question that no passage is about."""
    for name in question_names(question):
        if not is_origin(name) and not any(_is_page_of(page.passage, name) for page in evidence.pages):
            yield phrase(name), Lead(name, _MISSING, name)


def _is_page_of(passage: Passage, name: str) -> bool:
    return content_terms(name) <= content_terms(passage.title) or is_about(passage, name)


def _links(question: str, evidence: Evidence, titles: Titles) -> Iterator[tuple[str, Lead]]:
    """Names in the passages that are neither in the question nor found yet."""
    known = {page.reading.phrase for page in evidence.pages}
    asked = _Asked(question)
    met = frozenset[str]().union(*(page.reading.name for page in evidence.pages if page.asked_for))
    for page in sorted(evidence.pages, key=partial(_worth, evidence), reverse=True)[:_PAGES]:
        lacks = asked.words(asked.roots - page.reading.roots - met)
        for name, gain in _gains(page, evidence, titles):
            if name.phrase not in known and not name.roots <= asked.roots:
                key = f"{name.phrase} {lacks}".strip()
                yield key, Lead(f"{name.name} {lacks}".strip(), gain, name.name, page.source)


def _gains(page: Page, evidence: Evidence, titles: Titles) -> Iterator[tuple[Mention, float]]:
    """What every name on a page may bring."""
    reading = page.reading
    worth = _worth(evidence, page)
    for sentence, named in zip(reading.sentences, mentions(page.passage, titles), strict=True):
        here = worth + _SENTENCE * evidence.has(sentence.roots - reading.name)
        for name in named:
            written = _TITLE * name.is_title + _LONG * (" " in name.phrase)
            yield name, here + _NEAR * evidence.has(name.near) + written


def _worth(evidence: Evidence, page: Page) -> float:
    """What a name gains from the page that it stands on."""
    return _ASKED_FOR * page.asked_for + _PASSAGE * evidence.has(page.reading.roots) + _RANK * page.ranked


def _rest(question: str, evidence: Evidence) -> Iterator[tuple[str, Lead]]:
    """The words of the question that nothing found has."""
    asked = _Asked(question)
    if words := asked.words(asked.roots.difference(*(page.reading.roots for page in evidence.pages))):
        yield words, Lead(words, _REST)


class _Asked:
    """The words of a question with their roots."""

    def __init__(self, question: str) -> None:
        self.roots = roots(question)
        self._words = [(word, roots(word)) for word in dict.fromkeys(split_words(question))]

    def words(self, wanted: frozenset[str]) -> str:
        """The question's words that have some roots, in order."""
        return " ".join(word for word, root in self._words if not root.isdisjoint(wanted))
