"""Arguments of a tool call, made to fit the tool where it is plain what was meant."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from ._plain import plain

__all__ = ["fitted"]

Schema = Mapping[str, Any]


def fitted(args: object, parameters: Schema) -> dict[str, Any] | None:
    """The arguments as the tool takes them; None if they cannot be made to fit.

    Beside what is right as it stands, this takes JSON in a string, a bare value for a tool with one argument, a wrong
    name for that one argument, numbers as text and text as numbers, one value where a list is wanted, and null for
    what may be left out. Lengths, ranges and patterns are the tool's own to check.

    Args:
        args: what a model said.
        parameters: the JSON schema of the tool's arguments.
    """
    try:
        made = _object(_named(args, parameters), parameters)
    except ValueError:
        return None
    about = made.get(_lone(parameters) or "")
    return None if isinstance(about, str) and not about.strip(" .…\n\t") else made


def _named(args: object, parameters: Schema) -> Mapping[str, Any]:
    """Arguments by name; a value without one, or with a wrong one, is that of the only argument."""
    lone = _lone(parameters)
    if isinstance(args, str) and args.lstrip().startswith(("{", '"')):
        args = _parsed(args)
    if not isinstance(args, Mapping):
        if lone is None or args is None or args == "":
            raise ValueError
        return {lone: args}
    named = cast("Mapping[str, Any]", args)
    strangers = [name for name in named if name not in _properties(parameters)]
    if lone is not None and lone not in named and len(strangers) == 1:
        return {**{name: named[name] for name in named if name != strangers[0]}, lone: named[strangers[0]]}
    return named


def _parsed(text: str) -> object:
    try:
        return plain(json.loads(text))
    except (ValueError, RecursionError):
        return text


def _lone(parameters: Schema) -> str | None:
    """The argument that a tool is about: the only one, or the only one that it must have."""
    required: Sequence[str] = parameters.get("required") or ()
    names = required if len(required) == 1 else list(_properties(parameters))
    return names[0] if len(names) == 1 else None


def _properties(schema: Schema) -> Mapping[str, Schema]:
    return schema.get("properties") or {}


def _object(given: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    properties, required = _properties(schema), schema.get("required") or ()
    free = schema.get("additionalProperties") or (not properties and "additionalProperties" not in schema)
    made = {name: value for name, value in given.items() if free and name not in properties}
    for name, part in properties.items():
        if name in given and (given[name] is not None or name in required):
            made[name] = _fit(given[name], part)
    if any(name not in made for name in required):
        raise ValueError
    return made


def _fit(value: Any, schema: Schema) -> Any:
    """A value as its schema wants it; what the schema leaves open is taken as it is."""
    if variants := schema.get("anyOf") or schema.get("oneOf"):
        return _first(value, variants)
    kind = schema.get("type")
    if isinstance(kind, list):
        return _first(value, [{**schema, "type": one} for one in cast("list[str]", kind)])
    if "enum" in schema:
        return _choice(value, schema["enum"])
    fit = _FITS.get(kind) if isinstance(kind, str) else None
    return fit(value, schema) if fit else value


def _first(value: Any, variants: Sequence[Schema]) -> Any:
    """What fits as it stands; else what fits first."""
    made: list[Any] = []
    for variant in variants:
        try:
            made.append(_fit(value, variant))
        except ValueError:
            continue
    if not made:
        raise ValueError
    return next((one for one in made if type(one) is type(value) and one == value), made[0])


def _choice(value: Any, choices: Sequence[Any]) -> Any:
    """The choice that is meant; upper and lower case are the same."""
    said = value.strip().casefold() if isinstance(value, str) else value
    for choice in choices:
        meant = choice.casefold() if isinstance(choice, str) else choice
        if type(meant) is type(said) and meant == said:
            return choice
    raise ValueError


def _text(value: Any, schema: Schema) -> str:
    match value:
        case [one]:
            return _text(one, schema)
        case str() | int() | float() if not isinstance(value, bool):
            return str(value)
        case _:
            raise ValueError


def _number(value: Any, _schema: Schema) -> float:
    match value:
        case str():
            number = plain(float(value))
        case int() | float() if not isinstance(value, bool):
            number = plain(value)
        case _:
            raise ValueError
    if number is None:
        raise ValueError
    return cast("float", number)


def _integer(value: Any, schema: Schema) -> int:
    number = _number(value, schema)
    if number != int(number):
        raise ValueError
    return int(number)


def _truth(value: Any, _schema: Schema) -> bool:
    return value if isinstance(value, bool) else _choice(value, ("true", "false")) == "true"


def _list(value: Any, schema: Schema) -> list[Any]:
    items: list[Any] = value if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]  # of anything
    return [_fit(item, schema.get("items") or {}) for item in items]


def _mapping(value: Any, schema: Schema) -> dict[str, Any]:
    match value:
        case {}:
            return _object(cast("Mapping[str, Any]", value), schema)
        case _:
            raise ValueError


def _null(value: Any, _schema: Schema) -> None:
    if value is not None:
        raise ValueError


_FITS: Final[Mapping[str, Callable[[Any, Schema], Any]]] = {
    "string": _text,
    "integer": _integer,
    "number": _number,
    "boolean": _truth,
    "array": _list,
    "object": _mapping,
    "null": _null,
}
