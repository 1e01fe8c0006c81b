"""A search that broke off goes on where it was: nothing is paid for twice, and no move is another one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.prebuilt import ToolNode
from langgraph.types import RetryPolicy

from budgetkit import Budget, BudgetExceeded, MemoryLedger, Spend
from budgetkit.plugins import Bats, Bavt, BudgetDrained, Left, Move, PlannerState, SearchTree, search_tree

from ._graphs import (
    QUESTION,
    THREAD,
    Case,
    Graph,
    Mind,
    Thorough,
    Tools,
    asked_calls,
    case,
    graph_of,
    reserved,
    saver,
    spent,
    thinking,
)

CALLS = 4
PARALLEL = pytest.mark.parametrize("parallel", [1, 3])


class Broken(Exception):  # noqa: N818 - it says what happened
    """Something that has nothing to do with budgets."""


class Killed(BaseException):
    """The process is told to go."""


class FourCalls(Thorough):
    """Does not go on after the fourth call, whatever is left."""

    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        unmade = max(0, CALLS + 1 - len(tree))
        return super().ask(tree, Left({**left, "tool_calls": unmade}, left.caps), n)


def failing(at: int, error: type[BaseException] = Broken) -> Callable[..., None]:
    """Something to call again and again, which fails once: at the ``at``-th call, counted from 0."""
    calls = iter(range(10**6))

    def fails(*_: object) -> None:
        if next(calls) == at:
            raise error(f"at {at}")

    return fails


def down(thought: str, *, times: int) -> Callable[[str], None]:
    """A provider that fails so often at one thought."""
    failures = iter(range(times))

    def fails(asked: str) -> None:
        if asked == thought and next(failures, None) is not None:
            raise Broken(asked)

    return fails


def planned_on(kit: Any, parallel: int = 1, **options: Any) -> tuple[Case, Graph]:
    planned = case(kit, Budget(tool_calls=CALLS, total_tokens=4_000), parallel=parallel, **options)
    return planned, planned.graph(checkpointer=InMemorySaver())


def moves_of(graph: Graph) -> list[Any]:
    tree = search_tree(graph.get_state(THREAD).values)
    assert tree is not None
    return [list(tree.moves.values()), tree.told, tree.finished]


def assert_paid(planned: Case) -> None:
    """The books are what the model and the tools counted themselves, and nothing is left set aside."""
    booked = spent(planned.node)
    assert {name: booked[name] for name in planned.mind.model.spent} == planned.mind.model.spent
    assert reserved(planned.node) == {}


async def whole(kit: Any, run: Any, parallel: int, **options: Any) -> tuple[list[Any], Counter[str]]:
    """A search that nothing disturbs: its moves, and its thoughts."""
    planned, graph = planned_on(kit, parallel, **options)
    await run(graph, QUESTION, THREAD)
    assert_paid(planned)
    return moves_of(graph), Counter(planned.mind.thoughts)


# -- exceptions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("error", "parallel"), [(Broken, 1), (Killed, 3)])
async def test_whichever_thought_breaks_no_other_is_paid_for_twice(
    kit: Any, run: Any, parallel: int, error: Any
) -> None:
    moves, thoughts = await whole(kit, run, parallel)
    for k in range(thoughts.total()):
        planned, graph = planned_on(kit, parallel)
        planned.mind.before = failing(k, error)
        with pytest.raises(error):
            await run(graph, QUESTION, THREAD)
        result = await run(graph, None, THREAD)
        again = Counter(planned.mind.thoughts) - thoughts
        assert result["messages"][-1].text == "1987"
        assert again.total() == 1, f"thought {k} broke"
        assert Counter(planned.mind.thoughts) - again == thoughts
        assert len(planned.mind.model.requests) == thoughts.total()  # it broke before it was sent
        assert moves_of(graph) == moves
        assert len(planned.tools.runs) == spent(planned.node)["tool_calls"] == CALLS
        assert_paid(planned)


@PARALLEL
async def test_a_thought_that_breaks_after_it_was_paid_is_the_only_one_that_is_paid_again(
    kit: Any, run: Any, parallel: int
) -> None:
    moves, thoughts = await whole(kit, run, parallel)
    for k in range(thoughts.total()):
        planned, graph = planned_on(kit, parallel)
        planned.mind.after = failing(k)
        with pytest.raises(Broken):
            await run(graph, QUESTION, THREAD)
        await run(graph, None, THREAD)
        assert len(planned.mind.model.requests) == thoughts.total() + 1, f"thought {k} broke"
        assert moves_of(graph) == moves
        assert_paid(planned)


@pytest.mark.parametrize("strategy", [Bavt(), Bats(), None], ids=lambda s: s and s.name)
async def test_the_strategies_go_on_as_they_would_have(kit: Any, run: Any, strategy: Any) -> None:
    moves, thoughts = await whole(kit, run, 2, strategy=strategy)
    for k in range(1, thoughts.total(), 2):
        planned, graph = planned_on(kit, 2, strategy=strategy)
        planned.mind.before = failing(k)
        with pytest.raises(Broken):
            await run(graph, QUESTION, THREAD)
        await run(graph, None, THREAD)
        assert len(planned.mind.model.requests) == thoughts.total(), f"thought {k} broke"
        assert moves_of(graph) == moves
        assert_paid(planned)


@PARALLEL
@pytest.mark.parametrize("wrapped", [False, True])
async def test_whichever_tool_breaks_the_search_goes_on_without_a_thought_twice(
    kit: Any, run: Any, parallel: int, wrapped: bool
) -> None:
    """Behind a plain tools node a call is booked when its result comes; the wrapper books every attempt."""
    moves, thoughts = await whole(kit, run, parallel)
    for k in range(CALLS):
        budget = Budget(tool_calls=CALLS + 2, total_tokens=4_000)  # the round of calls that broke is made again
        planned = case(kit, budget, parallel=parallel, strategy=FourCalls())
        how: dict[str, Any] = {"handle_tool_errors": False}
        if wrapped:
            how |= {"wrap_tool_call": planned.node.wrap_tool_call, "awrap_tool_call": planned.node.awrap_tool_call}
        tools = ToolNode(planned.tools.all, **how)
        graph = graph_of(planned.node, tools, tools_see=PlannerState, checkpointer=InMemorySaver())
        planned.tools.before = failing(k)
        with pytest.raises(Broken):
            await run(graph, QUESTION, THREAD)
        result = await run(graph, None, THREAD)
        assert result["messages"][-1].text == "1987"
        assert Counter(planned.mind.thoughts) == thoughts
        assert len(set(asked_calls(result["messages"]))) == CALLS
        assert spent(planned.node)["tool_calls"] == (len(planned.tools.runs) if wrapped else CALLS)
        assert [move.id for move in moves_of(graph)[0]] == [move.id for move in moves[0]]
        assert_paid(planned)


# -- supersteps, processes, retries ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_it_goes_on_in_another_process_after_every_superstep(
    kit: Any, run: Any, request: Any, tmp_path: Path, kind: str
) -> None:
    moves, thoughts = await whole(kit, run, 1)
    kind += "-async" if kind == "sqlite" and request.node.callspec.params["run"] == "async" else ""
    ledger, model, tools, begun = MemoryLedger(), thinking(kit), Tools(), list[str]()
    async with saver(kind, tmp_path) as checkpointer:
        given: Any = QUESTION
        while True:
            planned = case(kit, Budget(tool_calls=CALLS, total_tokens=4_000), mind=Mind(model), ledger=ledger)
            graph = graph_of(planned.node, tools.node, checkpointer=checkpointer, interrupt_after=["agent", "tools"])
            result = await run(graph, given, THREAD)
            begun += planned.mind.thoughts
            given = None
            if result["messages"][-1].text == "1987":
                break
        assert result["messages"][-1].text == "1987"
        assert Counter(begun) == thoughts
        assert len(model.requests) == thoughts.total()
        assert len(tools.runs) == CALLS
        assert len(ledger.children()) == 1
        assert reserved(planned.node) == {}
        state = graph.get_state(THREAD) if "async" not in kind else await graph.aget_state(THREAD)
        tree = search_tree(state.values)
        assert tree is not None
        assert [list(tree.moves.values()), tree.told, tree.finished] == moves


async def test_a_node_that_is_tried_again_thinks_only_the_broken_thought_again(kit: Any, run: Any) -> None:
    moves, thoughts = await whole(kit, run, 1)
    for k in range(thoughts.total()):
        planned, _ = planned_on(kit)
        retry = RetryPolicy(initial_interval=0.0, max_interval=0.0, jitter=False, retry_on=Broken)
        graph = planned.graph(checkpointer=InMemorySaver(), retry=retry)
        planned.mind.before = failing(k)
        await run(graph, QUESTION, THREAD)
        assert len(planned.mind.model.requests) == thoughts.total()
        assert moves_of(graph) == moves
        assert_paid(planned)


async def test_after_an_outage_that_no_retry_outlasts_the_search_goes_on(kit: Any, run: Any) -> None:
    """Three tries of the node leave traces in the checkpoint under numbers of their own; none is taken for another."""
    moves, thoughts = await whole(kit, run, 1)
    for outage in sorted(thoughts):
        planned, _ = planned_on(kit)
        retry = RetryPolicy(initial_interval=0.0, max_interval=0.0, jitter=False, retry_on=Broken, max_attempts=3)
        graph = planned.graph(checkpointer=InMemorySaver(), retry=retry)
        planned.mind.before = down(outage, times=5)
        with pytest.raises(Broken):
            await run(graph, QUESTION, THREAD)
        another = case(kit, planned.node.budget, mind=planned.mind, ledger=planned.node.ledger)
        graph = graph_of(another.node, planned.tools.node, checkpointer=graph.checkpointer, retry=retry)
        await run(graph, None, THREAD)
        assert len(planned.mind.model.requests) == thoughts.total(), f"the outage was at {outage}"
        assert moves_of(graph) == moves
        assert len(planned.node.ledger.children()) == 1
        assert_paid(planned)


# -- refusals -------------------------------------------------------------------------------------------------------


@PARALLEL
async def test_a_refused_thought_is_tried_again_after_a_top_up_wherever_the_budget_ended(
    kit: Any, run: Any, parallel: int
) -> None:
    moves, thoughts = await whole(kit, run, parallel)
    for limit in range(1, thoughts.total()):
        budget = Budget(tool_calls=CALLS, total_tokens=4_000, llm_calls=limit)
        planned = case(kit, budget, parallel=parallel, at_end="drain")
        graph = planned.graph(checkpointer=InMemorySaver())
        with pytest.raises(BudgetDrained) as drained:
            await run(graph, QUESTION, THREAD)
        planned.node.ledger.top_up(drained.value.refusal.account, Spend(llm_calls=50), id="granted")
        await run(graph, None, THREAD)
        assert len(planned.mind.model.requests) == thoughts.total(), f"the budget ended at {limit}"
        assert [move.id for move in moves_of(graph)[0]] == [move.id for move in moves[0]]
        assert_paid(planned)


async def test_after_raise_the_search_goes_on_in_the_same_way(kit: Any, run: Any) -> None:
    planned = case(kit, Budget(tool_calls=CALLS, llm_calls=3), at_end="raise")
    graph = planned.graph(checkpointer=InMemorySaver())
    with pytest.raises(BudgetExceeded) as caught:
        await run(graph, QUESTION, THREAD)
    planned.node.ledger.top_up(caught.value.account, Spend(llm_calls=50), id="granted")
    assert (await run(graph, None, THREAD))["messages"][-1].text == "1987"
    assert len(planned.mind.model.requests) == 9
    assert_paid(planned)


# -- an older checkpoint --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrapped", [False, True])
async def test_from_an_older_checkpoint_everything_is_paid_anew_and_the_limit_still_holds(
    kit: Any, run: Any, wrapped: bool
) -> None:
    budget = Budget(tool_calls=9, total_tokens=9_000)
    with budget.open("all of it") as scope:
        planned = case(kit, budget, strategy=FourCalls())
        build = planned.wrapped if wrapped else planned.graph
        graph = build(checkpointer=InMemorySaver())
        await run(graph, QUESTION, THREAD)
        assert len(planned.tools.runs) == CALLS
        past = [state for state in graph.get_state_history(THREAD) if state.next == ("agent",)]
        seen = Counter(asked_calls(graph.get_state(THREAD).values["messages"]))
        for state in past:
            await run(graph, None, state.config)
            asked = asked_calls(graph.get_state(THREAD).values["messages"])
            before = asked_calls(state.values["messages"])
            assert not set(asked[len(before) :]) & set(seen)
            seen += Counter(asked[len(before) :])
        assert set(seen.values()) == {1}
        assert scope.spent["tool_calls"] == len(planned.tools.runs) == 9
        assert scope.spent["llm_calls"] == len(planned.mind.model.requests)
        assert not scope.overshoot
        assert not scope.reserved


# -- cancellation ---------------------------------------------------------------------------------------------------


class Waiting(Tools):
    """The same tools, which wait for the loop."""

    async def asearch(self, query: str) -> str:
        """Search the corpus."""
        await asyncio.sleep(0)
        return self.search(query)

    @property
    def all(self) -> list[BaseTool]:
        return [StructuredTool.from_function(coroutine=self.asearch, name="search")]


async def cancelled_after(work: Any, steps: int) -> bool:
    """Cancel the work when the loop went round so often; False if it was done by then."""
    task = asyncio.ensure_future(work)
    for _ in range(steps):
        await asyncio.sleep(0)
    if task.done():
        await task
        return False
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return True


def cancellable(kit: Any, budget: Budget) -> Case:
    planned = case(kit, budget, parallel=2)
    return Case(planned.node, planned.mind, Waiting())


STRIDE = 7
"""Every so many rounds of the loop it is cancelled once."""


async def test_wherever_it_is_cancelled_it_goes_on_and_at_most_what_was_under_way_is_paid_again(kit: Any) -> None:
    planned = cancellable(kit, Budget(tool_calls=2, total_tokens=2_000))
    graph = planned.graph(checkpointer=InMemorySaver())
    await graph.ainvoke({"messages": [("user", QUESTION)]}, THREAD)
    moves, thoughts = moves_of(graph), len(planned.mind.model.requests)
    steps = 0
    while True:
        planned = cancellable(kit, Budget(tool_calls=2, total_tokens=2_000))
        graph = planned.graph(checkpointer=InMemorySaver())
        if not await cancelled_after(graph.ainvoke({"messages": [("user", QUESTION)]}, THREAD), steps):
            break
        begun = graph.get_state(THREAD).created_at is not None
        result = await graph.ainvoke(None if begun else {"messages": [("user", QUESTION)]}, THREAD)
        assert result["messages"][-1].text == "1987"
        assert thoughts <= len(planned.mind.model.requests) <= thoughts + 2, f"cancelled after {steps}"
        assert [move.id for move in moves_of(graph)[0]] == [move.id for move in moves[0]]
        assert reserved(planned.node) == {}
        steps += STRIDE
    assert steps > 10 * STRIDE


async def test_wherever_it_is_cancelled_no_thought_stays_set_aside_where_nothing_can_go_on(kit: Any) -> None:
    steps = 0
    budget = Budget(tool_calls=2, total_tokens=2_000)
    while True:
        planned = cancellable(kit, budget)
        async with budget.open("job") as job:
            if not await cancelled_after(planned.graph().ainvoke({"messages": [("user", QUESTION)]}), steps):
                break
            assert set(job.reserved) <= {"tool_calls", "tool:search", "usd"}, f"cancelled after {steps}"
            assert job.spent.in_units("tool_calls") + job.reserved.in_units("tool_calls") >= len(planned.tools.runs)
        steps += STRIDE
    assert steps > 10 * STRIDE
