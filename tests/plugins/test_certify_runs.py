"""The certificate against runs: graphs of all shapes, with models that never stop by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Barrier, Lock
from typing import Any, Literal, get_args

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain.agents.middleware import ModelCallLimitMiddleware
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.errors import GraphRecursionError
from langgraph.graph import START, MessagesState, StateGraph  # pyright: ignore[reportMissingTypeStubs]  # it has types of its own
from langgraph.types import Send

from budgetkit import Budget, BudgetExceeded, EstimateCounter
from budgetkit.plugins import BudgetMiddleware, budgeted, certify
from budgetkit.testing import ScriptedChatModel, call

QUESTION = {"messages": [("user", "When was Alpha founded?")]}
COUNTER = EstimateCounter()
BOTH = [call("search", query="a"), call("search", query="b")]


class Tool:
    """A search tool that counts for itself."""

    def __init__(self) -> None:
        self.runs = 0
        self._lock = Lock()

    def run(self, query: str) -> str:
        """Search the corpus."""
        with self._lock:
            self.runs += 1
        return f"nothing about {query}"

    @property
    def tool(self) -> BaseTool:
        return StructuredTool.from_function(self.run, name="search")


@dataclass
class World:
    """What the graphs of one example share, and what they are counted by."""

    budget: Budget
    search: Tool = field(default_factory=Tool)
    model: ScriptedChatModel = field(
        default_factory=lambda: ScriptedChatModel(
            [[call("search", query="a"), call("search", query="b")]], loop_last=True
        )
    )
    free: list[str] = field(default_factory=list)
    at_most: dict[str, Budget] = field(default_factory=dict)

    @property
    def spent(self) -> dict[str, int]:
        return {"llm_calls": len(self.model.requests), "tool_calls": self.search.runs}


Kind = Literal["free", "gated", "bare", "capped", "agent", "narrow", "wrapped", "sub"]


@dataclass(frozen=True)
class Piece:
    """One node: what it is, how many calls it makes, and how many `Send`s start it (0: an edge does)."""

    kind: Kind
    calls: int
    sends: int


@dataclass(frozen=True)
class Recipe:
    """A graph: its nodes one after the other, perhaps round and round, perhaps a copy of it all as a node inside."""

    pieces: tuple[Piece, ...]
    loops: bool


def nothing(_: Any) -> dict[str, Any]:
    return {}


def calling(model: ScriptedChatModel, times: int) -> Any:
    def node(_: Any) -> dict[str, Any]:
        for _ in range(times):
            model.invoke("go on")
        return {}

    return node


def node_of(piece: Piece, path: str, recipe: Recipe, world: World, depth: int) -> Any:
    """The node, and what the user has to declare of it."""
    if piece.kind == "free" or (piece.kind == "sub" and depth):
        world.free.append(path)
        return nothing
    if piece.kind == "gated":
        world.at_most[path] = Budget(llm_calls=piece.calls, tool_calls=0)
        share = Budget(llm_calls=2) if piece.calls > 1 else None  # two calls are covered by it, three are not
        return budgeted(calling(world.model, piece.calls), world.budget, share=share)
    if piece.kind == "bare":
        return create_agent(world.model, [])
    if piece.kind == "capped":
        return create_agent(world.model, [], middleware=[ModelCallLimitMiddleware(run_limit=piece.calls)])
    if piece.kind == "sub":
        return build(recipe, world, f"{path}/", depth + 1)
    world.free.append(f"{path}/tools/search")
    own = Budget(llm_calls=piece.calls, tool_calls=1) if piece.kind == "narrow" else world.budget
    agent: Any = create_agent(world.model, [world.search.tool], middleware=[BudgetMiddleware(own, counter=COUNTER)])
    return budgeted(agent, world.budget) if piece.kind == "wrapped" else agent


def build(recipe: Recipe, world: World, prefix: str = "", depth: int = 0) -> Any:
    """The compiled graph of a recipe."""
    graph: Any = StateGraph(MessagesState)
    names = [f"n{n}" for n in range(len(recipe.pieces))]
    for name, piece in zip(names, recipe.pieces, strict=True):
        graph.add_node(name, node_of(piece, prefix + name, recipe, world, depth))
    ends = list(zip([START, *names], names, recipe.pieces, strict=False))
    if recipe.loops:
        ends.append((names[-1], names[0], recipe.pieces[0]))
    for start, end, piece in ends:
        link(graph, start, end, piece.sends)
        if piece.sends:
            world.free.append(f"{prefix}{start}/to_{end}")
    return graph.compile()


def link(graph: Any, start: str, end: str, sends: int) -> None:
    if not sends:
        graph.add_edge(start, end)
        return

    def fan(state: Any) -> list[Send]:
        return [Send(end, state) for _ in range(sends)]

    fan.__name__ = f"to_{end}"
    graph.add_conditional_edges(start, fan, [end])


def open_ends(recipe: Recipe, limit: int | None, *, outer: bool = True, again: bool = False) -> Iterator[str]:
    """The nodes that nothing bounds, found without looking at the graph: unheld, and run without end."""
    endless = again or (recipe.loops and limit is None)
    for n, piece in enumerate(recipe.pieces):
        if piece.kind in {"bare", "capped"} and (endless or piece.sends):
            yield f"n{n}"
        if piece.kind == "sub" and outer:
            inner = open_ends(recipe, limit, outer=False, again=bool(endless or piece.sends))
            yield from (f"n{n}/{name}" for name in inner)


def run(graph: Any, budget: Budget, limit: int | None, way: str) -> None:
    """One run to its end, whichever it is."""
    config: Any = {"recursion_limit": limit or 8}
    with suppress(BudgetExceeded, GraphRecursionError), budget.open():
        graph.invoke(QUESTION, config) if way == "sync" else asyncio.run(graph.ainvoke(QUESTION, config))


def within(spent: Mapping[str, int], worst: Mapping[str, Any]) -> bool:
    return all(worst[name] is None or n <= worst[name] for name, n in spent.items())


KINDS: tuple[Kind, ...] = get_args(Kind)
PIECES = st.builds(Piece, st.sampled_from(KINDS), st.integers(1, 3), st.sampled_from([0, 0, 0, 2]))
RECIPES = st.builds(Recipe, st.lists(PIECES, min_size=1, max_size=3).map(tuple), st.booleans())
BUDGETS = st.builds(Budget, llm_calls=st.integers(1, 6), tool_calls=st.integers(1, 4))
LIMITS = st.one_of(st.none(), st.integers(2, 5))
CAREFULLY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@CAREFULLY
@given(recipe=RECIPES, budget=BUDGETS, limit=LIMITS, way=st.sampled_from(["sync", "async"]))
def test_no_run_costs_more_than_its_certificate(recipe: Recipe, budget: Budget, limit: int | None, way: str) -> None:
    world = World(budget)
    graph = build(recipe, world)
    certificate = certify(graph, budget, recursion_limit=limit, free=world.free, at_most=world.at_most)
    run(graph, budget, limit, way)
    assert within(world.spent, certificate.worst), (world.spent, str(certificate))


@CAREFULLY
@given(recipe=RECIPES, budget=BUDGETS, limit=LIMITS)
def test_just_what_is_unheld_and_endless_is_named(recipe: Recipe, budget: Budget, limit: int | None) -> None:
    world = World(budget)
    graph = build(recipe, world)
    certificate = certify(graph, budget, recursion_limit=limit, free=world.free, at_most=world.at_most)
    assert {found.node.removesuffix("/model") for found in certificate.unbounded} == set(open_ends(recipe, limit))
    assert certificate.bounded == (certificate.worst["llm_calls"] is not None)


@st.composite
def webs(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]], list[int]]:
    """Nodes, edges between any two of them, and the nodes that choose among their edges."""
    n = draw(st.integers(1, 5))
    edge = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))
    edges = draw(st.lists(edge, max_size=7, unique=True))
    if draw(st.booleans()):  # without a cycle
        edges = sorted({(min(a, b), max(a, b)) for a, b in edges if a != b})
    return n, edges, draw(st.lists(st.integers(0, n - 1), unique=True))


@CAREFULLY
@given(web=webs(), limit=st.one_of(st.none(), st.integers(1, 9)), choices=st.randoms(use_true_random=False))
def test_no_node_runs_more_often_than_the_structure_allows(
    web: tuple[int, list[tuple[int, int]], list[int]], limit: int | None, choices: Any
) -> None:
    graph, runs = woven(*web, choices)
    with suppress(GraphRecursionError):
        graph.invoke(QUESTION, {"recursion_limit": limit or 30})
    for name, n in runs.items():
        free = [f"n{k}" for k in range(web[0]) if f"n{k}" != name] + [
            f"n{k}/choose" for k in web[2] if after(web[1], k)
        ]
        proven = certify(
            graph, Budget(llm_calls=1), recursion_limit=limit, free=free, at_most={name: Budget(llm_calls=1)}
        )
        most = proven.worst["llm_calls"]
        assert most is None or n <= most, (name, n, str(proven))


def after(edges: list[tuple[int, int]], start: int) -> list[str]:
    return [f"n{b}" for a, b in edges if a == start]


def woven(n: int, edges: list[tuple[int, int]], choosers: list[int], choices: Any) -> tuple[Any, dict[str, int]]:
    """A graph of counting nodes; some start all that follows, some any part of it."""
    graph: Any = StateGraph(MessagesState)
    runs = {f"n{k}": 0 for k in range(n)}

    def counting(name: str) -> Any:
        def node(_: Any) -> dict[str, Any]:
            runs[name] += 1
            return {}

        return node

    def choosing(ends: list[str]) -> Any:
        def choose(_: Any) -> list[str]:
            chosen: list[str] = choices.sample(ends, choices.randint(1, len(ends)))
            return chosen

        return choose

    for name in runs:
        graph.add_node(name, counting(name))
    graph.add_edge(START, "n0")
    for k in range(n):
        ends = after(edges, k)
        if k in choosers and ends:
            graph.add_conditional_edges(f"n{k}", choosing(ends), ends)
        for end in ends if k not in choosers else ():
            graph.add_edge(f"n{k}", end)
    return graph.compile(), runs


def test_a_node_runs_once_for_each_superstep_that_leads_to_it() -> None:
    graph, runs = woven(3, [(0, 1), (0, 2), (1, 2)], [], None)
    graph.invoke(QUESTION)
    proven = certify(graph, Budget(llm_calls=1), free=["n0", "n1"], at_most={"n2": Budget(llm_calls=1)})
    assert runs["n2"] == proven.worst["llm_calls"] == 2


def test_a_cycle_inside_of_a_cycle_multiplies() -> None:
    world, budget = World(Budget(llm_calls=1)), Budget(llm_calls=1)
    graph = build(Recipe((Piece("sub", 1, 0), Piece("bare", 1, 0)), loops=True), world)
    proven = certify(graph, budget, recursion_limit=4, free=world.free)
    assert proven.worst["llm_calls"] == 4 * 4 + 4
    run(graph, Budget(llm_calls=99), 4, "sync")
    assert len(world.model.requests) <= 20


def test_all_that_are_let_in_at_once_may_overshoot() -> None:
    budget, model, together = Budget(llm_calls=4), ScriptedChatModel(["1987"], loop_last=True), Barrier(4, timeout=30)

    def node(_: Any) -> dict[str, Any]:
        together.wait()
        for _ in range(3):
            model.invoke("go on")
        return {}

    graph: Any = StateGraph(MessagesState)
    graph.add_node("node", budgeted(node, budget))
    link(graph, START, "node", 4)
    fanned = graph.compile()
    declared = {"node": Budget(llm_calls=3)}
    proven = certify(fanned, budget, free=["__start__/to_node"], at_most=declared)
    run(fanned, budget, None, "sync")
    assert len(model.requests) == proven.worst["llm_calls"] == 12
