"""Ready graphs around a `PlannerNode`: a planner, its tools, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import partial
from typing import Any, Final, Protocol

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, MessagesState, StateGraph  # pyright: ignore[reportMissingTypeStubs]  # it has types of its own
from langgraph.graph.state import CompiledStateGraph  # pyright: ignore[reportMissingTypeStubs]  # as above
from langgraph.prebuilt import ToolNode, tools_condition

from budgetkit import Budget
from budgetkit.plugins import (
    Auto,
    Bats,
    Bavt,
    BestOfN,
    ChatPolicy,
    Majority,
    OfflinePolicy,
    PlannerNode,
    PlannerState,
    Policy,
    RandomTree,
    React,
    Sequential,
    Strategy,
    UniformTree,
    Voi,
)

from ._offline import OfflineChatModel

__all__ = ["PLANNERS", "Planner", "auto", "bats", "bavt", "majority", "planner", "policy_for", "voi"]

Graph = CompiledStateGraph[Any, Any, Any, Any]


def policy_for(model: BaseChatModel | Policy) -> Policy:
    """How a model thinks: the offline model in words alone, for nothing; any other chat model as a `ChatPolicy`."""
    if isinstance(model, OfflineChatModel):
        return OfflinePolicy()
    return ChatPolicy(model) if isinstance(model, BaseChatModel) else model


def planner(
    model: BaseChatModel | Policy,
    tools: Sequence[BaseTool],
    budget: Budget,
    strategy: Strategy,
    *,
    checkpointer: Any = None,
    **options: Any,
) -> Graph:
    """A graph that answers questions by a search, with messages in and out.

    Args:
        model: a chat model, or a `Policy`.
        tools: what the search may call.
        budget: the limits of one question.
        strategy: what to do next.
        checkpointer: keeps the search, so that it can be resumed in the middle.
        options: further arguments of `PlannerNode`, such as ``parallel``, ``prices`` or ``at_end``.
    """
    node = PlannerNode(policy_for(model), tools, budget, strategy=strategy, **options)
    acting = ToolNode(
        list(tools), handle_tool_errors=True, wrap_tool_call=node.wrap_tool_call, awrap_tool_call=node.awrap_tool_call
    )
    graph: Any = StateGraph(MessagesState)  # its methods are typed in part only
    graph.add_node("planner", node)
    graph.add_node("tools", acting, input_schema=PlannerState)
    graph.add_edge(START, "planner")
    graph.add_conditional_edges("planner", tools_condition, {"tools": "tools", END: END})
    graph.add_edge("tools", "planner")
    made: Graph = graph.compile(checkpointer=checkpointer, name=strategy.name)
    return made


class Planner(Protocol):
    """Makes a ready graph; settings of the strategy and options of `PlannerNode` are keywords."""

    def __call__(
        self, model: BaseChatModel | Policy, tools: Sequence[BaseTool], budget: Budget, **options: Any
    ) -> Graph: ...


def _made(
    make: Callable[..., Strategy],
    model: BaseChatModel | Policy,
    tools: Sequence[BaseTool],
    budget: Budget,
    **options: Any,
) -> Graph:
    """A graph around a strategy: keywords that are its settings go to it, the others to the planner."""
    names = {field.name for field in fields(make)} if isinstance(make, type) else set[str]()
    settings = {name: options.pop(name) for name in names & options.keys()}
    options.pop("seed", None)
    return planner(model, tools, budget, make(**settings), **options)


def bats(model: BaseChatModel | Policy, tools: Sequence[BaseTool], budget: Budget, **options: Any) -> Graph:
    """BATS (arXiv 2511.17006): plan, act, verify; go on or pivot. Keywords: as `Bats` and `PlannerNode`."""
    return _made(Bats, model, tools, budget, **options)


def bavt(model: BaseChatModel | Policy, tools: Sequence[BaseTool], budget: Budget, **options: Any) -> Graph:
    """BAVT (arXiv 2603.12634): a value tree, greedier as the budget ends. Keywords: as `Bavt` and `PlannerNode`."""
    return _made(Bavt, model, tools, budget, **options)


def voi(model: BaseChatModel | Policy, tools: Sequence[BaseTool], budget: Budget, **options: Any) -> Graph:
    """VOI control (arXiv 2605.05701): value per unit of what is left. Keywords: as `Voi` and `PlannerNode`."""
    return _made(Voi, model, tools, budget, **options)


def auto(model: BaseChatModel | Policy, tools: Sequence[BaseTool], budget: Budget, **options: Any) -> Graph:
    """The strategy that fits the size of the budget. Keywords: as `Auto` and `PlannerNode`."""
    return _made(Auto, model, tools, budget, **options)


def majority(model: BaseChatModel | Policy, tools: Sequence[BaseTool], budget: Budget, **options: Any) -> Graph:
    """Parallel chains and a vote: the papers' baseline. Keywords: as `Majority` and `PlannerNode`."""
    return _made(Majority, model, tools, budget, **options)


PLANNERS: Final[Mapping[str, Planner]] = {
    "auto": auto,
    "voi": voi,
    "bavt": bavt,
    "bats": bats,
    "majority": majority,
    "best of n": partial(_made, BestOfN),
    "sequential": partial(_made, Sequential),
    "chain": partial(_made, React),
    "uniform": partial(_made, UniformTree),
    "random tree": partial(_made, RandomTree),
}
"""The ready graphs by name: strategies, and the baselines that they are measured against."""
