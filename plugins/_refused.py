"""Tool calls that were not run: how the agent is told, and when it is told no for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, ToolMessage

from budgetkit import BudgetExceeded, Spend

from ._ends import MARK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_core.messages import BaseMessage
    from langchain_core.messages.tool import ToolCall

    from budgetkit import AccountState

__all__ = ["refuse", "refused_rounds", "still_barred", "unanswered", "used_up", "with_answers"]


def refuse(refusal: BudgetExceeded, call: ToolCall, asked: Spend) -> ToolMessage:
    """What the model reads in place of a tool's result: no account names, no jargon."""
    mark = {"refused": refusal.resource, "units": max(1, asked.in_units(refusal.resource))}
    return _not_run(call, _why(refusal, call["name"]), {MARK: mark})


def _why(refusal: BudgetExceeded, tool: str) -> str:
    calls = {"tool_calls": "tool calls", f"tool:{tool}": f"calls of {tool}"}.get(refusal.resource)
    if calls is None:
        return f"Not run: the budget for {refusal.resource} does not pay for it. Answer from what you have."
    left = refusal.limit - refusal.spent - refusal.reserved
    if left > 0:
        return f"Not run: it is {refusal.asked} {calls}, and {left} of {refusal.limit} are left."
    return f"Not run: no {calls} are left of {refusal.limit}. Answer from what you have."


def _not_run(call: ToolCall, why: str, marks: dict[str, Any]) -> ToolMessage:
    return ToolMessage(why, name=call["name"], tool_call_id=call["id"] or "", status="error", additional_kwargs=marks)


def used_up(own: AccountState, tools: Sequence[str]) -> BudgetExceeded | None:
    """The refusal that any further tool call would meet; None while a tool can still be called, or there is none."""
    barred = [name for name in ("tool_calls", *(f"tool:{tool}" for tool in tools)) if _lacks(own, name, 1)]
    if not tools or not barred or ("tool_calls" not in barred and len(barred) < len(set(tools))):
        return None
    return own.refusal(barred[0], 1)


def still_barred(own: AccountState, messages: Sequence[BaseMessage], rounds: int) -> BudgetExceeded | None:
    """The refusal of the last ``rounds`` rounds of tool calls, if they were refused whole and would be again."""
    refused = list(refused_rounds(messages))
    if len(refused) < rounds:
        return None
    for name, units in (mark for answer in refused[0] if (mark := _mark(answer))):
        if _lacks(own, name, units):
            return own.refusal(name, units)
    return None


def _lacks(own: AccountState, name: str, units: int) -> bool:
    """Whether so many units are not left, beside what is kept for the answer."""
    left = own.left(name)
    return left is not None and left - own.kept.in_units(name) < units


def _mark(message: BaseMessage) -> tuple[str, int] | None:
    """What `refuse` wrote on a message; a tool may have written nonsense there."""
    match message.additional_kwargs.get(MARK):
        case {"refused": str(name), "units": int(units)}:
            return name, units
        case _:
            return None


def refused_rounds(messages: Sequence[BaseMessage]) -> Iterator[list[BaseMessage]]:
    """The last rounds of tool calls that were refused whole, the newest first."""
    end = len(messages)
    while end:
        start = end
        while start and isinstance(messages[start - 1], ToolMessage):
            start -= 1
        answers = list(messages[start:end])
        if not answers or not all(map(_mark, answers)):
            return
        yield answers
        end = start - 1  # past the message that asked


def unanswered(messages: Sequence[BaseMessage]) -> bool:
    """Whether a tool call is left dangling, as when a run was left before its tools were done."""
    answered = {m.tool_call_id for m in messages if isinstance(m, ToolMessage)}
    return any(c["id"] not in answered for m in messages if isinstance(m, AIMessage) for c in m.tool_calls)


def with_answers(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """The messages with every tool call answered: no provider takes a conversation with one that is not."""
    answered = {m.tool_call_id for m in messages if isinstance(m, ToolMessage)}
    whole: list[BaseMessage] = []
    for message in messages:
        whole.append(message)
        calls = message.tool_calls if isinstance(message, AIMessage) else []
        whole += [_not_run(c, "Not run: the run was left before.", {}) for c in calls if c["id"] not in answered]
    return whole
