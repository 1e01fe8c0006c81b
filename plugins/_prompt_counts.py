"""Counts prompts, and counts no message twice: an agent sends a growing conversation again at every step."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, final
from weakref import ref

from budgetkit import EstimateCounter, TiktokenCounter

from ._prompt import Schemas, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.messages import BaseMessage

    from budgetkit import TokenCounter

__all__ = ["PromptCounts"]

_ADDITIVE: Final = (TiktokenCounter, EstimateCounter)
"""To these counters a prompt is the sum of its messages, its tools and a constant."""

_FRAMES_KEPT: Final = 256


class _Known(NamedTuple):
    message: ref[BaseMessage]
    content: object
    model: str
    tokens: int


@final
class PromptCounts:
    """What prompts come to by one counter.

    Args:
        counter: how to count. One of our own is asked once for each message; any other once for each prompt.
    """

    __slots__ = ("_counter", "_frames", "_known", "_schemas")

    def __init__(self, counter: TokenCounter) -> None:
        self._counter = counter
        self._schemas = Schemas()
        self._known: dict[int, _Known] = {}
        # the schemas are kept beside their count, so that their ids stay their own
        self._frames: dict[tuple[str, tuple[int, ...]], tuple[list[Mapping[str, Any]], int]] = {}

    def of(self, model: str, messages: Sequence[BaseMessage], tools: Sequence[Any]) -> int:
        """The tokens of these messages and tools as one prompt for ``model``."""
        schemas = self._schemas.of(tools)
        if not isinstance(self._counter, _ADDITIVE):
            return self._counter.count(plain(messages), tools=schemas, model=model).tokens
        return self._frame(model, schemas) + sum([self._message(model, message) for message in messages])

    def _message(self, model: str, message: BaseMessage) -> int:
        known = self._known.get(id(message))
        if (
            known is not None
            and known.message() is message
            and known.content is message.content
            and known.model == model
        ):
            return known.tokens
        tokens = self._counter.count(plain([message]), model=model).tokens - self._frame(model, [])
        gone = ref(message, partial(_forget, self._known, id(message)))
        self._known[id(message)] = _Known(gone, message.content, model, tokens)
        return tokens

    def _frame(self, model: str, schemas: list[Mapping[str, Any]]) -> int:
        """The tokens of a prompt without messages."""
        key = model, tuple(map(id, schemas))
        found = self._frames.get(key)
        if found is None:
            if len(self._frames) >= _FRAMES_KEPT:
                self._frames.clear()
            found = self._frames[key] = (schemas, self._counter.count([], tools=schemas, model=model).tokens)
        return found[1]


def _forget(known: dict[int, _Known], key: int, gone: ref[BaseMessage]) -> None:
    """The message is gone; its id may be another's by now, which then keeps what is known of it."""
    found = known.get(key)
    if found is not None and found.message is gone:
        del known[key]
