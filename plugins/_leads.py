"""Which searches are worth trying next, by words alone: the names that the evidence leads to, and what is missing.

A name is promising if the passage and the sentence that have it have much of the question, if the question's own words
stand right beside it, and if a page is known to be called like it.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from ._found import Found
from ._evidence import Evidence
from ._reading import Mention, Titles, mentions, phrase, read, roots
from ._words import Passage, content_terms, is_about, is_origin, question_names, split_words

__all__ = ["Lead", "leads"]

_MISSING = 0.8  # a name in the question that nothing found is about
_REST = 0.1  # the words of the question that nothing found has
_NAMED = 0.4  # the name stands in a passage that the question names
_PASSAGE = 0.2  # the share of the question that the passage has
_SENTENCE = 0.5  # the share that the sentence has, over the passage's name
_NEAR = 0.3  # the share that stands right beside the name
_RANK = 0.1  # how well the passage was ranked
_TITLE = 0.2  # a page is known to be called like it
_LONG = 0.1  # more than one word: rarely something general


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
        found: What the searches so far found, in their order.
        names: The titles of the pages that can be found, if they are known; pass one frozenset for all calls, so that
            it is taken apart once.
    """
    if not found:
        return [Lead(question, 1.0), *(Lead(name, _MISSING, name) for name in question_names(question))]
    evidence = Evidence.of(question, found)
    titles = Titles.of(frozenset(names))
    best = dict[str, Lead]()
    for lead in (*_missing(question, evidence), *_links(question, evidence, found, titles), *_rest(question, evidence)):
        key = phrase(lead.query)
        if key not in best or lead.gain > best[key].gain:
            best[key] = lead
    done = {phrase(result.query) for result in found}
    return sorted((lead for key, lead in best.items() if key not in done), key=lambda lead: -lead.gain)


def _missing(question: str, evidence: Evidence) -> Iterator[Lead]:
    """Names in the question that no passage is about."""
    for name in question_names(question):
        terms = content_terms(name)
        if (
            terms
            and not is_origin(name)
            and not any(
                terms <= content_terms(passage.title) or is_about(passage, name) for passage in evidence.readings
            )
        ):
            yield Lead(name, _MISSING, name)


def _links(question: str, evidence: Evidence, found: Sequence[Found], titles: Titles) -> Iterator[Lead]:
    """Names in the passages that are neither in the question nor found yet, with the words that their passage lacks."""
    known = {reading.phrase for reading in evidence.readings.values()}
    asked = frozenset(evidence.weights)
    met = frozenset[str]().union(*(r.name for p, r in evidence.readings.items() if evidence.asks_for(p)))
    for passage, source in _first_places(found).items():
        reading = read(passage)
        worth = _worth(passage, evidence)
        lacks = _in_question(question, asked - reading.roots - met)
        for sentence, found_here in zip(reading.sentences, mentions(passage, titles), strict=True):
            here = worth + _SENTENCE * evidence.has(sentence.roots - reading.name)
            for mention in found_here:
                if mention.phrase not in known and not mention.roots <= asked:
                    gain = min(1.0, here + _promise(mention, evidence))
                    yield Lead(f"{mention.name} {lacks}".strip(), gain, mention.name, source)


def _first_places(found: Sequence[Found]) -> dict[Passage, int]:
    """The result that first had each passage."""
    places = dict[Passage, int]()
    for source, result in enumerate(found):
        for passage in result.passages:
            places.setdefault(passage, source)
    return places


def _worth(passage: Passage, evidence: Evidence) -> float:
    """What a name gains from the passage that it stands in."""
    reading = evidence.readings[passage]
    named = _NAMED * evidence.asks_for(passage)
    return named + _PASSAGE * evidence.has(reading.roots) + _RANK * evidence.ranked[passage]


def _promise(mention: Mention, evidence: Evidence) -> float:
    """What a name gains from how it is written and what stands beside it."""
    near = evidence.has(mention.near)
    return _NEAR * near + _TITLE * mention.is_title + _LONG * (" " in mention.phrase)


def _rest(question: str, evidence: Evidence) -> Iterator[Lead]:
    """The words of the question that nothing found has."""
    have = frozenset[str]().union(*(reading.roots for reading in evidence.readings.values()))
    if words := _in_question(question, frozenset(evidence.weights) - have):
        yield Lead(words, _REST)


def _in_question(question: str, wanted: frozenset[str]) -> str:
    """The question's words that have some roots, in order."""
    return " ".join(word for word in dict.fromkeys(split_words(question)) if roots(word) & wanted)
