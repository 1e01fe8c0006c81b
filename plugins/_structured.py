"""Structured output on the wire: its schema is part of every prompt, and has to be counted."""

from __future__ import annotations

from typing import Any, Final

from langchain.agents.structured_output import AutoStrategy, OutputToolBinding, ProviderStrategy, ToolStrategy

__all__ = ["StructuredOutput"]

_BINDING: Final = OutputToolBinding[Any]


class StructuredOutput:
    """The tools that LangChain makes of a response format, made once for each."""

    __slots__ = ("_made",)

    def __init__(self) -> None:
        # the format is kept beside its tools, so that its id stays its own
        self._made: dict[int, tuple[Any, list[Any]]] = {}

    def tools(self, response_format: Any) -> list[Any]:
        """The tools, or their like in length where the provider takes a schema; none without a format."""
        if response_format is None:
            return []
        if id(response_format) not in self._made:
            self._made[id(response_format)] = (response_format, _tools(response_format))
        return self._made[id(response_format)][1]


def _tools(response_format: Any) -> list[Any]:
    return [_BINDING.from_schema_spec(spec).tool for spec in _specs(response_format)]


def _specs(response_format: Any) -> list[Any]:
    if _is(response_format, ProviderStrategy):
        return [response_format.schema_spec]
    if _is(response_format, ToolStrategy):
        return list(response_format.schema_specs)
    schema = response_format.schema if _is(response_format, AutoStrategy) else response_format
    return list(ToolStrategy[Any](schema).schema_specs)


def _is(response_format: Any, kind: type[Any]) -> bool:
    return isinstance(response_format, kind)
