"""The refusal as it travels inside a graph."""

from __future__ import annotations

from typing import final

from langgraph.errors import GraphBubbleUp, GraphDrained

from budgetkit import BudgetExceeded, BudgetTooSmall

__all__ = ["BudgetDrained", "GraphBudgetExceeded", "GraphBudgetTooSmall", "in_graph"]


@final
class GraphBudgetExceeded(BudgetExceeded, GraphBubbleUp):
    """A `BudgetExceeded` that no tool node, retry, fallback or error handler swallows.

    LangGraph re-raises its own control-flow errors before it looks at anybody's error policy; being one of them is
    the only way out through ``handle_tool_errors``, ``RetryPolicy`` and the retry middlewares.
    ``except BudgetExceeded`` catches it like any other.
    """


@final
class GraphBudgetTooSmall(BudgetTooSmall, GraphBubbleUp):
    """A `BudgetTooSmall` that travels in the same way."""


@final
class BudgetDrained(GraphDrained):
    """The graph stopped at a checkpoint because the budget ended; after a top-up ``invoke(None, config)`` goes on.

    ```python
    except BudgetDrained as drained:
        middleware.ledger.top_up(drained.refusal.account, Spend(llm_calls=5), id="granted by Ada")
    ```

    Attributes:
        refusal: what was refused, and whose limit it was.
    """

    def __init__(self, refusal: BudgetExceeded) -> None:
        """The reason that LangGraph shows is the refusal's message."""
        self.refusal = refusal
        super().__init__(str(refusal))

    def __reduce__(self) -> tuple[type[BudgetDrained], tuple[BudgetExceeded]]:
        return BudgetDrained, (self.refusal,)


def in_graph(refusal: BudgetExceeded) -> BudgetExceeded:
    """The same refusal, able to leave a graph."""
    if isinstance(refusal, GraphBubbleUp):
        return refusal
    return refusal.as_type(GraphBudgetTooSmall if isinstance(refusal, BudgetTooSmall) else GraphBudgetExceeded)
