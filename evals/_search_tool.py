"""The one tool that the agents of an eval are given: search over the suite's corpus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.tools import BaseTool, tool

from budgetkit.plugins import Found
from budgetkit.plugins import Passage as FoundPassage

from ._audit import current_audit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._corpus import Corpus, Passage

__all__ = ["search_tool"]


def search_tool(corpus: Corpus, k: int = 5) -> BaseTool:
    """A LangChain tool ``search(query)`` that shows the ``k`` best passages as ``[rank] title``, newline, text.

    Each call counts itself in the open `Audit`, whatever the budget's own books say.
    """

    @tool
    def search(query: str) -> str:
        """Search a collection of encyclopedia passages. Use a short query: names and key words work best."""
        passages = corpus.search(query, k)
        if audit := current_audit():
            audit.tool_called("search", _found(query, passages))
        blocks = (f"[{rank}] {passage}" for rank, passage in enumerate(passages, start=1))
        return "\n\n".join(blocks) or f"No passage shares a word with {query!r}: try other words."

    return search


def _found(query: str, passages: Iterable[Passage]) -> Found:
    return Found(query, tuple(FoundPassage(passage.title, passage.text) for passage in passages))
