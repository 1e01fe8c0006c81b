"""The walk over a compiled graph: every place where something can be spent, and who holds it there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast, final

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableBinding, RunnableSequence
from langchain_core.tools import BaseTool
from langgraph.prebuilt import ToolNode

from ._certify_agent import (
    call_limits,
    caps_of,
    hook_of,
    is_model_node,
    model_layers,
    provider_tools,
    read,
    tool_layers,
)
from ._certify_amounts import FREE, MODEL_CALL, UNKNOWN, Cost, Most, times
from ._certify_code import functions_of, home, is_host, refers_to
from ._certify_layers import Around, is_known_free, name_of, units_known
from ._certify_shape import Graph, is_graph, own_limit, shape_of
from ._certify_steps import Count, Gated, Held, Holder, Loose, Step, loose_cost
from ._certify_tools import graphs_in, held_calls, is_known_tool, is_plain_handler, loose_calls, loose_tools
from ._node import Budgeted, budgeted_of
from ._tool_node import BudgetToolNode

__all__ = ["At", "Walk"]

_ONCE: Final = Count(1, "at most once")
_DECLARED: Final = "declared"
_PARTS: Final = ("langchain_core.prompts.", "langchain_core.output_parsers.")
"""Where the parts of a chain are written that call nothing; a class of the user's own may."""
_BARE_CALL: Final = "one model call, that no wrapper holds"


@dataclass(frozen=True, slots=True)
class At:
    """A place in a graph.

    Attributes:
        path: its name, ``outer/inner``.
        count: how often it is executed in the whole run.
        runs: how often the graph around it is run.
        at_once: how many executions may be under way at the same time.
        limit: the recursion limit in force, in supersteps.
        calls: what `ToolCallLimitMiddleware` lets through in one run of the graph around it.
    """

    path: str = ""
    count: Count = _ONCE
    runs: Most = 1
    at_once: Most = 1
    limit: int | None = None
    calls: Mapping[str | None, int] = field(default_factory=dict[str | None, int])

    @property
    def graph(self) -> str:
        """The path of the graph around it."""
        return self.path.rpartition("/")[0]

    def to(self, name: str, count: Count | None = None) -> At:
        """A place inside this one."""
        return replace(self, path=f"{self.path}/{name}" if self.path else name, count=count or self.count)


@final
class Walk:
    """One walk over one graph.

    Args:
        limits: the budget's own, in whole units.
        declared: what the user says that one execution of a place costs at most.
    """

    def __init__(self, limits: Mapping[str, int], declared: Mapping[str, Cost]) -> None:
        self._limits = limits
        self._declared = declared
        self.paths: dict[str, None] = {}
        """Every place that was asked about."""
        self.provider_tools: dict[str, None] = {}
        """Tools that run at the provider."""

    def graph(self, graph: Graph, at: At) -> Iterator[Step]:
        """A graph: its nodes, and the functions that choose among them."""
        shape = shape_of(graph)
        counts = shape.counts(at.limit, caps_of(graph, shape))
        at = replace(at, runs=at.count.most, calls=call_limits(graph, shape))
        builder: Any = graph.builder
        for name, spec in builder.nodes.items():
            count = _tried(counts[name], graph, name).times(at.count)
            inside = replace(at.to(name, count), at_once=None if name in shape.fanned else at.at_once)
            yield from self.node(spec.runnable, inside)
        for start, branches in builder.branches.items():
            count = counts.get(start, _ONCE)
            for name, branch in branches.items():
                yield from self._function(
                    branch.path, at.to(start).to(name, count.times(at.count)), "a conditional edge"
                )

    def node(self, node: Any, at: At) -> Iterator[Step]:
        """One node, whatever it is made of."""
        if (mark := _mark(node)) is not None:
            yield from self._gated(mark, at)
        elif is_model_node(node):
            yield from self._model(node, at)
        elif type(node) in {ToolNode, BudgetToolNode}:
            yield from self._tools(node, at)
        elif (cost := self._said(at)) is not None:
            yield Loose(at.path, cost, at.count, _DECLARED)
        elif is_graph(node):
            yield from self.graph(node, replace(at, limit=at.limit or own_limit(node)))
        else:
            yield from self._runnable(node, at)

    def _runnable(self, node: Any, at: At) -> Iterator[Step]:
        """What LangChain is made of: a model, a chain of parts, or a function."""
        if isinstance(node, BaseChatModel):
            yield Loose(at.path, MODEL_CALL, at.count, _BARE_CALL)
        elif type(node) is RunnableSequence:
            for n, part in enumerate(cast("Any", node).steps):
                yield from self.node(part, at.to(str(n)))
        elif type(node) is RunnableBinding:
            yield from self.node(cast("Any", node).bound, at)
        elif home(node).startswith(_PARTS):
            yield Loose(at.path, FREE, at.count, "calls no model and no tool")
        else:
            yield from self._function(node, at, "a node")

    def _function(self, code: Any, at: At, what: str) -> Iterator[Step]:
        """Code that somebody wrote: the hosts' is known, anybody else's may call anything."""
        layer, said = hook_of(code), self._said(at)
        if said is not None:
            yield Loose(at.path, said, at.count, _DECLARED)
        elif layer is not None and is_known_free(layer):
            yield Loose(at.path, FREE, at.count, f"a hook of {name_of(layer)}, which calls no model and no tool")
        elif what == "a conditional edge" and is_host(code):
            yield Loose(at.path, FREE, at.count, "the host's own choice of what comes next")
        else:
            yield Loose(at.path, UNKNOWN, at.count, f"{what} that is a function of its own: {_reach(code)}")

    def _said(self, at: At) -> Cost | None:
        self.paths[at.path] = None
        return self._declared.get(at.path)

    # -- what is held -----------------------------------------------------------------------------------------------

    def _gated(self, mark: Budgeted, at: At) -> Iterator[Step]:
        """A node on `budgeted`: what one execution does that nothing inside holds, and what is held inside."""
        said = self._said(at)
        inside = [Loose(at.path, said, _ONCE, _DECLARED)] if said is not None else []
        if said is None:
            once = self.node(mark.node, replace(at, count=_ONCE))
            inside = [_as_loose(step) for step in once if not isinstance(step, Held)]
            yield from (step for step in self.node(mark.node, at) if isinstance(step, Held))
        holder = Holder(
            (id(mark.made), at.path), "`budgeted`", mark.budget.limits_in_units, 1 if mark.per == "thread" else at.runs
        )
        if mark.otherwise is not None:
            yield from self._function(mark.otherwise, at.to("otherwise"), "what runs when the budget has ended,")
        yield Gated(at.path, holder, mark.aside, at.count, at.at_once, tuple(inside))

    def _model(self, node: Any, at: At) -> Iterator[Step]:
        """The model node of `create_agent`."""
        self.provider_tools |= dict.fromkeys(provider_tools(node))
        calls = read(model_layers(node), at.runs, at.graph)
        if calls.holder is not None:
            yield Held(at.path, calls.holder, "model")
        else:
            said = self._said(at)
            cost = (MODEL_CALL if said is None else said).times(calls.tries)
            tries = "" if calls.tries == 1 else f", tried up to {calls.tries} times"
            yield Loose(at.path, cost, at.count, f"{_BARE_CALL}{tries}")
        yield from self._layers(at, calls)

    def _layers(self, at: At, calls: Around) -> Iterator[Step]:
        """The middleware around a call that may call something by itself, or call again unheld."""
        whys = dict.fromkeys(calls.opaque, "a middleware that may call a model by itself, and no wrapper holds that")
        again = "calls again inside of BudgetMiddleware, unheld: put BudgetMiddleware last in middleware=[...]"
        for name, why in {**whys, **dict.fromkeys(calls.inside, again)}.items():
            inside = at.to(name)
            said = self._said(inside)
            yield Loose(inside.path, UNKNOWN if said is None else said, at.count, why if said is None else _DECLARED)

    # -- tools ------------------------------------------------------------------------------------------------------

    def _tools(self, node: ToolNode, at: At) -> Iterator[Step]:
        """A tool node: its calls, and what each tool may call in turn."""
        chains, names = tool_layers(node), list(node.tools_by_name)
        calls = read(chains, at.runs, at.graph)
        for name, tool in node.tools_by_name.items():
            units = all(units_known(layers, name) for layers in chains)
            count = self._calls(name, at, calls) if units else Count(None, "its calls have units of their own")
            yield from self._tool(tool, replace(at.to(name, count), at_once=None))
        if calls.holder is not None:
            yield Held(at.path, calls.holder, "tool")
        elif names:
            why = "as many tool calls as the model asks for, that no wrapper holds"
            yield Loose(at.path, loose_tools(names, at.calls, calls.tries), Count(at.runs, "its graph's runs"), why)
        if callable(handler := vars(node)["_handle_tool_errors"]) and not is_plain_handler(handler):
            yield from self._function(handler, at.to("handle_tool_errors"), "a handler of errors")
        yield from self._layers(at, calls)

    def _calls(self, name: str, at: At, calls: Around) -> Count:
        """How often one tool can be called in the whole run."""
        if calls.holder is not None:
            most = held_calls(name, calls.holder, self._limits)
            return Count(most, f"as often as {calls.holder.name} lets it")
        most = times(times(loose_calls(name, at.calls), calls.tries), at.runs)
        return Count(
            most, "as often as the model asks for" if most is None else f"at most {most} times, by a call limit"
        )

    def _tool(self, tool: BaseTool, at: At) -> Iterator[Step]:
        """What a tool may call by itself."""
        if (said := self._said(at)) is not None:
            yield Loose(at.path, said, at.count, _DECLARED)
        elif is_known_tool(tool):
            yield Loose(at.path, FREE, at.count, "the host's own tool, which calls no model")
        elif graphs := graphs_in(tool):
            for name, graph in graphs.items():
                limit = (own_limit(graph) if is_graph(graph) else None) or at.limit
                yield from self.node(graph, replace(at.to(name) if name else at, limit=limit))
        else:
            code = getattr(tool, "func", None) or getattr(tool, "coroutine", None) or tool
            yield Loose(at.path, UNKNOWN, at.count, f"a tool is a function of its own: {_reach(code)}")


def _mark(node: Any) -> Budgeted | None:
    """What `budgeted` left on a node, if all its functions are its."""
    marks = [budgeted_of(function) for function in functions_of(node)]
    first = marks[0] if marks else None
    return first if first and all(mark and mark.node is first.node for mark in marks) else None


def _as_loose(step: Loose | Gated) -> Loose:
    return step if isinstance(step, Loose) else Loose(step.path, loose_cost(step.inside), step.count, "on `budgeted`")


def _tried(count: Count, graph: Graph, name: str) -> Count:
    """A node with a retry policy is executed again."""
    policies = graph.nodes[name].retry_policy or graph.retry_policy or ()
    attempts = max((policy.max_attempts for policy in policies), default=1)
    return Count(attempts, f"tried up to {attempts} times").times(count)


def _reach(code: Any) -> str:
    """What can be told of a function without calling it."""
    names = dict.fromkeys(name_of(found) for found in refers_to(code))
    known = f"it names {', '.join(names)}, and " if names else ""
    return f"{known}what it calls cannot be told; if you can, declare it in free= or at_most="
