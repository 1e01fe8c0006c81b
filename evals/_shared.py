"""A suite for several runs in one process: its files are read, and its passages indexed, once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from ._suite import Suite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._corpus import Corpus

__all__ = ["SharedSuite"]


class SharedSuite(Suite):
    """A suite that remembers what it loaded; it is not looked whether the files change meanwhile."""

    @classmethod
    def of(cls, suite: Suite) -> SharedSuite:
        """The same suite, with nothing loaded yet."""
        return cls(suite.name, suite.citation, suite.questions, suite.corpus, suite.prompt)

    def load_corpus(self) -> Corpus:
        """The passages, indexed for search."""
        return self._loaded

    def checksums(self) -> dict[str, str]:
        """SHA-256 of both files."""
        return dict(self._sums)

    @cached_property
    def size(self) -> int:
        """How many questions there are."""
        return sum(1 for _ in self.read())

    @cached_property
    def _loaded(self) -> Corpus:
        return super().load_corpus()

    @cached_property
    def _sums(self) -> Mapping[str, Any]:
        return super().checksums()
