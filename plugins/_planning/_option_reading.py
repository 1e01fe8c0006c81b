"""From what a model said to what can be done next: calls that the tools take, and answers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, cast

from ._reading import answer_text, tenths, words
from ._results import Option
from ._tool_args import fitted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ._reply import Record, Reply
    from ._view import ToolSpec

__all__ = ["ranked", "read_options"]

_NAMES: Final = ("tool", "name", "action", "function")
_ARGS: Final = ("args", "arguments", "parameters", "action_input", "input")
_ABOUT: Final = {"gain", "why"}
_TO_ANSWER: Final = {"answer", "final_answer", "finish", "respond"}
_EVEN: Final = 0.5


def read_options(reply: Reply, tools: Sequence[ToolSpec]) -> list[Option]:
    """What a reply proposes, as far as it can be done.

    A tool that nobody has and arguments that do not fit are left out, unless it is plain what was meant. So is a call
    or an answer in which the output ended: half an argument is not what the model asked for.
    """
    if reply.bare:
        made = [_call({}, reply.text, tools[0])] if len(tools) == 1 and answer_text(reply.text) else []
    else:
        made = [_option(record, tools) for record in reply.records if reply.unfinished(record) in {None, *_ABOUT}]
    return [option for option in made if option]


def ranked(options: Iterable[Option], n: int) -> tuple[Option, ...]:
    """At most ``n`` different options: first what was proposed most often, then what promises most."""
    listed = list(options)
    votes = Counter(option.key for option in listed)
    best = {option.key: option for option in sorted(listed, key=lambda option: option.gain)}
    order = sorted(votes, key=lambda key: (-votes[key], -best[key].gain))
    return tuple(best[key] for key in order[:n])


def _option(record: Record, tools: Sequence[ToolSpec]) -> Option | None:
    """A call of the tool that is named; else an answer; else a call of the only tool."""
    do: Record = record["do"] if isinstance(record.get("do"), dict) else record
    name = next((do[key] for key in _NAMES if isinstance(do.get(key), str)), "").strip()
    args = next((do[key] for key in _ARGS if key in do), None)
    args = _flat(do) if args is None else args
    tool = _named(name, tools)
    if tool and (call := _call(record, args, tool)):
        return call
    if answer := _answer(name, do, args):
        return Option(answer=answer, gain=_gain(record), why=words(record, "why"))
    lone = tool is None and len(tools) == 1 and name.lower() not in _TO_ANSWER
    return _call(record, args, tools[0]) if lone else None


def _call(record: Record, args: object, tool: ToolSpec) -> Option | None:
    made = fitted(args, tool.parameters)
    return None if made is None else Option(tool.name, made, gain=_gain(record), why=words(record, "why"))


def _named(name: str, tools: Sequence[ToolSpec]) -> ToolSpec | None:
    """The tool of that name; upper case, a namespace before it and brackets after it do not matter."""
    plain = name.casefold().removesuffix("()").rpartition(".")[2]
    return next((tool for tool in tools if tool.name == name), None) or next(
        (tool for tool in tools if tool.name.casefold() == plain), None
    )


def _answer(name: str, do: Record, args: object) -> str:
    """The answer that is proposed, under its own name or as if to answer were a tool."""
    if "answer" in do:
        return answer_text(do["answer"])
    if name.lower() not in _TO_ANSWER:
        return ""
    values = list(cast("dict[str, object]", args).values()) if isinstance(args, dict) else [args]
    return answer_text(values[0]) if len(values) == 1 else ""


def _flat(do: Record) -> dict[str, Any]:
    """Arguments that stand beside the tool's name."""
    return {key: value for key, value in do.items() if key not in {*_NAMES, *_ABOUT, "do", "answer"}}


def _gain(record: Record) -> float:
    gain = tenths(record.get("gain"))
    return _EVEN if gain is None else gain
