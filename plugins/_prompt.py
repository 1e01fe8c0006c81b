"""A prompt in the neutral form that token counters read: OpenAI-style messages and tool schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.utils.function_calling import convert_to_openai_tool

__all__ = ["SCHEMAS_KEPT", "Schemas", "plain"]

SCHEMAS_KEPT: Final = 256
_ROLES: Final = {"human": "user", "ai": "assistant", "tool": "tool", "system": "system"}


def plain(messages: Sequence[BaseMessage]) -> list[dict[str, Any]]:
    """Messages as mappings; texts are passed on as they are, so that counts can be remembered by text."""
    return [_plain(message) for message in messages]


def _plain(message: BaseMessage) -> dict[str, Any]:
    made: dict[str, Any] = {"role": _ROLES.get(message.type, "user"), "content": message.content}
    if isinstance(message, ToolMessage):
        made["tool_call_id"] = message.tool_call_id
    elif isinstance(message, AIMessage) and (message.tool_calls or message.invalid_tool_calls):
        made["tool_calls"] = list(_calls(message))
    return made


def _calls(message: AIMessage) -> Iterator[dict[str, Any]]:
    """The calls as they are sent back to the provider, also those whose arguments could not be read."""
    for call in message.tool_calls:
        yield _call(call["id"], call["name"], json.dumps(call["args"], default=str))
    for broken in message.invalid_tool_calls:
        yield _call(broken["id"], broken["name"], broken["args"])


def _call(key: str | None, name: str | None, arguments: str | None) -> dict[str, Any]:
    return {"id": key, "type": "function", "function": {"name": name or "", "arguments": arguments or ""}}


class Schemas:
    """Tool schemas, made once per tool: building one costs more than a model step may."""

    __slots__ = ("_made",)

    def __init__(self) -> None:
        # the tool is kept beside its schema, so that its id stays its own
        self._made: dict[int, tuple[Any, Mapping[str, Any]]] = {}

    def of(self, tools: Sequence[Any]) -> list[Mapping[str, Any]]:
        """The schemas of these tools; a mapping is a schema already."""
        return [tool if isinstance(tool, Mapping) else self._schema(tool) for tool in tools]

    def _schema(self, tool: Any) -> Mapping[str, Any]:
        found = self._made.get(id(tool))
        if found is None:
            if len(self._made) >= SCHEMAS_KEPT:  # tools made anew for every run
                self._made.clear()
            found = self._made[id(tool)] = (tool, convert_to_openai_tool(tool))
        return found[1]
