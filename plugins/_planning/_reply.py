"""What a model said, as JSON: read as it is where that works, repaired where it does not."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import json_repair
from langchain.agents.middleware import ModelResponse

from .._cut import was_cut
from ._plain import plain, plain_text

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage

__all__ = ["Reply", "read_reply"]

_THOUGHT: Final = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL | re.IGNORECASE)
_FENCE: Final = re.compile(r"\A\s*```\w*\s*|\s*```\s*\Z")
_REPAIRED: Final = 4000
"""Characters of a broken text that are repaired; the time that takes may grow with their square."""

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of a model.

    Attributes:
        text: all of it, without thoughts and fences; of a JSON string what is in it.
        records: the JSON objects in it, and the tool calls that came beside it, in order.
        cut: whether it ended in the middle, at its cap or otherwise: then the last part of it is not whole.
        bare: whether it is a JSON string and nothing else.
    """

    text: str
    records: tuple[Record, ...] = ()
    cut: bool = False
    bare: bool = False

    @property
    def prose(self) -> str | None:
        """The text, if it is words and no JSON that broke, and is all there."""
        written = self.records or self.cut or "{" in self.text or self.text.startswith("[")
        return None if written else self.text

    def best(self, *names: str) -> Record | None:
        """The object that has most of these names; None if none has any."""
        best = max(self.records, key=lambda record: len(record.keys() & set(names)), default=None)
        return best if best and best.keys() & set(names) else None

    def unfinished(self, record: Record) -> str | None:
        """The name of the value in which the output ended; None if the object is whole."""
        return next(reversed(record), None) if self.cut and record is self.records[-1] else None


def read_reply(message: AIMessage, cap: int) -> Reply:
    """Read an answer; whatever it is, this does not raise.

    Args:
        message: the answer.
        cap: output tokens at which it was cut off.
    """
    ended = was_cut(ModelResponse(result=[message]), cap)
    text = plain_text(_FENCE.sub("", _THOUGHT.sub("", message.text))).strip()
    calls = [] if ended else _calls(message)
    literal = _literal(text)
    if literal is not None and not calls:
        return Reply(literal, bare=True)
    values, rest = _whole(text)
    mended = _mended(rest)
    broken = bool(mended) and (ended or len(rest) > _REPAIRED or not rest.endswith("}"))
    records = [record for value in (*calls, *values, *mended) if (record := _record(value))]
    silent = not records and (ended or (not text and bool(message.text.strip())))  # a thought alone is no answer
    return Reply(text, tuple(records), cut=broken or silent)


def _calls(message: AIMessage) -> list[Any]:
    """Tool calls that a model made of its own accord; arguments that LangChain could not read come as they are."""
    made = [{"tool": call["name"], "args": call["args"]} for call in message.tool_calls]
    return [*made, *({"tool": call["name"], "args": call["args"]} for call in message.invalid_tool_calls)]


def _literal(text: str) -> str | None:
    """What is in a JSON string."""
    if not (text.startswith('"') and text.endswith('"')):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return plain_text(value).strip() if isinstance(value, str) else None


def _whole(text: str) -> tuple[list[Any], str]:
    """The objects in a text that are whole, and what is left from the first that is not."""
    found: list[Any] = []
    at, decoder = 0, json.JSONDecoder()
    while (start := text.find("{", at)) >= 0:
        try:
            value, at = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            return found, text[start:].rstrip()
        found.append(value)
    return found, ""


def _mended(rest: str) -> list[Any]:
    if not rest:
        return []
    try:
        value = json_repair.loads(rest[:_REPAIRED], skip_json_loads=True)
    except (ValueError, RecursionError):
        return []
    return value if isinstance(value, list) else [value]


def _record(value: object) -> Record | None:
    """An object of plain values; None for anything else."""
    try:
        made = plain(value)
    except ValueError:
        return None
    return cast("Record", made) if isinstance(made, dict) else None
