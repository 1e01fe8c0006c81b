"""Which of an agent's tools is one to search with."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["SearchTool", "pick_search_tool"]

_SEARCHES: Final = re.compile(r"search|retriev|look_?up|find|query|wiki", re.IGNORECASE)
_QUERY_NAMES: Final = ("query", "queries", "q", "question", "search", "search_query", "text", "input")


@dataclass(frozen=True)
class SearchTool:
    """A tool that takes a query, or a list of them, and can be called with nothing else."""

    name: str
    argument: str
    takes_list: bool

    def args(self, query: str) -> dict[str, Any]:
        """The arguments of a call."""
        return {self.argument: [query] if self.takes_list else query}


def pick_search_tool(tools: Mapping[str, Mapping[str, Any]]) -> SearchTool | None:
    """Choose the tool to search with: by its name if one sounds like it, else the first that takes a text alone.

    Args:
        tools: the JSON schema of each tool's arguments, by the tool's name.
    """
    found = [tool for name, parameters in tools.items() if (tool := _search_tool(name, parameters))]
    return next((tool for tool in found if _SEARCHES.search(tool.name)), found[0] if found else None)


def _search_tool(name: str, parameters: Mapping[str, Any]) -> SearchTool | None:
    properties: Mapping[str, Mapping[str, Any]] = parameters.get("properties", {})
    required: Sequence[str] = parameters.get("required", ())
    texts = [name for name in properties if _is_text(properties[name]) or _is_list(properties[name])]
    texts.sort(key=lambda name: (name not in _QUERY_NAMES, name not in required))
    if not texts or set(required) - {texts[0]}:
        return None
    return SearchTool(name, texts[0], takes_list=not _is_text(properties[texts[0]]))


def _is_text(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "string" or any(map(_is_text, schema.get("anyOf", ())))


def _is_list(schema: Mapping[str, Any]) -> bool:
    listed = schema.get("type") == "array" and _is_text(schema.get("items", {}))
    return listed or any(map(_is_list, schema.get("anyOf", ())))
