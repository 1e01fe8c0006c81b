"""`create_agent` from the outside: its model node, its tools, and what LangChain's own call limits stop."""

from __future__ import annotations

from typing import Any, Final

from langchain.agents.middleware import ModelCallLimitMiddleware, ToolCallLimitMiddleware
from langgraph.constants import START
from langgraph.prebuilt import ToolNode

from ._certify_amounts import Most
from ._certify_code import cells, functions_of, home
from ._certify_layers import Around, around, layers_of
from ._certify_shape import Graph, Shape
from ._certify_steps import Count

__all__ = [
    "call_limits",
    "caps_of",
    "hook_of",
    "is_model_node",
    "model_layers",
    "provider_tools",
    "read",
    "tool_layers",
]

_MODEL: Final = "model"
_TOOLS: Final = "tools"


def is_model_node(node: object) -> bool:
    """Whether this is the node in which `create_agent` calls its model."""
    functions = functions_of(node)
    return bool(functions) and all(
        home(f) == "langchain.agents.factory" and f.__name__ in {"model_node", "amodel_node"} for f in functions
    )


def model_layers(node: object) -> list[list[object]]:
    """The layers around the model call, sync and async."""
    inside = [cells(function) for function in functions_of(node)]
    return [
        layers_of(names.get("wrap_model_call_handler") or names.get("awrap_model_call_handler")) for names in inside
    ]


def read(chains: list[list[object]], runs: Most, where: str) -> Around:
    """What the layers make of one call, on the worse of the sync and the async way."""
    ways = [around(layers, runs, where) for layers in chains]
    held = {way.holder for way in ways}
    return Around(
        held.pop() if len(held) == 1 else None,
        max((way.tries or 1) for way in ways),
        tuple(dict.fromkeys(name for way in ways for name in way.opaque)),
        tuple(dict.fromkeys(name for way in ways for name in way.inside)),
    )


def tool_layers(node: ToolNode) -> list[list[object]]:
    """The layers around a tool call; without an async wrapper the sync one is used for both."""
    sync, awaited = vars(node)["_wrap_tool_call"], vars(node)["_awrap_tool_call"]
    return [layers_of(sync), layers_of(awaited if awaited is not None else sync)]


def provider_tools(node: object) -> tuple[str, ...]:
    """The tools that run at the provider: no tool node sees them."""
    tools: list[Any] = [tool for function in functions_of(node) for tool in cells(function).get("default_tools", ())]
    provided = [tool for tool in tools if not hasattr(tool, "invoke")]  # descriptions in the provider's own words
    return tuple(dict.fromkeys(str(tool.get("name") or tool.get("type")) for tool in provided))


def hook_of(node: object) -> object | None:
    """The middleware whose hook this node is; None if it is none."""
    owners = [getattr(function, "__self__", None) for function in functions_of(node)]
    return owners[0] if owners and owners[0] is not None and all(owner is owners[0] for owner in owners) else None


def caps_of(graph: Graph, shape: Shape) -> dict[str, Count]:
    """How often the model node runs under a `ModelCallLimitMiddleware` that every way round the loop leads through."""
    nodes: Any = graph.builder.nodes
    if _MODEL not in nodes or not is_model_node(nodes[_MODEL].runnable):
        return {}
    caps = [
        (_limit(layer), name)
        for name, node in nodes.items()
        if name.endswith(".before_model") and _is(layer := hook_of(node.runnable), ModelCallLimitMiddleware)
        if shape.passes(_MODEL, _MODEL, name) and shape.passes(START, _MODEL, name)
        if shape.passes(_MODEL, _MODEL, name.replace(".before_model", ".after_model"))
    ]
    if not caps:
        return {}
    most, name = min(caps)
    return {_MODEL: Count(most, f"at most {most} times, the limit of {name.removesuffix('.before_model')}")}


def call_limits(graph: Graph, shape: Shape) -> dict[str | None, int]:
    """How many calls of each tool (None: of all together) `ToolCallLimitMiddleware` lets through in one run."""
    nodes: Any = graph.builder.nodes
    limits: dict[str | None, int] = {}
    for name, node in nodes.items():
        layer: Any = hook_of(node.runnable)
        if _is(layer, ToolCallLimitMiddleware) and shape.passes(START, _TOOLS, name):
            limits[layer.tool_name] = min(_limit(layer), limits.get(layer.tool_name, _limit(layer)))
    return limits


def _is(layer: object, kind: type) -> bool:
    return type(layer) is kind


def _limit(layer: Any) -> int:
    limits: tuple[int | None, ...] = (layer.run_limit, layer.thread_limit)
    return min(limit for limit in limits if limit is not None)
