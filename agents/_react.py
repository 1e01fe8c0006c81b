"""`react`: the reason-and-act agent, with a budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain.agents import create_agent  # pyright: ignore[reportUnknownVariableType]  # the host's own signature
from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool
from langgraph.graph.state import CompiledStateGraph  # pyright: ignore[reportMissingTypeStubs]  # it has types of its own

from budgetkit import Budget
from budgetkit.plugins import BudgetMiddleware

__all__ = ["react"]

_PROMPT = (
    "Answer the question with the help of the tools. Search for one thing at a time, and follow what you find to what "
    "is still missing. When you know the answer, give it in as few words as answer it, and nothing else."
)


def react(
    model: BaseChatModel,
    tools: Sequence[BaseTool],
    budget: Budget | None = None,
    *,
    tracker: bool = True,
    system_prompt: str = _PROMPT,
    checkpointer: Any = None,
    **options: Any,
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """A ReAct agent (Yao et al., arXiv 2210.03629) on `create_agent`, with the Budget Tracker (arXiv 2511.17006).

    Args:
        model: any chat model that can call tools.
        tools: what it may call.
        budget: the limits of one run; None: the agent is bare.
        tracker: tell the agent what is left after each tool result.
        system_prompt: what it is asked to do.
        checkpointer: as for `create_agent`.
        options: further arguments of `BudgetMiddleware`, such as ``prices`` or ``at_end``.
    """
    middleware = [] if budget is None else [BudgetMiddleware(budget, tracker=tracker, **options)]
    return create_agent(
        model, tools=list(tools), system_prompt=system_prompt, middleware=middleware, checkpointer=checkpointer
    )
