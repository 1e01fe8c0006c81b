"""The books of a search hold: each call is set aside before it is made, counted once, and nothing stays set aside."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from langchain_core.messages import BaseMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import InvalidUpdateError
from langgraph.graph import START, MessagesState, StateGraph  # pyright: ignore[reportMissingTypeStubs]  # it has types of its own
from langgraph.prebuilt import ToolNode
from langgraph.types import Send

from budgetkit import Budget, MemoryLedger, PriceBook, Spend, current_scope
from budgetkit.plugins import Bats, Bavt, BudgetToolNode, Majority, UniformTree
from budgetkit.testing import ManualClock, assert_spent

from ._graphs import (
    QUESTION,
    THREAD,
    Case,
    Graph,
    Mind,
    Scripted,
    answered_calls,
    asked_calls,
    case,
    graph_of,
    reserved,
    spent,
    thinking,
)

STRATEGIES = pytest.mark.parametrize(
    "strategy", [None, UniformTree(width=3), Bavt(), Bats(), Majority()], ids=lambda s: s and str(s.name)
)


def held_by(planned: Case, budget: Budget, how: str, **options: Any) -> Graph:
    """The planner's graph with one of the tools nodes that somebody may have."""
    if how == "plain":
        return planned.graph(**options)
    if how == "wrapped":
        return planned.wrapped(**options)
    return graph_of(planned.node, BudgetToolNode(planned.tools.all, budget), **options)


# -- tools ----------------------------------------------------------------------------------------------------------


@STRATEGIES
@pytest.mark.parametrize("parallel", [1, 4])
@pytest.mark.parametrize("how", ["plain", "wrapped", "budget node"])
async def test_no_more_calls_run_than_the_limit_and_each_is_counted_once(
    kit: Any, run: Any, how: str, parallel: int, strategy: Any
) -> None:
    budget = Budget(tool_calls=5, tools={"lookup": 2}, total_tokens=20_000)
    mind = Mind(thinking(kit), tools=["search", "lookup"])
    options = {} if strategy is None else {"strategy": strategy}
    planned = case(kit, budget, mind=mind, parallel=parallel, **options)
    with budget.open("job") as job:
        result = await run(held_by(planned, budget, how))
        lookups = sum(name == "lookup" for name, _ in planned.tools.runs)
        assert lookups <= 2
        assert len(planned.tools.runs) <= 5
        assert job.spent["tool_calls"] == len(planned.tools.runs) == len(asked_calls(result["messages"]))
        assert job.spent["tool:lookup"] == lookups
        assert {name: job.spent[name] for name in mind.model.spent} == mind.model.spent
        assert not job.reserved
        assert not job.overshoot


async def test_the_whole_budget_of_calls_can_be_used(kit: Any, run: Any) -> None:
    for parallel in (1, 3, 5):
        budget = Budget(tool_calls=5)
        planned = case(kit, budget, mind=Mind(), parallel=parallel, strategy=UniformTree(width=5))
        await run(planned.graph(checkpointer=InMemorySaver()), QUESTION, THREAD)
        assert len(planned.tools.runs) == 5


async def test_calls_are_paid_in_dollars(kit: Any, run: Any) -> None:
    prices = PriceBook(tools={"search": "0.01", "lookup": "0.004"})
    mind = Mind(tools=["search", "lookup"])
    planned = case(kit, Budget(usd="0.035"), mind=mind, prices=prices, strategy=UniformTree(width=2))
    graph = planned.graph(checkpointer=InMemorySaver())
    await run(graph, QUESTION, THREAD)
    made = [name for name, _ in planned.tools.runs]
    assert spent(planned.node)["usd"] == made.count("search") * Decimal("0.01") + made.count("lookup") * Decimal(
        "0.004"
    )
    assert Decimal("0.03") < spent(planned.node)["usd"] <= Decimal("0.035")
    assert reserved(planned.node) == {}


async def test_a_call_may_be_several_units(kit: Any, run: Any) -> None:
    units = {"search": lambda args: len(args["query"].split())}
    planned = case(kit, Budget(tools={"search": 9}), mind=Mind(), tool_units=units, strategy=UniformTree(width=1))
    await run(planned.graph(checkpointer=InMemorySaver()), QUESTION, THREAD)
    assert [text for _, text in planned.tools.runs] == [
        "alpha 0 1 0",
        "alpha 0.0 1 0",
    ]  # a third one is four of one left
    assert spent(planned.node) == {"tool_calls": 8, "tool:search": 8, "usd": Decimal("0.0008")}


async def test_another_budget_s_tools_node_charges_its_own_account_and_the_search_s(kit: Any, run: Any) -> None:
    tenant, ledger = Budget(tool_calls=9), MemoryLedger()
    planned = case(kit)
    graph = graph_of(
        planned.node, BudgetToolNode(planned.tools.all, tenant, ledger=ledger), checkpointer=InMemorySaver()
    )
    await run(graph, QUESTION, THREAD)
    assert len(planned.tools.runs) == 4
    assert spent(planned.node)["tool_calls"] == 4
    assert ledger.states(("tools-t",))[-1].spent["tool_calls"] == 4
    assert reserved(planned.node) == {}


async def test_a_tools_node_on_a_budget_around_the_search_finds_the_search_s_own_reservation(
    kit: Any, run: Any
) -> None:
    tenant = Budget(tool_calls=9)
    planned = case(kit)
    graph = graph_of(planned.node, BudgetToolNode(planned.tools.all, tenant))
    with tenant.open("tenant") as scope:
        await run(graph, QUESTION)
        assert len(planned.tools.runs) == scope.spent["tool_calls"] == 4
        assert not scope.reserved


@pytest.mark.parametrize("parallel", [1, 2, 3])
async def test_a_call_that_another_budget_refuses_is_answered_and_given_back_and_the_search_ends(
    kit: Any, run: Any, parallel: int
) -> None:
    tenant, ledger = Budget(tool_calls=3), MemoryLedger()
    planned = case(
        kit, Budget(tool_calls=50), mind=Mind(thinking(kit)), parallel=parallel, strategy=UniformTree(width=3)
    )
    node = BudgetToolNode(planned.tools.all, tenant, ledger=ledger)
    result = await run(graph_of(planned.node, node, checkpointer=InMemorySaver()), QUESTION, THREAD)
    assert result["messages"][-1].text == "It was 1987."
    assert len(planned.tools.runs) == spent(planned.node)["tool_calls"] == 3
    assert ledger.states(("tools-t",))[-1].spent["tool_calls"] == 3
    assert asked_calls(result["messages"]) == answered_calls(result["messages"])
    refused = [m for m in result["messages"] if "refused" in m.additional_kwargs.get("budgetkit", {})]
    assert len(refused) <= 3 * parallel
    assert reserved(planned.node) == {}


# -- thoughts -------------------------------------------------------------------------------------------------------


@STRATEGIES
@pytest.mark.parametrize(
    "budget", [Budget(total_tokens=350), Budget(output_tokens=300, llm_calls=9), Budget(usd="0.001")]
)
async def test_the_ledger_is_what_the_model_counted_itself(kit: Any, run: Any, strategy: Any, budget: Budget) -> None:
    options = {} if strategy is None else {"strategy": strategy}
    planned = case(kit, budget, parallel=3, **options)
    await run(planned.graph(checkpointer=InMemorySaver()), QUESTION, THREAD)
    booked, own = spent(planned.node), planned.mind.model.spent
    assert {name: booked[name] for name in own} == own
    tokens = Decimal(own["input_tokens"] + 2 * own["output_tokens"]) / 10**6
    assert booked["usd"] == tokens + len(planned.tools.runs) * Decimal("0.0001")
    assert all(booked[name] <= limit for name, limit in budget.limits.items())
    assert reserved(planned.node) == {}


async def test_a_thought_is_refused_when_less_than_half_of_its_cap_would_be_left(kit: Any, run: Any) -> None:
    """Twenty of a hundred tokens are used each time: the cap of 64 becomes 60, then 40, and 20 is no use."""
    mind = Mind(kit.BillingModel(["word " * 20], loop_last=True), cap=64)
    planned = case(kit, Budget(output_tokens=100), mind=mind, at_end="stop", strategy=Scripted(script=endless))
    message = (await run(planned.graph(checkpointer=InMemorySaver()), QUESTION, THREAD))["messages"][-1]
    assert [request.max_tokens for request in mind.model.requests] == [64, 64, 60, 40]
    assert message.text == "Stopped: the budget for output_tokens is used up (80 of 100)."


def endless(tree: Any, draft: Any) -> None:
    """Options of one node, for ever."""
    draft.propose(tree.root)


@pytest.mark.parametrize("parallel", [1, 4])
@pytest.mark.parametrize(
    "budget", [Budget(total_tokens=300), Budget(llm_calls=6), Budget(output_tokens=150), Budget(usd="0.001")]
)
async def test_what_is_kept_for_the_answer_is_untouched_until_the_end(
    kit: Any, run: Any, parallel: int, budget: Budget
) -> None:
    kept: list[bool] = []

    def turn(messages: list[BaseMessage]) -> str:
        if kit.is_last_call(messages):
            return "It was 1987."
        scope = current_scope()
        assert scope is not None
        state = scope.states()[-1]
        room = {name: (state.left(name) or 0) - state.kept.in_units(name) for name in state.kept.as_units()}
        kept.append(bool(room) and all(left >= 0 for left in room.values()))
        return "a thought of five words"

    mind = Mind(kit.BillingModel([turn], loop_last=True))
    planned = case(kit, budget, mind=mind, parallel=parallel, strategy=UniformTree(width=2))
    message = (await run(planned.graph(checkpointer=InMemorySaver()), QUESTION, THREAD))["messages"][-1]
    assert message.text == "It was 1987."
    assert len(kept) > 2
    assert all(kept)
    (account,) = planned.node.ledger.children()
    assert not planned.node.ledger.states(account)[-1].overshoot


# -- side by side ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["plain", "wrapped", "budget node"])
@pytest.mark.parametrize("threads", [False, True])
async def test_searches_side_by_side_share_one_budget(kit: Any, threads: bool, how: str) -> None:
    budget = Budget(tool_calls=7, llm_calls=60)
    planned = [case(kit, budget, parallel=2) for _ in range(4)]
    graphs = [held_by(one, budget, how) for one in planned]
    with budget.open("job") as job:
        asked: Any = {"messages": [("user", QUESTION)]}
        in_threads = (asyncio.to_thread(graph.invoke, asked) for graph in graphs)
        in_tasks = (graph.ainvoke(asked) for graph in graphs)
        results: list[Any] = await asyncio.gather(*(in_threads if threads else in_tasks))
        assert sum(len(one.tools.runs) for one in planned) == job.spent.in_units("tool_calls") <= 7
        assert sum(one.mind.model.spent["llm_calls"] for one in planned) == job.spent.in_units("llm_calls") <= 60
        assert not job.reserved
        assert not job.overshoot
    assert all(result["messages"][-1].text for result in results)


async def test_a_fan_out_of_searches_in_subgraphs_shares_one_budget(kit: Any, run: Any) -> None:
    budget = Budget(tool_calls=5)
    planned = case(kit, budget, mind=Mind())
    graph: Any = StateGraph(MessagesState)
    graph.add_node("search", planned.graph())
    questions = [f"{QUESTION} ({n})" for n in range(3)]
    sends = [Send("search", {"messages": [("user", question)]}) for question in questions]
    graph.add_conditional_edges(START, lambda _: sends, ["search"])
    with budget.open("job") as job:
        result = await run(graph.compile(checkpointer=InMemorySaver()), QUESTION, THREAD)
        assert len(planned.tools.runs) == job.spent.in_units("tool_calls") <= 5
        assert not job.reserved
    answers = [m for m in result["messages"] if "nodes" in m.response_metadata.get("budgetkit_search", {})]
    assert len(answers) == 3


async def test_two_searches_at_once_in_one_state_are_turned_down_by_the_graph(kit: Any, run: Any) -> None:
    graph: Any = StateGraph(MessagesState)
    graph.add_node("agent", case(kit).node)
    sends = [Send("agent", {"messages": [HumanMessage(QUESTION, id=str(n))]}) for n in range(2)]
    graph.add_conditional_edges(START, lambda _: sends, ["agent"])
    with pytest.raises(InvalidUpdateError, match=r"^At key 'budgetkit_run': Can receive only one value per step"):
        await run(graph.compile())


async def test_a_search_leaves_alone_what_an_agent_further_out_spends_from_the_same_scope(kit: Any, run: Any) -> None:
    budget = Budget(tool_calls=4)
    planned = case(kit, budget)
    with budget.open("job") as job:
        job.charge(Spend(tool_calls=3))
        await run(planned.graph())
        assert len(planned.tools.runs) == 1
        assert_spent(job, tool_calls=4)


async def test_below_a_parent_s_scope_both_limits_hold(kit: Any, run: Any) -> None:
    with Budget(tool_calls=6).open("tenant") as tenant:
        planned = case(kit, Budget(tool_calls=4))
        for made in (4, 6, 6):
            await run(planned.graph())
            assert len(planned.tools.runs) == tenant.spent["tool_calls"] == made
        assert not tenant.reserved


# -- time -----------------------------------------------------------------------------------------------------------


def timed(kit: Any, seconds: float, **options: Any) -> tuple[Case, ManualClock]:
    clock = ManualClock()
    planned = case(kit, Budget(seconds=seconds, tool_calls=4), ledger=MemoryLedger(clock=clock), **options)
    return planned, clock


def seconds_of(planned: Case) -> Any:
    (account,) = planned.node.ledger.children()
    return planned.node.ledger.states(account)[-1].spent["seconds"]


async def test_no_clock_runs_while_a_person_thinks(kit: Any, run: Any) -> None:
    planned, clock = timed(kit, 10)
    graph = planned.wrapped(checkpointer=InMemorySaver(), interrupt_before=["tools"])
    planned.tools.before = lambda *_: clock.advance(1)
    result = await run(graph, QUESTION, THREAD)
    while result["messages"][-1].text != "1987":
        clock.advance(1_000)
        result = await run(graph, None, THREAD)
    assert len(planned.tools.runs) == 4
    assert seconds_of(planned) == 4
    assert reserved(planned.node) == {}


@pytest.mark.parametrize(("how", "counted"), [("plain", 0), ("wrapped", 4)])
async def test_the_wrapper_has_the_tools_time_counted(kit: Any, run: Any, how: str, counted: int) -> None:
    planned, clock = timed(kit, 10)
    planned.tools.before = lambda *_: clock.advance(1)
    await run(held_by(planned, planned.node.budget, how, checkpointer=InMemorySaver()), QUESTION, THREAD)
    assert len(planned.tools.runs) == 4
    assert seconds_of(planned) == counted


async def test_time_that_is_over_ends_in_an_answer(kit: Any, run: Any) -> None:
    clock = ManualClock()

    def turn(messages: list[BaseMessage]) -> str:
        clock.advance(3)
        return "It was 1987." if kit.is_last_call(messages) else "a thought"

    budget = Budget(seconds=10, tool_calls=9)
    mind = Mind(kit.BillingModel([turn], loop_last=True))
    planned = case(kit, budget, mind=mind, ledger=MemoryLedger(clock=clock))
    message = (await run(planned.wrapped(checkpointer=InMemorySaver()), QUESTION, THREAD))["messages"][-1]
    assert message.response_metadata["budgetkit"]["resource"] == "seconds"
    assert seconds_of(planned) in {9, 12}
    assert message.text
    assert reserved(planned.node) == {}


async def test_calls_that_run_out_of_time_are_given_back(kit: Any, run: Any) -> None:
    """The wrapper refuses a call of a search whose time is over: what the search set aside for it is released."""
    planned, clock = timed(kit, 10, mind=Mind(), parallel=2)
    graph = planned.wrapped(checkpointer=InMemorySaver(), interrupt_before=["tools"])
    await run(graph, QUESTION, THREAD)
    (account,) = planned.node.ledger.children()
    presence = planned.node.ledger.start(account)
    clock.advance(11)
    planned.node.ledger.stop(presence)
    result = await run(graph, None, THREAD)
    while graph.get_state(THREAD).next:
        result = await run(graph, None, THREAD)
    assert planned.tools.runs == []
    assert "tool_calls" not in spent(planned.node)
    assert result["messages"][-1].text
    assert reserved(planned.node) == {}


# -- a wrapper that cannot see the search ---------------------------------------------------------------------------


async def test_the_wrapper_says_so_when_it_does_not_see_whose_search_it_works_for(kit: Any, run: Any) -> None:
    planned = case(kit, Budget(tool_calls=2))
    node = ToolNode(planned.tools.all, wrap_tool_call=planned.node.wrap_tool_call)
    with pytest.raises(ValueError, match=r"^a budget per='run' needs a thread to belong to: "):
        await run(graph_of(planned.node, node))
