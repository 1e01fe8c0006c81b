"""Which passages an answer was written from: the agent says so, or a rule picks them from what it saw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from budgetkit.plugins import keep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.messages import AIMessage

    from budgetkit.plugins import Found

__all__ = ["KEPT", "kept"]

KEPT: Final = 5
"""Passages that an answer may be written from; all agents are measured at this number."""

_NOTE: Final = "budgetkit_search"


def kept(message: AIMessage | None, question: str, found: Sequence[Found]) -> dict[str, Any]:
    """The titles of the passages that went into the answer, best first, and who chose them.

    ``agent``: the final message lists them under ``response_metadata["budgetkit_search"]["kept"]``; its first five
    count, and of these only what the tools really showed. ``rule``: it does not say, and `keep` picks five out of all
    that was shown. Without a message there is no answer, and nothing was kept.
    """
    if message is None:
        return {"kept": [], "kept_by": None}
    note: Mapping[str, Any] = message.response_metadata.get(_NOTE) or {}
    named: list[Any] | None = note.get("kept")
    if named is not None:
        seen = {passage.title for result in found for passage in result.passages}
        first = map(str, named[:KEPT])
        return {"kept": [title for title in first if title in seen], "kept_by": "agent"}
    return {"kept": [passage.title for passage in keep(question, found, KEPT)], "kept_by": "rule"}
