"""A passage taken apart once: the roots of its words, sentence by sentence, and the names that each sentence has.

A root is a word cut short, so that ``director`` and ``directed`` meet; words that mean the same and share no letters
(``wife``, ``married``) have one root. All of it depends on the passage alone, so it is worked out once and kept: a
step of a search only reads what is new.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from ._words import STOP_WORDS, Passage, content_terms, is_origin, name_spans, split_words

__all__ = ["Mention", "Reading", "Sentence", "Titles", "mentions", "phrase", "read", "roots", "spelled"]

_ROOT_LETTERS = 6
_NEAR_WORDS = 5
_LONGEST_TITLE = 8
_PASSAGES_KEPT = 512
_WORDS_KEPT = 65536
_TITLE_LISTS_KEPT = 4
_WORD = re.compile(r"\w+(?:[.,]\d+)*")
_POSSESSIVE = re.compile(r"[\u2019']s\b")
_ALIKE = """
    spouse wife husband married marries marry marriage
    parent father mother son daughter child children
    sibling brother sister
    born birth birthplace
    death died dead
    write writes writer written wrote author
    sing singer sang sung performer performed
"""
_SAME = {word[:_ROOT_LETTERS]: line.split()[0] for line in _ALIKE.strip().splitlines() for word in line.split()}


@dataclass(frozen=True, slots=True)
class Mention:
    """A name in a sentence.

    Attributes:
        name: as it is written, or the title that it is.
        phrase: the name in plain lower-case words.
        roots: of the name's words.
        near: the roots of the words that stand around it.
        is_title: whether a known title is spelled like it.
    """

    name: str
    phrase: str
    roots: frozenset[str]
    near: frozenset[str]
    is_title: bool


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence: the roots of its words, and itself as plain words between two spaces."""

    roots: frozenset[str]
    words: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A passage: its name as a phrase and as roots, its text as roots and as plain words, and its sentences."""

    phrase: str
    name: frozenset[str]
    roots: frozenset[str]
    words: str
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Titles:
    """Known titles, by the plain words of the name in them; equal only to itself, which is quick to look up."""

    names: Mapping[str, str]

    @staticmethod
    @lru_cache(maxsize=_TITLE_LISTS_KEPT)
    def of(titles: frozenset[str]) -> "Titles":
        """Sort titles by name; of two with one name, the first in the alphabet stands for both."""
        pages = (Passage(title, "") for title in sorted(titles, reverse=True))
        return Titles({phrase(page.name): page.name for page in pages if phrase(page.name)})


def phrase(text: str) -> str:
    """A text in plain lower-case words, a space between them."""
    return " ".join(split_words(text))


def roots(text: str) -> frozenset[str]:
    """The content words of a text, each cut to its first letters, and those that mean the same as one."""
    return frozenset(filter(None, map(_root, split_words(text))))


@lru_cache(maxsize=_WORDS_KEPT)
def _root(word: str) -> str:
    """The root of a word; nothing for a small word."""
    cut = "".join(content_terms(word))[:_ROOT_LETTERS]
    return _SAME.get(cut, cut)


@lru_cache(maxsize=_PASSAGES_KEPT)
def read(passage: Passage) -> Reading:
    """Take a passage apart."""
    sentences = tuple(Sentence(roots(text), f" {phrase(text)} ") for text in passage.sentences)
    name, title = roots(passage.name), roots(passage.title)
    everything = title.union(*(sentence.roots for sentence in sentences))
    return Reading(phrase(passage.name), name, everything, "".join(s.words for s in sentences), sentences)


@lru_cache(maxsize=_PASSAGES_KEPT)
def spelled(passage: Passage) -> tuple[Mapping[str, str], ...]:
    """What is written like a name, by its plain words, sentence by sentence."""
    return tuple({phrase(name): name for name in name_spans(text)} for text in passage.sentences)


@lru_cache(maxsize=_PASSAGES_KEPT)
def mentions(passage: Passage, titles: Titles) -> tuple[tuple[Mention, ...], ...]:
    """The names in a passage, sentence by sentence: what is written like a name, and known titles."""
    sentences = zip(passage.sentences, spelled(passage), strict=True)
    return tuple(tuple(_in_sentence(text, names, titles.names)) for text, names in sentences)


def _in_sentence(text: str, names: Mapping[str, str], titles: Mapping[str, str]) -> Iterator[Mention]:
    """The names of one sentence, each once."""
    words = _WORD.findall(_POSSESSIVE.sub("", text))
    lowered = [word.lower() for word in words]
    cut = [_root(word) for word in lowered]
    for key, name in {**names, **_titles_in(words, lowered, titles)}.items():
        if key and not is_origin(name):
            at, end = _place(lowered, key.split())
            near = {*cut[max(0, at - _NEAR_WORDS) : at], *cut[end : end + _NEAR_WORDS]} - {""}
            yield Mention(name, key, frozenset(filter(None, cut[at:end])), frozenset(near), key in titles)


def _titles_in(words: list[str], lowered: list[str], titles: Mapping[str, str]) -> dict[str, str]:
    """The known titles that a sentence names, the longest at each place."""
    found, at = dict[str, str](), 0
    while titles and at < len(words):
        size = _title_at(lowered, at, titles) if words[at][0].isupper() else 0
        if size:
            key = " ".join(lowered[at : at + size])
            found[key] = titles[key]
        at += size or 1
    return found


def _title_at(words: list[str], at: int, titles: Mapping[str, str]) -> int:
    """How many words the longest title that begins at a place has; 0 if none does."""
    for size in range(min(_LONGEST_TITLE, len(words) - at), 0, -1):
        if " ".join(words[at : at + size]) in titles:
            return 0 if size == 1 and words[at] in STOP_WORDS else size
    return 0


def _place(words: list[str], name: list[str]) -> tuple[int, int]:
    """Where a name begins in a sentence, and where it has ended."""
    size = len(name)
    starts = (i for i, word in enumerate(words) if word == name[0] and words[i : i + size] == name)
    start = next(starts, 0)
    return start, start + size
