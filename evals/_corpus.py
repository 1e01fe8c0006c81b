"""A passage corpus with BM25 search: the retriever of the reference baselines."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

import bm25s  # type: ignore[import-untyped]  # it ships no types

from ._records import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["Corpus", "Passage"]

_REMEMBERED: Final = 50_000  # searches: all that one agent makes over a suite, so that the next agent finds them


@dataclass(frozen=True, slots=True)
class Passage:
    """One titled passage of a corpus."""

    title: str
    text: str

    @classmethod
    def parse(cls, record: Mapping[str, Any]) -> Passage:
        """A passage from ``{"title": ..., "text": ...}``; other fields are ignored."""
        return cls(str(record["title"]), str(record["text"]))

    def __str__(self) -> str:
        return f"{self.title}\n{self.text}"


class Corpus:
    r"""Passages and a BM25 index over them, in memory; safe to search from many threads, as a search only reads.

    The index is bm25s with its defaults (Lucene scoring, k1 = 1.5, b = 0.75; Lù, arXiv 2407.03618), English stop
    words and no stemming, over ``title + "\\n" + text``. Ten thousand passages take about half a second to index,
    so no index is kept on disk. What the latest searches found is remembered: many agents ask for the same.

    Raises:
        ValueError: there is no passage.
    """

    def __init__(self, passages: Iterable[Passage]) -> None:
        self.passages = tuple(passages)
        if not self.passages:
            raise ValueError("a corpus needs at least one passage")
        self._index: Any = bm25s.BM25(backend="numpy")
        self._index.index(_tokens([str(passage) for passage in self.passages]), show_progress=False)
        self._remembered = lru_cache(_REMEMBERED)(self._search)

    @classmethod
    def load(cls, path: Path) -> Corpus:
        """The corpus of a ``.jsonl`` or ``.jsonl.gz`` file.

        Raises:
            DataError: the file is missing, or a line is broken.
        """
        return cls(read(path, Passage.parse))

    @cached_property
    def titles(self) -> frozenset[str]:
        """The titles of all passages."""
        return frozenset(passage.title for passage in self.passages)

    def __len__(self) -> int:
        return len(self.passages)

    def search(self, query: str, k: int = 5) -> list[Passage]:
        """The ``k`` best passages, best first; fewer if fewer share a word with the query."""
        return list(self._remembered(query, k))

    def _search(self, query: str, k: int) -> tuple[Passage, ...]:
        ranked, scores = self._index.retrieve(
            _tokens([query]), k=min(k, len(self)), show_progress=False, backend_selection="numpy"
        )
        hits: list[int] = [i for i, score in zip(ranked[0], scores[0], strict=True) if score > 0]
        return tuple(self.passages[i] for i in hits)


def _tokens(texts: list[str]) -> list[list[str]]:
    tokenize = cast("Any", bm25s).tokenize
    tokens: list[list[str]] = tokenize(texts, stopwords="en", return_ids=False, show_progress=False)
    return tokens
