"""The refusal as it travels inside a graph."""

from __future__ import annotations

from typing import final

from langgraph.errors import GraphBubbleUp

from budgetkit import BudgetExceeded, BudgetTooSmall

__all__ = ["GraphBudgetExceeded", "GraphBudgetTooSmall", "in_graph"]


@final
class GraphBudgetExceeded(BudgetExceeded, GraphBubbleUp):
    """A `BudgetExceeded` that no tool node, retry, fallback or error handler swallows.

    LangGraph re-raises its own control-flow errors before it looks at anybody's error policy; being one of them is
    the only way out through ``handle_tool_errors``, ``RetryPolicy`` and the retry middlewares. ``except BudgetExceeded``
    catches it like any other.
    """


@final
class GraphBudgetTooSmall(BudgetTooSmall, GraphBubbleUp):
    """A `BudgetTooSmall` that travels in the same way."""



def in_graph(refusal: BudgetExceeded) -> BudgetExceeded:
    """The same refusal, able to leave a graph."""
    if isinstance(refusal, GraphBubbleUp):
        return refusal
    return refusal.as_type(GraphBudgetTooSmall if isinstance(refusal, BudgetTooSmall) else GraphBudgetExceeded)
