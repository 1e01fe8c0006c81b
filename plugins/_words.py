"""Reading with words alone: terms, names, passages, and which name to look up next.

No model, no statistics of a corpus, no list of answers: regular expressions and counting. It is honest and weak;
it is here so that everything runs without a key, and as the floor that a real model is measured against.
"""

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

__all__ = [
    "STOP_WORDS",
    "Passage",
    "content_terms",
    "coverage",
    "is_about",
    "is_origin",
    "name_spans",
    "next_queries",
    "question_names",
    "read_passages",
    "split_sentences",
    "split_words",
    "term_weights",
    "uncovered_terms",
]

_SMALL = """
    a about after all also am an and another any are as at based be became because been before being between both
    but by called can could did do does doing during each either following for from had has have he her here hers
    him his how i if in including into is it its itself just known like made many may me more most much my name
    named no nor not of off on once one only or other our out over own part per same she should since so some such
    than that the their them then there these they this those though through to too under until up upon us used
    using very was we were what when where which while who whom whose why will with within without would you your
"""
_CALENDAR = """
    january february march april may june july august september october november december
    monday tuesday wednesday thursday friday saturday sunday
"""
STOP_WORDS = frozenset(_SMALL.split())
"""English words that say nothing about a subject."""

_DATES = frozenset(_CALENDAR.split())
_UPPER = "A-ZÀ-ÖØ-ÞČĐŁŚŞŠŽ"
_NAME = rf"(?:(?:[{_UPPER}]\.)+|(?:St|Dr|Mr|Mrs|Ms|Jr|Sr|Mt)\.|[{_UPPER}][\w\u2019'-]*|&)"
_LINK = r"(?:(?:of|the|de|la|le|von|van|der|del|di|da|for|in|on)\s+){0,2}"
_SPAN = re.compile(rf"{_NAME}(?:\s+{_LINK}(?:{_NAME}|\d+\b))*")
_QUOTED = re.compile(r"[\"“]([^\"“”]{2,80})[\"”]")
_SENTENCE_END = re.compile(
    rf"(?<!\b[{_UPPER}]\.)(?<!\bSt\.)(?<!\bDr\.)(?<!\bMr\.)(?<!\bJr\.)(?<!\bNo\.)"
    rf"(?:(?<=[.!?])|(?<=[.!?][\"”)]))\s+(?=[\"“(\d{_UPPER}])"
)
_ORIGIN = re.compile(r"\w+(?:ian|ean|can|ish|ese)|German|French|Dutch|Greek|Swiss|Welsh|Scots")
_HEADER = re.compile(r"^\[\d+\][ \t]*(.*)$", re.MULTILINE)
_TRACKER = re.compile(r"^<budget.*?(?:^</budget[^>\n]*>|\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Passage:
    """A titled piece of text that a search found."""

    title: str
    text: str

    @property
    def name(self) -> str:
        """The title without what disambiguates it: ``Dirt (album)`` is about ``Dirt``."""
        return re.sub(r"\s*\([^)]*\)\s*$", "", html.unescape(self.title))

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """The text, sentence by sentence."""
        return split_sentences(self.text)

    @cached_property
    def terms(self) -> frozenset[str]:
        """The content words of title and text."""
        return content_terms(f"{self.title} {self.text}")


def read_passages(result: str) -> list[Passage]:
    """Read a search result: blocks of ``[rank] title`` and text; anything else is one passage without a title.

    A budget tracker (from a line that starts with ``<budget``) is passed over.
    """
    result = _TRACKER.sub("", result).strip()
    parts = _HEADER.split(result)
    blocks = [("", parts[0]), *zip(parts[1::2], parts[2::2], strict=True)]
    return [Passage(title.strip(), text.strip()) for title, text in blocks if (title + text).strip()]


def split_words(text: str) -> list[str]:
    """Split into lower-case words; a possessive ending is dropped."""
    return re.findall(r"\w+(?:[.,]\d+)*", re.sub(r"[\u2019']s\b", "", text.lower()))


def split_sentences(text: str) -> tuple[str, ...]:
    """Split into sentences; initials and a few abbreviations do not end one."""
    return tuple(part.strip() for part in _SENTENCE_END.split(text) if part.strip())


def content_terms(text: str) -> frozenset[str]:
    """Take the words that carry content, singular and plural alike."""
    return frozenset(_singular(word) for word in split_words(text) if word not in STOP_WORDS)


def name_spans(text: str) -> list[str]:
    """Find names in order: runs of capitalised words, without the small words that open a sentence."""
    spans = (_trimmed(match.group()) for part in split_sentences(text) for match in _SPAN.finditer(part))
    return [span for span in spans if _names_something(span)]


def question_names(question: str) -> list[str]:
    """Find what a question names: quoted titles first, then names outside of the quotes."""
    rest = _QUOTED.sub(" , ", question)
    return list(dict.fromkeys([*_QUOTED.findall(question), *name_spans(_lower_first(rest))]))


def uncovered_terms(question: str, passages: Iterable[Passage]) -> frozenset[str]:
    """The content words of a question that no passage has."""
    return content_terms(question).difference(*(passage.terms for passage in passages))


def next_queries(question: str, passages: Sequence[Passage], searched: Iterable[str] = ()) -> list[str]:
    """Work out what to search for next, best first; never a query that was searched already.

    The first query is the question. Then come names in the question that nothing found is about, and names in
    the passages (the more of the question their passage and sentence have, the better), each together with the
    words of the question that its passage leaves open.
    """
    done = {_key(query) for query in searched}
    if not passages:
        candidates = [question, *question_names(question)]
    else:
        candidates = [*_missing_names(question, passages), *_links(question, passages)]
    return [query for query in dict.fromkeys(candidates) if _key(query) not in done]


def term_weights(question: str, passages: Sequence[Passage]) -> dict[str, float]:
    """Weigh the content words of a question: the fewer passages have a word, the more it says."""
    found = Counter(term for passage in passages for term in passage.terms)
    return {term: 1 / (1 + found[term]) ** 0.5 for term in content_terms(question)}


def coverage(weights: dict[str, float], terms: Iterable[str]) -> float:
    """The share of a question's weight that some terms have, from 0 to 1."""
    total = sum(weights.values())
    return sum(weights.get(term, 0.0) for term in set(terms)) / total if total else 0.0


def is_about(passage: Passage, text: str) -> bool:
    """Whether the text names what a passage is about."""
    name = content_terms(passage.name)
    return bool(name) and name <= content_terms(text)


def is_origin(name: str) -> bool:
    """Whether a name is a nationality or the like, by its ending: ``Italian``, ``English``."""
    return bool(_ORIGIN.fullmatch(name))


def _missing_names(question: str, passages: Sequence[Passage]) -> Iterator[str]:
    """Names in the question that no passage is about."""
    for name in question_names(question):
        terms = content_terms(name)
        if not is_origin(name) and not any(
            terms <= content_terms(passage.title) or is_about(passage, name) for passage in passages
        ):
            yield name


def _links(question: str, passages: Sequence[Passage]) -> list[str]:
    """Names in the passages, each with the words that its best passage leaves open, best first."""
    asked, weights = content_terms(question), term_weights(question, passages)
    known = {content_terms(passage.name) for passage in passages}
    best: dict[str, tuple[float, Passage]] = {}
    for score, name, passage in _scored_names(question, passages, weights):
        terms = content_terms(name)
        if not (terms <= asked or terms in known or is_origin(name)) and score > best.get(name, (0.0,))[0]:
            best[name] = score, passage
    ordered = sorted(best, key=lambda name: -best[name][0])
    return [f"{name} {_open_words(question, best[name][1])}".strip() for name in ordered]


def _scored_names(
    question: str, passages: Sequence[Passage], weights: dict[str, float]
) -> Iterator[tuple[float, str, Passage]]:
    """All names in all sentences, by how much of the question their passage and their sentence have."""
    for passage in passages:
        near = coverage(weights, passage.terms) + 0.5 * is_about(passage, question)
        for sentence in passage.sentences:
            here = coverage(weights, content_terms(sentence))
            for name in name_spans(sentence):
                yield near + here + 0.1 * (" " in name), name, passage


def _open_words(question: str, passage: Passage) -> str:
    """The question's words, in order, that a passage does not have."""
    missing = content_terms(question) - passage.terms
    return " ".join(word for word in dict.fromkeys(split_words(question)) if _singular(word) in missing)


def _names_something(span: str) -> bool:
    """A date is no name, and neither is a bare small word."""
    return any(word not in _DATES and not word[0].isdigit() for word in content_terms(span))


def _key(query: str) -> str:
    return " ".join(split_words(query))


def _trimmed(span: str) -> str:
    words = span.split()
    while words and words[0].lower() in STOP_WORDS:
        words = words[1:]
    return re.sub(r"[\u2019']s?$", "", " ".join(words).strip("&' "))


def _lower_first(text: str) -> str:
    """A question's first word is capitalised whatever it is."""
    first, _, rest = text.partition(" ")
    return f"{first.lower() if first.lower() in STOP_WORDS else first} {rest}"


def _singular(word: str) -> str:
    """Cut a plural ending, roughly: it only has to do the same to both sides of a comparison."""
    return re.sub(r"(?<=\w\w\w)(?<!s)s$", "", word)
