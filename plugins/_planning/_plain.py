"""Values out of JSON that somebody else wrote, as values that any store and any wire takes."""

from __future__ import annotations

import re
from typing import Any, Final, cast

__all__ = ["plain", "plain_text"]

_REFUSED: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
"""Controls, and halves of a pair."""
_DEEPEST: Final = 16
_LARGEST: Final = 2**63 - 1


def plain_text(text: str) -> str:
    """A text without characters that a store or a wire may refuse."""
    return _REFUSED.sub("", text)


def plain(value: object) -> Any:
    """The value without such characters; what is no number, or is out of all proportion, becomes None.

    Raises:
        ValueError: it nests deeper than anybody means it.
    """
    return _plain(value, _DEEPEST)


def _plain(value: object, deep: int) -> Any:
    if deep < 0:
        raise ValueError(f"JSON nests deeper than {_DEEPEST} levels")
    match value:
        case str():
            return plain_text(value)
        case bool():
            return value
        case int() | float():
            return value if -_LARGEST <= value <= _LARGEST else None
        case dict():
            items = cast("dict[object, object]", value).items()
            return {plain_text(str(name)): _plain(item, deep - 1) for name, item in items}
        case list() | tuple():
            return [_plain(item, deep - 1) for item in cast("list[object]", value)]
        case _:
            return None
