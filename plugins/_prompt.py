"""A prompt in the neutral form that token counters read: OpenAI-style messages and tool schemas."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.utils.function_calling import convert_to_openai_tool

__all__ = ["Schemas", "plain"]

_ROLES = {"human": "user", "ai": "assistant", "tool": "tool", "system": "system"}


def plain(messages: Sequence[BaseMessage]) -> list[dict[str, Any]]:
    """Messages as mappings; texts are passed on as they are, so that counts can be remembered by text."""
    return [_plain(message) for message in messages]


def _plain(message: BaseMessage) -> dict[str, Any]:
    made: dict[str, Any] = {"role": _ROLES.get(message.type, "user"), "content": message.content}
    if isinstance(message, ToolMessage):
        made["tool_call_id"] = message.tool_call_id
    elif isinstance(message, AIMessage) and message.tool_calls:
        made["tool_calls"] = [
            {"id": c["id"], "type": "function", "function": {"name": c["name"], "arguments": json.dumps(c["args"], default=str)}}
            for c in message.tool_calls
        ]
    return made


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
        if id(tool) not in self._made:
            self._made[id(tool)] = (tool, convert_to_openai_tool(tool))
        return self._made[id(tool)][1]
