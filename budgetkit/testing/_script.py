"""What a test writes down for a scripted model, and what the model was asked."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.tool import tool_call


class ScriptExhaustedError(AssertionError):
    """A scripted model was asked for more turns than its script has."""


@dataclass(frozen=True)
class ScriptedCall:
    """One tool call of a scripted turn, written down with :func:`call`."""

    tool: str
    args: Mapping[str, Any]


def call(tool: str, /, **args: Any) -> ScriptedCall:
    """Write down a tool call for a script: ``call("search", query="...")``."""
    return ScriptedCall(tool, args)


Turn: TypeAlias = (
    str | ScriptedCall | Sequence[ScriptedCall] | AIMessage | BaseException | Callable[[list[BaseMessage]], "Turn"]
)
"""What a scripted model says in one turn."""


@dataclass(frozen=True)
class ScriptedRequest:
    """What a scripted model was asked: the messages, the bound tools' schemas, and all other settings."""

    messages: tuple[BaseMessage, ...]
    tools: tuple[dict[str, Any], ...]
    settings: Mapping[str, Any]

    @property
    def tool_names(self) -> tuple[str, ...]:
        """The names of the bound tools."""
        return tuple(tool["function"]["name"] for tool in self.tools)

    @property
    def max_tokens(self) -> int | None:
        """The output cap that was asked for, in tokens."""
        cap: int | None = self.settings.get("max_tokens", self.settings.get("max_completion_tokens"))
        return cap


class Script:
    """The turns, whose turn it is, and what was asked: the state that all threads share."""

    def __init__(self, name: str, turns: Sequence[Turn], *, loop_last: bool) -> None:
        self._name, self._turns, self._loop_last = name, tuple(turns), loop_last
        self._lock = threading.Lock()
        self._requests: list[ScriptedRequest] = []

    @property
    def requests(self) -> tuple[ScriptedRequest, ...]:
        """What was asked so far."""
        with self._lock:
            return tuple(self._requests)

    def next(self, request: ScriptedRequest) -> tuple[int, Turn]:
        """Record a request; returns its number, from 0, and the turn that answers it."""
        with self._lock:
            number = len(self._requests)
            self._requests.append(request)
        return number, self._turn(number)

    def _turn(self, number: int) -> Turn:
        if number < len(self._turns):
            return self._turns[number]
        if self._loop_last and self._turns:
            return self._turns[-1]
        raise ScriptExhaustedError(
            f"the script of {self._name!r} has {len(self._turns)} turn(s) and was asked for turn {number + 1}: "
            "write that turn down, or pass loop_last=True"
        )


def read_turn(turn: Turn, messages: list[BaseMessage], call_id: str) -> AIMessage:
    """Read one turn of the script as a message; an exception is raised."""
    if isinstance(turn, BaseException):
        raise turn
    if isinstance(turn, str):
        return AIMessage(turn)
    if isinstance(turn, AIMessage):
        return turn
    if callable(turn):
        return read_turn(turn(list(messages)), messages, call_id)
    calls = [turn] if isinstance(turn, ScriptedCall) else turn
    return AIMessage("", tool_calls=[_tool_call(c, f"{call_id}-{i}") for i, c in enumerate(calls, 1)])


def _tool_call(scripted: ScriptedCall, call_id: str) -> Any:
    return tool_call(name=scripted.tool, args=dict(scripted.args), id=call_id)
