"""What a search has found, as passages: parsed once per text, however often it is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final, cast, final

from .._found import Found
from .._keeping import keep
from .._words import read_passages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._words import Passage
    from ._node_of import TreeNode
    from ._results import Option

__all__ = ["Reader", "query_of"]

_TEXTS: Final = 512


@final
class Reader:
    """Reads tool results as passages."""

    def __init__(self) -> None:
        self._read = lru_cache(maxsize=_TEXTS)(_passages)

    def found(self, steps: Iterable[TreeNode]) -> tuple[Found, ...]:
        """What these steps found, in their order; a step whose tool failed found nothing."""
        return tuple(
            Found(query_of(step.made), self._read(step.seen.text))
            for step in steps
            if step.made and step.seen and not step.seen.error
        )

    def kept(self, question: str, steps: Iterable[TreeNode], k: int) -> list[Passage]:
        """The ``k`` passages to answer from."""
        return keep(question, self.found(steps), k)


def query_of(option: Option) -> str:
    """What a call looked for: the texts among its arguments."""
    return " ".join(_texts(option.args)) or option.tool


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts: Iterable[object] = ()
    if isinstance(value, Mapping):
        parts = cast("Mapping[str, object]", value).values()
    elif isinstance(value, (list, tuple)):
        parts = cast("Iterable[object]", value)
    return [text for part in parts for text in _texts(part)]


def _passages(text: str) -> tuple[Passage, ...]:
    return tuple(read_passages(text))
