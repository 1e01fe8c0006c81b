"""Graphs that somebody else would have, around a planner: thoughts and tool calls that count for themselves."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, MessagesState, StateGraph  # pyright: ignore[reportMissingTypeStubs]  # it has types of its own
from langgraph.graph.state import CompiledStateGraph  # pyright: ignore[reportMissingTypeStubs]  # it has types of its own
from langgraph.prebuilt import ToolNode, tools_condition

from budgetkit import Budget
from budgetkit.plugins import (
    Answer,
    Appraisal,
    Draft,
    Left,
    Move,
    Option,
    Options,
    Pay,
    Plan,
    PlannerNode,
    PlannerState,
    PlanStep,
    SearchTree,
    Valuation,
    Verdict,
    View,
)

QUESTION = "When was Alpha founded?"
FINDING = "[1] Alpha\nAlpha was founded in 1987 by Jane Doe."
THREAD: Any = {"configurable": {"thread_id": "t"}}

Graph = CompiledStateGraph[Any, Any, Any, Any]


class Tools:
    """Two tools that keep count of their runs.

    Attributes:
        runs: name and query of every call, in order; those that failed among them.
        before: called with name and query at the start of every run.
        result: what a call says.
        says: the same, by what was asked; None: `result`.
    """

    def __init__(self, result: str = FINDING) -> None:
        self.runs: list[tuple[str, str]] = []
        self.before: Callable[[str, str], object] = lambda *_: None
        self.result = result
        self.says: Callable[[str], str] | None = None
        self._lock = threading.Lock()

    def search(self, query: str) -> str:
        """Search the corpus."""
        return self._run("search", query)

    def lookup(self, page: str) -> str:
        """Open a page."""
        return self._run("lookup", page)

    def _run(self, name: str, text: str) -> str:
        with self._lock:
            self.runs.append((name, text))
        self.before(name, text)
        return self.says(text) if self.says else self.result

    @property
    def all(self) -> list[BaseTool]:
        return [StructuredTool.from_function(self.search), StructuredTool.from_function(self.lookup)]

    @property
    def node(self) -> ToolNode:
        return ToolNode(self.all, handle_tool_errors=True)


class Mind:
    """A policy that thinks aloud to a paid model, if it has one, and keeps its own count.

    Attributes:
        model: who is paid for each thought, and for the answer from the reserve; None: thoughts are free.
        thoughts: kind and node of each thought that was begun, in order.
        before: called with a thought's name before it is paid for.
        after: the same, when it was paid for.
        cap: output tokens of a thought.
        tools: which tools are proposed, in turn.
    """

    def __init__(self, model: Any = None, *, cap: int = 16, tools: Sequence[str] = ("search",)) -> None:
        self.model = model
        self.cap = cap
        self.tools = tools
        self.thoughts: list[str] = []
        self.before: Callable[[str], object] = lambda _: None
        self.after: Callable[[str], object] = lambda _: None

    async def plan(self, view: View, pay: Pay) -> Plan:
        await self._think(f"plan:{view.node.id}", pay)
        return Plan((PlanStep("find Alpha"),), hops=1)

    async def propose(self, view: View, n: int, pay: Pay) -> Options:
        await self._think(f"propose:{view.node.id}", pay)
        return Options(tuple(self._option(f"alpha {view.node.id} {view.node.rounds} {i}", i) for i in range(n)))

    async def appraise(self, view: View, pay: Pay) -> Appraisal:
        await self._think(f"appraise:{view.node.id}", pay)
        return Appraisal(1, why="a page on Alpha")

    async def verify(self, view: View, answer: str, pay: Pay) -> Verdict:
        await self._think(f"verify:{view.node.id}", pay)
        return Verdict("success", why=f"{answer} stands there")

    async def answer(self, view: View, pay: Pay) -> Answer:
        await self._think(f"answer:{view.node.id}", pay)
        return Answer("1987")

    def _option(self, text: str, i: int) -> Option:
        tool = self.tools[i % len(self.tools)]
        return Option(tool, {"page" if tool == "lookup" else "query": text})

    async def _think(self, thought: str, pay: Pay) -> None:
        self.thoughts.append(thought)
        self.before(thought)
        if self.model is not None:
            await pay(self.model, [HumanMessage(f"think about {thought}")], cap=self.cap)
        self.after(thought)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thorough:
    """Makes every kind of move: a plan; then options, calls and an appraisal of each; an answer and a verdict on it.

    Attributes:
        width: options asked for at each node, all of which are taken.
    """

    width: int = 2
    name: ClassVar[str] = "thorough"
    valuation: ClassVar[Valuation] = Valuation()
    tracker: ClassVar[bool] = True
    newest_only: ClassVar[bool] = False

    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        draft = Draft(tree, left, n)
        if "plan:0:0" not in tree.moves:
            draft.plan(tree.root, why="a plan first")
            return draft.moves
        for number in sorted(tree.unjudged):
            draft.appraise(tree.numbered(number), why="every step is judged")
        for number in tree.frontier:
            node = tree.numbered(number)
            for option in node.untried:
                draft.act(node, option, why="every option is taken")
            if not node.rounds and draft.can_act:
                draft.propose(node, self.width, why="nothing was asked for here yet")
        return draft.moves or ([] if tree.pending else self._end(tree, draft))

    @staticmethod
    def _end(tree: SearchTree, draft: Draft) -> list[Move]:
        if "answer:0:0" not in tree.moves:
            draft.answer(tree.root, why="no tool call is left")
        elif tree.answers and "verify:0:0" not in tree.moves:
            draft.verify(tree.root, tree.answers[-1].text, why="it is checked")
        else:
            draft.finish(tree.answers[-1].text if tree.answers else "", why="checked")
        return draft.moves


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripted:
    """Asks for what a test wrote down: one function of the tree and a draft, called again and again."""

    script: Callable[[SearchTree, Draft], object]
    name: ClassVar[str] = "scripted"
    valuation: ClassVar[Valuation] = Valuation()
    tracker: ClassVar[bool] = False
    newest_only: ClassVar[bool] = False

    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        draft = Draft(tree, left, n)
        self.script(tree, draft)
        return draft.moves


@dataclass(frozen=True, slots=True)
class Case:
    """A planner, and what it thinks and acts with."""

    node: PlannerNode
    mind: Mind
    tools: Tools

    def graph(self, **options: Any) -> Graph:
        """The graph that everybody has, around it."""
        return graph_of(self.node, self.tools.node, **options)

    def wrapped(self, **options: Any) -> Graph:
        """The same, with tools that are held by the planner's own wrapper."""
        held = ToolNode(
            self.tools.all, wrap_tool_call=self.node.wrap_tool_call, awrap_tool_call=self.node.awrap_tool_call
        )
        return graph_of(self.node, held, tools_see=PlannerState, **options)


def thinking(kit: Any, answer: str = "It was 1987.") -> Any:
    """A model that thinks in five words, gives ``answer`` when it is asked for the last one, and keeps its own bill."""
    turn = lambda messages: answer if kit.is_last_call(messages) else "a thought of five words"  # noqa: E731 - a turn
    return kit.BillingModel([turn], loop_last=True)


def case(kit: Any, budget: Budget | None = None, *, mind: Mind | None = None, **options: Any) -> Case:
    """A planner that makes every kind of move on a budget of four calls; thoughts are counted in words."""
    mind, tools = mind or Mind(thinking(kit)), Tools()
    options = {"strategy": Thorough(), "prices": kit.PRICES, "counter": kit.Words(), **options}
    node = PlannerNode(mind, tools.all, budget or Budget(tool_calls=4, total_tokens=4_000), **options)
    return Case(node, mind, tools)


def graph_of(
    node: Any,
    tools: Any,
    *,
    state: Any = MessagesState,
    checkpointer: Any = None,
    retry: Any = None,
    tools_see: Any = None,
    **options: Any,
) -> Graph:
    """The graph that everybody has: an agent node, a tools node, and the way back."""
    graph = StateGraph(state)
    graph.add_node("agent", node, retry_policy=retry)
    graph.add_node("tools", tools, input_schema=tools_see)
    graph.add_edge(START, "agent")
    graph.add_conditional_edges("agent", tools_condition)
    graph.add_edge("tools", "agent")
    return graph.compile(checkpointer=checkpointer, **options)


@asynccontextmanager
async def saver(kind: str, path: Path) -> AsyncGenerator[Any]:
    """A checkpointer: ``memory``, or ``sqlite`` for the one of the two ways that it can be used in."""
    if kind == "memory":
        yield InMemorySaver()
    elif kind == "sqlite":
        with SqliteSaver.from_conn_string(str(path / "checkpoints.db")) as made:
            yield made
    else:
        async with AsyncSqliteSaver.from_conn_string(str(path / "checkpoints.db")) as amade:
            yield amade


def asked_calls(messages: Sequence[BaseMessage]) -> list[str]:
    """The ids of all tool calls, in order."""
    return [str(call["id"]) for m in messages if isinstance(m, AIMessage) for call in m.tool_calls]


def answered_calls(messages: Sequence[BaseMessage]) -> list[str]:
    """The ids of all tool calls that have a result, in order."""
    return [m.tool_call_id for m in messages if isinstance(m, ToolMessage)]


def reserved(planner: Any) -> dict[str, Any]:
    """What is left reserved on any account of a planner's own ledger."""
    ledger = planner.ledger
    return {
        "/".join(account): dict(ledger.states(account)[-1].reserved)
        for account in ledger.children()
        if ledger.states(account)[-1].reserved
    }


def spent(planner: Any) -> dict[str, Any]:
    """What all accounts of a planner's own ledger spent, added up; the time is left out."""
    total: dict[str, Any] = {}
    for account in planner.ledger.children():
        for name, amount in planner.ledger.states(account)[-1].spent.items():
            total[name] = total.get(name, 0) + amount
    return {name: amount for name, amount in total.items() if amount and name != "seconds"}
