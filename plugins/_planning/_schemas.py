"""What each skill has to answer, as JSON schemas that the strictest takers take, and how a model is held to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from ._view import ToolSpec

__all__ = ["ANSWER", "APPRAISAL", "PLAN", "VERDICT", "Schema", "Structured", "format_settings", "option_schema"]

Schema = Mapping[str, Any]
Structured = Literal["auto", "json_schema", "prompt"]

_TEXT: Final[Schema] = {"type": "string"}
_TENTHS: Final[Schema] = {"type": "integer", "enum": list(range(11))}
_WITHOUT: Final = {"ChatDeepSeek"}
"""Of OpenAI's kind, but their servers take no schema."""
_SCALARS: Final = {"string", "integer", "number", "boolean", "null"}


def _record(**properties: Schema) -> dict[str, Any]:
    """An object that has these properties, all of them and no others, in this order."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


# What is decided stands before what explains it: a cap on the output cuts the reasons first.
PLAN: Final = _record(hops={"type": "integer"}, hint=_TEXT, steps={"type": "array", "items": _TEXT})
APPRAISAL: Final = _record(delta={"type": "integer", "enum": list(range(-4, 5))}, support=_TENTHS, why=_TEXT)
ANSWER: Final = _record(answer=_TEXT, confidence=_TENTHS)
VERDICT: Final = _record(
    constraints={
        "type": "array",
        "items": _record(text=_TEXT, status={"type": "string", "enum": ["satisfied", "contradicted", "unverifiable"]}),
    },
    decision={"type": "string", "enum": ["success", "continue", "pivot"]},
    why=_TEXT,
    summary=_TEXT,
    details=_TEXT,
)


def option_schema(tools: Sequence[ToolSpec]) -> dict[str, Any] | None:
    """One thing to do next: a call of one of the tools, or an answer.

    Returns:
        The schema; None if a tool takes arguments that a strict schema cannot describe.
    """
    calls: list[Schema] = []
    for tool in tools:
        args = _strict({"type": "object", "additionalProperties": False, **tool.parameters})
        if args is None:
            return None
        calls.append(_record(tool={"type": "string", "enum": [tool.name]}, args=args))
    return _record(do={"anyOf": [*calls, _record(answer=_TEXT)]}, gain=_TENTHS, why=_TEXT)


def format_settings(model: object, structured: Structured, name: str, schema: Schema | None) -> dict[str, Any]:
    """The settings of a call that hold a model to a schema; none where the prompt alone says what is wanted.

    For a chat model of OpenAI's kind the format goes past LangChain, in the request's body: given as
    ``response_format``, the client raises as soon as an output ends at its cap, and what was paid for is gone.
    """
    if schema is None or structured == "prompt" or (structured == "auto" and not _takes_schemas(model)):
        return {}
    wanted = {"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": True}}
    if not _is_openai(model) or getattr(model, "use_responses_api", False):
        return {"response_format": wanted}
    return {"extra_body": {**(getattr(model, "extra_body", None) or {}), "response_format": wanted}}


def _is_openai(model: object) -> bool:
    """Known by its name, so that nobody has to install the client of a model that is not used."""
    return any(kind.__name__ == "BaseChatOpenAI" for kind in type(model).__mro__)


def _takes_schemas(model: object) -> bool:
    profile: Mapping[str, Any] = getattr(model, "profile", None) or {}
    return _is_openai(model) and type(model).__name__ not in _WITHOUT and profile.get("structured_output") is not False


def _strict(schema: Schema) -> dict[str, Any] | None:
    """The same in the strict subset; None if that has no words for it."""
    if variants := schema.get("anyOf") or schema.get("oneOf"):
        made = [_strict(variant) for variant in variants]
        return None if None in made else {"anyOf": made}
    kind = schema.get("type")
    if kind == "object":
        return _strict_object(schema)
    if kind == "array":
        items = _strict(schema.get("items") or {})
        return items and {"type": "array", "items": items}
    if not isinstance(kind, str) or kind not in _SCALARS:
        return None
    return {"type": kind, "enum": schema["enum"]} if "enum" in schema else {"type": kind}


def _strict_object(schema: Schema) -> dict[str, Any] | None:
    """All properties are required; one that was optional may be null instead."""
    required: Sequence[str] = schema.get("required") or ()
    properties: Mapping[str, Schema] = schema.get("properties") or {}
    if schema.get("additionalProperties") or (not properties and schema.get("additionalProperties") is not False):
        return None
    made: dict[str, Schema] = {}
    for name, part in properties.items():
        strict = _strict(part)
        if strict is None:
            return None
        made[name] = strict if name in required else {"anyOf": [strict, {"type": "null"}]}
    return _record(**made)
