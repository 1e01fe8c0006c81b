"""The shape of a compiled graph: what follows on what, and how often a node can run because of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeGuard

from langgraph.constants import END, START
from langgraph.graph.state import CompiledStateGraph  # pyright: ignore[reportMissingTypeStubs]  # it has types of its own

from ._certify_amounts import Most, least, plus, times
from ._certify_code import COMMAND, LEAVES, SEND, is_host, speaks_of
from ._certify_steps import Count

__all__ = ["Graph", "Shape", "is_graph", "own_limit", "shape_of"]

Graph = CompiledStateGraph[Any, Any, Any, Any]

_NO_LIMITS: Final = {9_999, 10_007}
"""The recursion limits of `create_agent` and of langgraph itself, where the user set none."""


def is_graph(thing: object) -> TypeGuard[Graph]:
    """Whether this is a compiled `StateGraph`."""
    return isinstance(thing, CompiledStateGraph)


def own_limit(graph: Graph) -> int | None:
    """The recursion limit that is bound to this graph, by the user or by a host."""
    return (graph.config or {}).get("recursion_limit")


_TOOLS: Final = "tools"
"""The node to which `create_agent` sends the calls of its tools, one by one."""


@dataclass(slots=True)
class Shape:
    """What can follow on what.

    Attributes:
        after: the nodes that each node can start, `START` among them.
        fanned: the nodes that `Send` can start, as often as the data says.
        untimed: whether a node may run at other supersteps than its place in the graph tells (``defer``, error
            handlers); then the ways to a node are counted instead of the supersteps.
    """

    names: tuple[str, ...]
    after: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    fanned: set[str] = field(default_factory=set[str])
    untimed: bool = False

    def link(self, start: str, ends: Iterable[str]) -> None:
        """``start`` can start each of ``ends``."""
        self.after.setdefault(start, set()).update(end for end in ends if end != END)

    def passes(self, start: str, end: str, gate: str) -> bool:
        """Whether every way from ``start`` to ``end`` leads through ``gate``."""
        found, new = set[str](), {start}
        while new:
            found |= new
            following = {name for at in new for name in self.after.get(at, ()) if name != gate}
            if end in following:
                return False
            new = following - found
        return True

    def counts(self, limit: int | None, caps: Mapping[str, Count]) -> dict[str, Count]:
        """How often each node can run in one run of the graph.

        Args:
            limit: the recursion limit in force, in supersteps.
            caps: nodes that something else than the graph's structure stops.
        """
        limit = None if limit in _NO_LIMITS else limit
        return {name: self._count(name, limit, caps) for name in self.names}

    def _count(self, name: str, limit: int | None, caps: Mapping[str, Count]) -> Count:
        if name in self.fanned:
            return Count(None, "Send may start it, as often as the data says")
        if name in caps:
            once = self.visits(START).get(name, 0)
            return caps[name] if once is None else Count(once, _times(once))
        entries: dict[str, Most] = {START: 1, **{capped: cap.most for capped, cap in caps.items()}}
        shaped = plus(*(times(self.visits(start, caps).get(name, 0), n) for start, n in entries.items()))
        if least(shaped, limit) is None:
            return Count(
                None,
                "it can run again and again, and no recursion limit is set (langgraph's own, about 10,000 supersteps, "
                "stops nothing in time)",
            )
        if shaped is None or (limit is not None and limit < shaped):
            return Count(limit, f"at most {limit} times, the recursion limit")
        return Count(shaped, _times(shaped))

    def visits(self, start: str, stops: Container[str] = ()) -> dict[str, Most]:
        """How often each node can run because ``start`` ran once: in how many supersteps, or on how many ways.

        What is started by one of ``stops`` is not counted.

        A walk longer than the number of nodes has gone round a cycle, and one that has can go round for ever.
        """
        ways, endless = Counter[str](), set[str]()
        for depth, layer in enumerate(self._layers(start, stops), 1):
            ways.update(layer if self.untimed else dict.fromkeys(layer, 1))
            if depth > len(self.names):
                endless.update(layer)
        return {name: None if name in endless else n for name, n in ways.items()}

    def _layers(self, start: str, stops: Container[str]) -> Iterator[Counter[str]]:
        """What can run one superstep after ``start``, two after it, ...; with the number of ways there."""
        layer = Counter({start: 1})
        for _ in range(3 * len(self.names)):
            following = Counter[str]()
            for name, ways in layer.items():
                following.update(dict.fromkeys(self.after.get(name, ()), ways))
            if not following:
                return
            yield following
            layer = Counter({name: ways for name, ways in following.items() if name not in stops})


def _times(n: int) -> str:
    return "at most once" if n == 1 else f"at most {n} times, by the edges that lead to it"


def shape_of(graph: Graph) -> Shape:
    """Read the shape of a compiled graph: edges, conditional edges, declared and undeclared jumps."""
    builder: Any = graph.builder
    shape = Shape(tuple(builder.nodes))
    for start, end in builder.edges:
        shape.link(start, [end])
    for starts, end in builder.waiting_edges:
        for start in starts:
            shape.link(start, [end])
    for start, branches in builder.branches.items():
        for branch in branches.values():
            ends: dict[Any, str] = branch.ends or {}
            _jump(shape, start, tuple(ends.values()), branch.path, always=True)
    for name, node in builder.nodes.items():
        declared: Iterable[str] = node.ends or ()
        _jump(shape, name, tuple(declared), node.runnable)
        shape.untimed = shape.untimed or node.defer
        if node.error_handler_node:
            shape.untimed = True
            shape.link(name, [node.error_handler_node])
    return shape


def _jump(shape: Shape, start: str, declared: tuple[str, ...], code: Any, *, always: bool = False) -> None:
    """Where a function may go: where it says, or anywhere."""
    words = speaks_of(code) if always or not is_host(code) else frozenset[str]()
    anywhere = [name for name in declared if name in shape.names] or list(shape.names)
    if declared or always or words & {COMMAND, LEAVES}:
        shape.link(start, declared or anywhere)
    if SEND in words:
        sent = [name for name in anywhere if name == _TOOLS] if is_host(code) else anywhere
        shape.link(start, sent)
        shape.fanned.update(sent)
