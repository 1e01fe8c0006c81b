"""What a conversation asks for, and what the graph's tools said."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage, convert_to_messages
from langchain_core.utils.function_calling import convert_to_openai_tool

from .._ends import MARK
from .._tracker import strip
from ._results import Observation
from ._view import Task, ToolSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.messages import BaseMessage

__all__ = ["asked_at", "observation_of", "read_messages", "results_by_call", "spec_of", "task_of", "was_refused"]

_MOST_BACKGROUND: Final = 2_000
"""Characters of what was said before the question; the newest are kept."""


def read_messages(state: Mapping[str, Any], key: str) -> list[BaseMessage]:
    """The messages of a graph's state."""
    return convert_to_messages(state.get(key) or [])


def asked_at(messages: Sequence[BaseMessage]) -> str:
    """What tells this question from another one on the same thread: the same as long as it stands last.

    Empty if nobody asks anything: the graph may have cut off its history.
    """
    last = next((message for message in reversed(messages) if isinstance(message, HumanMessage)), None)
    return "" if last is None else last.id or sha256(last.text.encode()).hexdigest()[:16]


def task_of(messages: Sequence[BaseMessage], tools: tuple[ToolSpec, ...], question: str = "") -> Task:
    """The last question, and what was said before it; ``question`` if it is not there any more."""
    at = max((i for i, message in enumerate(messages) if isinstance(message, HumanMessage)), default=0)
    said = "\n".join(filter(None, map(_said, messages[:at])))
    return Task(messages[at].text if asked_at(messages) else question, said[-_MOST_BACKGROUND:], tools)


def spec_of(tool: Any) -> ToolSpec:
    """A tool as a policy sees it."""
    function: dict[str, Any] = convert_to_openai_tool(tool)["function"]
    return ToolSpec(function["name"], function.get("description", ""), function.get("parameters", {}))


def results_by_call(messages: Sequence[BaseMessage]) -> dict[str, ToolMessage]:
    """What tools said, by the id of the call."""
    return {message.tool_call_id: message for message in messages if isinstance(message, ToolMessage)}


def observation_of(message: ToolMessage) -> Observation:
    """What a tool said, without the tracker's block: the search has its own."""
    return Observation(strip(message.text), error=message.status == "error")


def was_refused(message: ToolMessage) -> bool:
    """Whether another budget refused the call, so that it was surely not made."""
    mark = message.additional_kwargs.get(MARK)
    return isinstance(mark, dict) and "refused" in mark


def _said(message: BaseMessage) -> str:
    if isinstance(message, SystemMessage):
        return message.text.strip()
    text = message.text.strip()
    if not text or not isinstance(message, (HumanMessage, AIMessage)):
        return ""
    return f"{'user' if isinstance(message, HumanMessage) else 'assistant'}: {text}"
