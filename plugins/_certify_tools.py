"""Tools: which are known to call nothing, which are graphs in disguise, and how often each can be called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from inspect import ismethod
from typing import Any, Final

from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool

from ._certify_amounts import Cost, Most, least, plus, times
from ._certify_code import cells, home
from ._certify_steps import Holder

__all__ = ["graphs_in", "held_calls", "is_known_tool", "is_plain_handler", "loose_calls", "loose_tools"]

_AS_TOOL: Final = "langchain_core.tools.convert"
_TASK: Final = "deepagents.middleware.subagents"
_KNOWN: Final = ("deepagents.middleware.filesystem", "langchain.agents.middleware.todo")
"""Where the hosts' tools are written that call no model, as read in their source."""


def is_known_tool(tool: BaseTool) -> bool:
    """Whether a tool of the hosts is known to call no model and no other tool."""
    functions = _functions(tool)
    return bool(functions) and all(home(function) in _KNOWN for function in functions)


def is_plain_handler(handler: object) -> bool:
    """Whether a tool node's handler of errors is langgraph's own, or names the errors that it handles."""
    return isinstance(handler, type) or home(handler).startswith("langgraph.")


def graphs_in(tool: BaseTool) -> dict[str, Runnable[Any, Any]]:
    """The sub-agents that a tool runs and nothing else: ``graph.as_tool()``, and the ``task`` of deepagents."""
    found = [_graphs_of(function) for function in _functions(tool)]
    return found[0] if found and all(found) else {}


def _graphs_of(function: Callable[..., Any]) -> dict[str, Runnable[Any, Any]]:
    inside = cells(function)
    if home(function) == _AS_TOOL and "runnable" in inside:
        return {"": inside["runnable"]}
    if home(function) == _TASK and "subagent_graphs" in inside:
        return dict(inside["subagent_graphs"])
    owner: Any = getattr(function, "__self__", None)
    if ismethod(function) and hasattr(owner, "ainvoke") and function.__name__ in {"invoke", "ainvoke"}:
        return {"": owner}
    return {}


def _functions(tool: BaseTool) -> list[Callable[..., Any]]:
    both = (getattr(tool, "func", None), getattr(tool, "coroutine", None))
    return [function for function in both if function is not None]


def held_calls(name: str, holder: Holder, limits: Mapping[str, int]) -> Most:
    """How many calls of one tool its holder lets through, in one run under these limits."""
    resources = ("tool_calls", f"tool:{name}")
    return least(*(limits.get(r) for r in resources), *(holder.most(r) for r in resources))


def loose_calls(name: str, limits: Mapping[str | None, int]) -> Most:
    """How many calls of one tool `ToolCallLimitMiddleware` lets through, in one run of its graph."""
    return least(limits.get(None), limits.get(name))


def loose_tools(names: Iterable[str], limits: Mapping[str | None, int], tries: int) -> Cost:
    """What the calls of tools cost that nobody holds, in one run of their graph: so many calls, at any price."""
    each = {f"tool:{name}": times(loose_calls(name, limits), tries) for name in names}
    whole = least(times(limits.get(None), tries), plus(*each.values()))
    return Cost({**each, "tool_calls": whole, "usd": None, "seconds": None})
