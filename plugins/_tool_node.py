"""`BudgetToolNode`: a `ToolNode` on a budget, and the wrappers for a tool node that is there already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

from langgraph.prebuilt import ToolNode

from ._ends import check_at_end
from ._in_flight import Money
from ._runs import Per, Runs
from ._tariff import ToolUnits
from ._tool_gate import ToolGate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.tools import BaseTool

    from budgetkit import Budget, Ledger, PriceBook

__all__ = ["BudgetToolNode", "ToolsAtEnd", "tool_wrappers"]

ToolsAtEnd = Literal["answer", "raise", "drain"]
"""answer: a call that is not paid is answered with an error message · raise: `BudgetExceeded` · drain: the graph stops
at a checkpoint. The other ends of `BudgetMiddleware` are about the model call that comes next."""


def tool_wrappers(
    budget: Budget,
    *,
    at_end: ToolsAtEnd = "answer",
    per: Per = "thread",
    tracker: bool = True,
    prices: PriceBook | None = None,
    ledger: Ledger | None = None,
    tool_units: ToolUnits | None = None,
    name: str = "tools",
) -> ToolGate:
    """The two wrappers of a bare `ToolNode`, sync and async.

    ```python
    gate = tool_wrappers(budget)
    ToolNode(tools, wrap_tool_call=gate.wrap_tool_call, awrap_tool_call=gate.awrap_tool_call)
    ```

    Args:
        budget: the limits; inside an open scope of this budget the tools spend from that scope.
        at_end: what happens to a call that is not paid: see `ToolsAtEnd`.
        per: whose budget it is outside of an open scope; a bare graph has threads, but no runs of its own.
        tracker: append what is left to each result.
        prices: what a unit of each tool costs.
        ledger: where the spend is recorded; None: in memory.
        tool_units: per tool, how many units a call is; one if not given.
        name: the account's name.

    Raises:
        ValueError: an unknown end, or one that a tool node alone cannot have.
    """
    check_at_end(at_end, get_args(ToolsAtEnd))
    runs = Runs(budget, name=name, per=per, ledger=ledger)
    return ToolGate(runs, Money.of(prices), at_end=at_end, tracker=tracker, units=tool_units)


class BudgetToolNode(ToolNode):
    """A `ToolNode` that reserves, refuses and reports; the arguments are those of `tool_wrappers`.

    Args:
        tools: the tools, as for `ToolNode`.
        budget: the limits.
        tool_node: further arguments of `ToolNode`, such as ``handle_tool_errors`` or ``messages_key``.
        options: the arguments of `tool_wrappers`.
    """

    def __init__(
        self,
        tools: Sequence[BaseTool | Any],
        budget: Budget,
        *,
        tool_node: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        """See the class."""
        gate = tool_wrappers(budget, **options)
        super().__init__(  # pyright: ignore[reportUnknownMemberType]  # the host's own signature
            tools, wrap_tool_call=gate.wrap_tool_call, awrap_tool_call=gate.awrap_tool_call, **(tool_node or {})
        )
