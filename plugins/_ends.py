"""What happens when the budget ends, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, get_args

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langgraph.errors import GraphDrained

from budgetkit import AccountState, Amount, BudgetExceeded, Spend

from ._errors import in_graph

__all__ = ["MARK", "AtEnd", "check_at_end", "leave", "notice", "question", "refused_rounds", "top_up_of", "used_up"]

AtEnd = Literal["answer", "stop", "raise", "ask", "drain"]
"""answer: one last call from the reserve, without tools · stop: a notice · raise: `BudgetExceeded` · ask: a person may
top up (an interrupt) · drain: the graph stops at a checkpoint and can be resumed after a top-up."""

MARK: Final = "budgetkit"
"""The key under which a message says what the budget did to it."""


def check_at_end(at_end: str) -> None:
    """Refuse an end that is none."""
    if at_end not in get_args(AtEnd):
        raise ValueError(f"at_end={at_end!r} is not an end: use one of {', '.join(map(repr, get_args(AtEnd)))}")


def leave(at_end: AtEnd, refusal: BudgetExceeded) -> None:
    """Leave the graph, if that is the end that was chosen."""
    if at_end == "drain":
        raise GraphDrained(str(refusal)) from None
    if at_end == "raise":
        raise in_graph(refusal) from None


def notice(refusal: BudgetExceeded) -> AIMessage:
    """The message of a run that was stopped: for people, with numbers."""
    text = f"Stopped: the budget for {refusal.resource} is used up ({refusal.spent} of {refusal.limit})."
    return AIMessage(text, response_metadata={MARK: mark("stop", refusal)})


def mark(ended: str, refusal: BudgetExceeded) -> dict[str, str]:
    """What the last message says of the end."""
    return {"ended": ended, "resource": refusal.resource, "account": "/".join(refusal.account)}


def question(refusal: BudgetExceeded) -> dict[str, Any]:
    """What a person is asked who may top the budget up."""
    return {
        "budget": "/".join(refusal.account),
        "resource": refusal.resource,
        "limit": str(refusal.limit),
        "spent": str(refusal.spent),
        "asked": str(refusal.asked),
        "message": f"{refusal}. Resume with a top-up such as {{{refusal.resource!r}: 5}}, or with None to end here.",
    }


def top_up_of(reply: object) -> Spend | None:
    """The top-up that a person replied with; None for no."""
    if not reply:
        return None
    if not isinstance(reply, Mapping):
        raise TypeError(f"a budget was asked for and {reply!r} was replied: resume with a mapping like {{'usd': '0.05'}}")
    return Spend.of({str(name): amount for name, amount in reply.items()})


def used_up(states: tuple[AccountState, ...], tools: Sequence[str]) -> BudgetExceeded | None:
    """The refusal that any further tool call would meet; None while a tool can still be called."""
    names = ["tool_calls", *(f"tool:{tool}" for tool in tools)]
    empty = [(s, n) for s in states for n in names if s.left(n) == 0]
    barred = {n for _, n in empty}
    if not empty or ("tool_calls" not in barred and not barred >= set(names[1:])):
        return None
    state, name = empty[0]
    spent, reserved = state.spent.in_units(name), state.reserved.in_units(name)
    return BudgetExceeded(
        resource=name, account=state.account, limit=state.limits[name], spent=spent, reserved=reserved, asked=1
    )


def refused_rounds(messages: Sequence[BaseMessage]) -> int:
    """How many of the last rounds of tool calls in a row were refused whole: a model that will not hear no."""
    rounds, index = 0, len(messages)
    while index and isinstance(messages[index - 1], ToolMessage):
        start = index
        while start and isinstance(messages[start - 1], ToolMessage):
            start -= 1
        if not all(MARK in message.additional_kwargs for message in messages[start:index]):
            break
        rounds, index = rounds + 1, start - 1  # past the AI message that asked
    return rounds


def no_calls_left(refusal: BudgetExceeded, tool: str) -> str:
    """What the model reads in place of a tool's result: no account names, no jargon."""
    if refusal.resource in {"tool_calls", f"tool:{tool}"}:
        what = "no tool calls are" if refusal.resource == "tool_calls" else f"no calls of {tool} are"
        return f"Not run: {what} left ({_of(refusal.spent, refusal.limit)} used). Answer from what you have."
    return f"Not run: the budget for {refusal.resource} does not pay for it. Answer from what you have."


def _of(spent: Amount, limit: Amount) -> str:
    return f"{spent} of {limit}"
