"""A short answer from passages, with words alone: the kind of the answer, the best sentence, a span in it.

Honest and weak: it finds what stands near the question's own words, and guesses where it must. It never comes
back empty when there is anything to read, because a budget that ran out must still end in an answer.
"""

import re
from collections.abc import Callable, Sequence
from enum import Enum
from typing import TypeAlias

from ._words import (
    STOP_WORDS,
    Passage,
    content_terms,
    coverage,
    is_about,
    is_origin,
    name_spans,
    question_names,
    split_words,
    term_weights,
)

__all__ = ["AnswerKind", "answer_kind", "best_sentences", "extract_answer"]


class AnswerKind(Enum):
    """What sort of thing a question asks for."""

    YES_NO = "yes or no"
    CHOICE = "one of two"
    YEAR = "a year"
    DATE = "a date"
    NUMBER = "a number"
    ORIGIN = "a nationality"
    PERSON = "a person"
    PLACE = "a place"
    NAME = "a name"


_WHICH = r"\b(?:what|which) (?:[\w\u2019'-]+ ){0,3}?"
_PEOPLE = (
    "actor|actress|artist|author|captain|coach|composer|director|drummer|filmmaker|founder|general|guitarist|"
    "inventor|king|lawyer|leader|man|musician|novelist|person|player|poet|politician|president|queen|rapper|"
    "scientist|singer|songwriter|star|woman|writer"
)
_PLACES = "city|country|state|county|place|village|town|river|island|region|location|nation|continent"
_KINDS: tuple[tuple[AnswerKind, str], ...] = (
    (AnswerKind.YEAR, rf"{_WHICH}(?:year|decade|century)\b"),
    (AnswerKind.NUMBER, r"\bhow (?:many|much|old|tall|long|high|far|large|big)\b"),
    (AnswerKind.NUMBER, rf"{_WHICH}(?:number|age|population)\b"),
    (AnswerKind.ORIGIN, rf"\bnationalit(?:y|ies)\b|{_WHICH}(?:language|descent|culture)\b"),
    (AnswerKind.PERSON, rf"{_WHICH}(?:{_PEOPLE})\b"),
    (AnswerKind.PLACE, rf"\bwhere\b|{_WHICH}(?:{_PLACES})\b"),
    (AnswerKind.DATE, r"^(?:\w+ )?when\b|, when\b|\bwhen\?|\b(?:what|which) (?:date|day|month)\b"),
    (AnswerKind.PERSON, r"^(?!.*\b(?:what|which)\b).*\bwho(?:m|se)?\b"),
)
_AUXILIARY = re.compile(r"(?:are|is|was|were|do|does|did|has|have|had|can|could)\b", re.IGNORECASE)
_ASKS = re.compile(r"\b(?:what|which|who|whom|whose|where|when|how)\b", re.IGNORECASE)
_MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
_DATE = re.compile(rf"(?:\d{{1,2}} )?(?:{_MONTH})(?: \d{{1,2}}\b,?)?(?: \d{{4}})?|\b(?:1\d|20)\d\d\b")
_YEAR = re.compile(r"\b(?:1\d|20)\d\d\b")
_WORDED = "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|once|twice"
_NUMBER = re.compile(
    rf"(?:\d[\d,]*(?:\.\d+)?(?: (?:million|billion|thousand|percent))?|\b(?:{_WORDED})\b)", re.IGNORECASE
)
_FIRST = frozenset({"first", "older", "oldest", "earlier", "earliest", "elder", "before"})
_LAST = frozenset({"younger", "youngest", "later", "latest", "newer", "newest", "recently", "last"})
_LIFE = re.compile(r"\((?:[^()]*\bborn\b|[^()]*\d{4}\s*[\u2013-])")
_Reader: TypeAlias = Callable[[str, Sequence[Passage]], str]
_SENTENCES_READ = 12
_MOST = 0.5


def answer_kind(question: str) -> AnswerKind:
    """Guess what sort of thing a question asks for."""
    if options_of(question):
        return AnswerKind.CHOICE
    if _AUXILIARY.match(question) or not _ASKS.search(question):
        return AnswerKind.YES_NO
    lowered = question.lower()
    return next((kind for kind, pattern in _KINDS if re.search(pattern, lowered)), AnswerKind.NAME)


def extract_answer(question: str, passages: Sequence[Passage]) -> str:
    """Answer a question from passages with a short span.

    Args:
        question: The question, in English.
        passages: The evidence, in the order in which it was found.

    Returns:
        "yes" or "no", one of two options, a date, a number, or a name; the best sentence if there is no such
        span; the empty string only if there are no passages.
    """
    if not passages:
        return ""
    answer = _READERS.get(answer_kind(question), _best_name)(question, passages)
    return answer or _best_name(question, passages) or best_sentences(question, passages, 1)[0]


def best_sentences(question: str, passages: Sequence[Passage], k: int) -> list[str]:
    """The ``k`` sentences that have the most of a question, best first."""
    return [sentence for _, _, sentence in _ranked(question, passages)[:k]]


def _ranked(question: str, passages: Sequence[Passage]) -> list[tuple[float, Passage, str]]:
    """All sentences with their passages, by how much of the question's weight they have."""
    weights = term_weights(question, passages)
    asked = content_terms(question)

    def score(passage: Passage, sentence: str) -> float:
        near = 0.5 * coverage(weights, passage.terms) + 0.2 * is_about(passage, question)
        here = content_terms(sentence) | (content_terms(passage.title) & asked)
        return near + coverage(weights, here)

    rows = [(score(p, s), p, s) for p in passages for s in (p.sentences or (p.title,))]
    return sorted(rows, key=lambda row: -row[0])


def options_of(question: str) -> tuple[str, str] | None:
    """The two names that an ``or`` stands between."""
    before, found, after = question.partition(" or ")
    left, right = question_names(before), question_names(after)
    if not found or not left or not right:
        return None
    nearest = max(left, key=lambda name: before.rfind(name) + len(name))
    first = min(right, key=after.find)
    return (nearest, first) if after.find(first) <= len('the "') else None


def _choose(question: str, passages: Sequence[Passage]) -> str:
    options = options_of(question)
    if options is None:
        return ""
    words = set(split_words(question))
    if words & (_FIRST | _LAST):
        dated = [(min(years), name) for name in options if (years := _years(_pages(name, passages)))]
        if len(dated) == len(options):
            return (min if words & _FIRST else max)(dated)[1]
    weights = term_weights(question, passages)
    return max(options, key=lambda name: _coverage_of(_pages(name, passages), weights))


def _yes_or_no(question: str, passages: Sequence[Passage]) -> str:
    subjects = [name for name in question_names(question) if not is_origin(name)][:2]
    pages = [_pages(name, passages) for name in subjects]
    if not all(pages) or not pages:
        return "no"
    if "same" in split_words(question):
        return "yes" if set[str].intersection(*(_origins(page[0]) for page in pages)) else "no"
    asked = content_terms(question).difference(*(content_terms(name) for name in subjects))
    weights = dict.fromkeys(asked, 1.0)
    return "yes" if all(_coverage_of(page, weights) >= _MOST for page in pages) else "no"


def _origins(passage: Passage) -> set[str]:
    """The nationalities in a passage's first sentence."""
    first = next(iter(passage.sentences), "")
    return {word for word in re.findall(r"\w+", first) if is_origin(word)}


def _pages(name: str, passages: Sequence[Passage]) -> list[Passage]:
    """The passages about a name, or those that at least have it."""
    terms = content_terms(name)
    about = [p for p in passages if content_terms(p.name) and (is_about(p, name) or terms <= content_terms(p.title))]
    return about or [p for p in passages if terms <= p.terms]


def _coverage_of(pages: Sequence[Passage], weights: dict[str, float]) -> float:
    return max((coverage(weights, page.terms) for page in pages), default=0.0)


def _years(pages: Sequence[Passage]) -> list[int]:
    return [int(year) for page in pages[:1] for year in _YEAR.findall(page.text)]


def _finder(pattern: re.Pattern[str], avoid: re.Pattern[str] | None = None) -> _Reader:
    """Make a reader of the match, in the best sentence that has any, that has the question's words nearest."""

    def read(question: str, passages: Sequence[Passage]) -> str:
        asked = content_terms(question)
        for sentence in best_sentences(question, passages, _SENTENCES_READ):
            found = [m for m in pattern.finditer(sentence) if m.group() not in question]
            kept = [m for m in found if not (avoid and avoid.fullmatch(m.group()))]
            if kept:
                return max(kept, key=lambda m: _nearness(sentence, m, asked)).group().strip(" ,")
        return ""

    return read


def _nearness(sentence: str, found: re.Match[str], asked: frozenset[str]) -> int:
    """How many of the question's words stand within a few words of a match."""
    around = sentence[max(0, found.start() - 40) : found.end() + 40]
    return len(content_terms(around) & asked)


def _origin(question: str, passages: Sequence[Passage]) -> str:
    words = (
        word
        for sentence in best_sentences(question, passages, _SENTENCES_READ)
        for word in re.findall(r"\w+", sentence)
    )
    return next((word for word in words if is_origin(word) and word not in question), "")


def _best_name(question: str, passages: Sequence[Passage]) -> str:
    """The name that stands in the best sentence, is not in the question, and fits what is asked for."""
    asked, kind, focus = content_terms(question), answer_kind(question), _focus(question)
    people = {p.name for p in passages if _LIFE.search(p.text)}
    best, answer = float("-inf"), ""
    for score, passage, sentence in _ranked(question, passages)[:_SENTENCES_READ]:
        for span in [passage.name, *name_spans(sentence)]:
            terms = content_terms(span)
            if not terms or terms <= asked or is_origin(span):
                continue
            hint = 0.3 * _is_called(span, sentence, focus) - 0.2 * bool(terms & asked - focus)
            fit = score + hint + _fit(span, sentence, kind, people)
            if fit > best:
                best, answer = fit, span
    return answer


def _fit(span: str, sentence: str, kind: AnswerKind, people: set[str]) -> float:
    """How well a name fits the kind that is asked for."""
    if kind is AnswerKind.PERSON:
        return 0.3 * (span in people) + 0.1 * (len(span.split()) in {2, 3})
    if kind is AnswerKind.PLACE:
        placed = re.search(rf"\b(?:in|at|near|from|to) (?:the )?{re.escape(span)}", sentence)
        return 0.3 * bool(placed) - 0.3 * (span in people)
    return -0.1 * (span in people)


def _is_called(span: str, sentence: str, focus: frozenset[str]) -> bool:
    """Whether a name, or what stands right before it, says that it is what is asked for: ``the town of X``."""
    before, found, _ = sentence.partition(span)
    opening = before.split()[-3:] if found else []
    return bool(content_terms(" ".join([*opening, span])) & focus)


def _focus(question: str) -> frozenset[str]:
    """The noun that ``which`` or ``what`` asks for."""
    found = re.search(r"\b(?:which|what)\s+((?:[\w\u2019'-]+\s*){1,4})", question, re.IGNORECASE)
    words: list[str] = []
    for word in split_words(found.group(1)) if found else ():
        if word in STOP_WORDS:
            break
        words.append(word)
    return content_terms(" ".join(words))


_READERS: dict[AnswerKind, _Reader] = {
    AnswerKind.YES_NO: _yes_or_no,
    AnswerKind.CHOICE: _choose,
    AnswerKind.YEAR: _finder(_YEAR),
    AnswerKind.DATE: _finder(_DATE),
    AnswerKind.NUMBER: _finder(_NUMBER, avoid=_YEAR),
    AnswerKind.ORIGIN: _origin,
}
