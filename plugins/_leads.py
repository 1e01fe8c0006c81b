"""Which searches are worth trying next, by words alone: the names that the evidence leads to, and what is missing.

A name is promising if the passage and the sentence that have it have much of the question, if the question's own words
stand right beside it, and if a page is known to be called like it.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from ._found import Found
from ._keeping import Evidence, share
from ._reading import Mention, mentions, phrase, read, roots
from ._words import content_terms, is_about, is_origin, question_names, split_words

__all__ = ["Lead", "leads"]

_MISSING = 0.8  # a name in the question that nothing found is about
_REST = 0.1  # the words of the question that nothing found has
_PASSAGE = 0.35  # what share of the question the passage has
_SENTENCE = 0.2  # and the sentence
_RANK = 0.3  # how well the passage was ranked
_NEAR = 0.3  # what share of the question stands right beside the name
_TITLE = 0.25  # a page is known to be called like it
_LONG = 0.05  # more than one word: rarely something general


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
    best = dict[str, Lead]()
    for lead in (*_missing(question, evidence), *_links(evidence, found, names), *_rest(question, evidence)):
        key = phrase(lead.query)
        if key not in best or lead.gain > best[key].gain:
            best[key] = lead
    done = {phrase(result.query) for result in found}
    return sorted((lead for key, lead in best.items() if key not in done), key=lambda lead: -lead.gain)


def _missing(question: str, evidence: Evidence) -> Iterator[Lead]:
    """Names in the question that no passage is about."""
    for name in question_names(question):
        terms = content_terms(name)
        if terms and not is_origin(name) and not any(
            terms <= content_terms(passage.title) or is_about(passage, name) for passage in evidence.readings
        ):
            yield Lead(name, _MISSING, name)


def _links(evidence: Evidence, found: Sequence[Found], names: Collection[str]) -> Iterator[Lead]:
    """Names in the passages that are neither in the question nor found yet."""
    known = {reading.phrase for reading in evidence.readings.values()}
    asked = frozenset(evidence.weights)
    seen = set[str]()
    for source, result in enumerate(found):
        for passage in result.passages:
            reading = read(passage)
            worth = _PASSAGE * share(evidence.weights, reading.roots) + _RANK * evidence.worth[passage]
            for sentence, found_here in zip(reading.sentences, mentions(passage, names), strict=True):
                here = worth + _SENTENCE * share(evidence.weights, sentence.roots)
                for mention in found_here:
                    if mention.phrase not in known and not mention.roots <= asked:
                        yield Lead(mention.name, _gain(here, mention, evidence), mention.name, source)


def _gain(here: float, mention: Mention, evidence: Evidence) -> float:
    near = share(evidence.weights, mention.near)
    return min(1.0, here + _NEAR * near + _TITLE * mention.is_title + _LONG * (" " in mention.phrase))


def _rest(question: str, evidence: Evidence) -> Iterator[Lead]:
    """The words of the question that nothing found has."""
    missing = frozenset(evidence.weights).difference(*(reading.roots for reading in evidence.readings.values()))
    words = [word for word in dict.fromkeys(split_words(question)) if roots(word) & missing]
    if words:
        yield Lead(" ".join(words), _REST)
