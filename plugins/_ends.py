"""What happens when the budget ends, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args

from langchain_core.messages import AIMessage
from langgraph.types import interrupt

from budgetkit import Spend

from ._errors import BudgetDrained, in_graph

if TYPE_CHECKING:
    from budgetkit import BudgetExceeded

__all__ = ["MARK", "AtEnd", "ask_person", "check_at_end", "leave", "mark", "notice"]

AtEnd = Literal["answer", "stop", "raise", "ask", "drain"]
"""answer: one last call from the reserve, without tools · stop: a notice · raise: `BudgetExceeded` · ask: a person may
top up (an interrupt), else as answer · drain: the graph stops at a checkpoint and goes on after a top-up."""

MARK: Final = "budgetkit"
"""The key under which a message says what the budget did to it."""


def check_at_end(at_end: str, ends: tuple[str, ...] = get_args(AtEnd)) -> None:
    """Refuse an end that is none."""
    if at_end not in ends:
        raise ValueError(f"at_end={at_end!r} is not an end: use one of {', '.join(map(repr, ends))}")


def leave(at_end: AtEnd, refusal: BudgetExceeded) -> None:
    """Leave the graph, if that is the end that was chosen."""
    if at_end == "drain":
        raise BudgetDrained(refusal) from None
    if at_end == "raise":
        raise in_graph(refusal) from None


def notice(refusal: BudgetExceeded) -> AIMessage:
    """The message of a run that was stopped: for people, with numbers."""
    text = f"Stopped: the budget for {refusal.resource} is used up ({refusal.spent} of {refusal.limit})."
    return AIMessage(text, response_metadata={MARK: mark("stop", refusal)})


def mark(ended: str, refusal: BudgetExceeded) -> dict[str, str]:
    """What the last message says of the end."""
    return {"ended": ended, "resource": refusal.resource, "account": "/".join(refusal.account)}


def ask_person(refusal: BudgetExceeded) -> Spend | None:
    """The top-up that a person grants; None for no.

    A reply that is no top-up is asked about again: replies are replayed in their order when a node is entered again.
    """
    question = _question(refusal)
    while True:
        reply = interrupt(question)
        if not reply:
            return None
        try:
            return _top_up(reply)
        except (TypeError, ValueError) as slip:
            question = {**question, "mistake": str(slip)}


def _question(refusal: BudgetExceeded) -> dict[str, Any]:
    return {
        "budget": "/".join(refusal.account),
        "resource": refusal.resource,
        "limit": str(refusal.limit),
        "spent": str(refusal.spent),
        "asked": str(refusal.asked),
        "message": f"{refusal}. Resume with a top-up such as {{{refusal.resource!r}: 5}}, or with False to end here.",
    }


def _top_up(reply: object) -> Spend:
    if not isinstance(reply, Mapping):
        raise TypeError(f"{reply!r} is no top-up: resume with a mapping like {{'usd': '0.05'}}, or with False")
    granted = cast("Mapping[object, object]", reply)
    return Spend.of({str(name): amount for name, amount in granted.items()})
