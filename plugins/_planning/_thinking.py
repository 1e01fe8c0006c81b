"""Carries out the moves that are a model's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._moves import Move
    from ._policy import Pay, Policy
    from ._results import Result
    from ._view import View

__all__ = ["think"]


async def think(move: Move, view: View, policy: Policy, pay: Pay) -> Result:
    """What the policy makes of a move.

    Raises:
        BudgetExceeded: the budget does not pay for the thought.
    """
    match move.kind:
        case "plan":
            return await policy.plan(view, pay)
        case "propose":
            return await policy.propose(view, move.n, pay)
        case "appraise":
            return await policy.appraise(view, pay)
        case "verify":
            return await policy.verify(view, move.text, pay)
        case "answer":
            return await policy.answer(view, pay)
        case "act" | "finish":
            raise ValueError(f"move {move.id!r} is no thought: tools act, and a finish is told as it is asked")
