"""Budgets inside budgets: scopes, parents, sub-agents, several budgets on one agent."""

from typing import Any

import pytest
from deepagents import create_deep_agent
from langchain.agents import create_agent
from langchain_core.messages import BaseMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from budgetkit import Budget, BudgetExceeded, MemoryLedger, current_scope
from budgetkit.plugins import BudgetMiddleware
from budgetkit.testing import assert_spent, call

CONFIG: Any = {"configurable": {"thread_id": "t"}}


async def test_inside_an_open_scope_of_the_same_budget_the_agent_spends_from_it(
    search: Any, kit: Any, run: Any
) -> None:
    budget = Budget(llm_calls=20, tool_calls=4)
    with budget.open("nightly-report") as job:
        await run(kit.agent_on(kit.searching(), search, budget))
        assert_spent(job, llm_calls=5, tool_calls=4, tools={"search": 4})
        assert job.remaining["llm_calls"] == 15
        assert job.level == "critical"
        assert {charge.account for charge in job.charges} == {("nightly-report",)}


async def test_a_scope_is_one_budget_for_all_runs_inside_it(search: Any, kit: Any, run: Any) -> None:
    budget, model = Budget(llm_calls=5), kit.searching()
    agent = kit.agent_on(model, search, budget)
    with budget.open("job") as job:
        await run(agent)
        assert job.spent["llm_calls"] == 5
        with pytest.raises(BudgetExceeded, match=r"^budget 'job' is out of llm_calls: limit 5, spent 5"):
            await run(agent)
    assert len(model.requests) == 5


async def test_an_equal_budget_is_another_budget(search: Any, kit: Any, run: Any) -> None:
    model = kit.searching()
    with Budget(llm_calls=9).open("job") as job:
        await run(kit.agent_on(model, search, Budget(llm_calls=3)))
        with Budget(llm_calls=3).open("equal"):
            await run(kit.agent_on(model, search, Budget(llm_calls=3)))
        assert job.spent["llm_calls"] == len(model.requests) == 6


async def test_an_open_scope_of_another_budget_is_the_parent_and_both_hold(search: Any, kit: Any, run: Any) -> None:
    model, tenant = kit.searching(), Budget(llm_calls=7)
    agent = kit.agent_on(model, search, Budget(llm_calls=3, tool_calls=9))
    with tenant.open("tenant") as account:
        for _ in range(2):
            assert (await run(agent))["messages"][-1].text == "It was 1987."
        with pytest.raises(BudgetExceeded, match=r"^budget 'tenant' is out of llm_calls: limit 7, spent 7"):
            await run(agent)
        assert account.spent["llm_calls"] == len(model.requests) == 7
    assert not account.overshoot


async def test_a_parent_s_refusal_passes_through_every_end(search: Any, kit: Any, run: Any) -> None:
    for at_end in ("answer", "stop", "raise", "ask", "drain"):
        agent = kit.agent_on(kit.searching(), search, Budget(llm_calls=9), at_end=at_end, checkpointer=InMemorySaver())
        with Budget(llm_calls=2).open("tenant"), pytest.raises(BudgetExceeded) as caught:
            await run(agent, config=CONFIG)
        assert caught.value.account == ("tenant",)


async def test_the_scope_between_holds_as_well_and_the_answer_is_still_paid(search: Any, kit: Any, run: Any) -> None:
    budget, step = Budget(llm_calls=4), Budget(tool_calls=50)
    model = kit.searching()
    with budget.open("job") as job, step.open("step") as inner:
        result = await run(kit.agent_on(model, search, budget))
        assert inner.spent["llm_calls"] == job.spent["llm_calls"] == len(model.requests) == 4
    assert result["messages"][-1].text == "It was 1987."
    assert kit.is_last_call(model.requests[-1].messages)


def recursive(kit: Any, search: Any, middleware: BudgetMiddleware, sub: Any) -> Any:
    """An agent whose tool is an agent on the same budget."""
    inner: Any = create_agent(sub, [search.tool], middleware=[middleware])

    @tool
    async def research(topic: str) -> str:  # noqa: ARG001 - what the model gives
        """Have somebody else search."""
        return str((await inner.ainvoke({"messages": [("user", kit.QUESTION)]}))["messages"][-1].text)

    return research


async def test_a_sub_agent_on_the_same_budget_leaves_its_caller_the_answer(search: Any, kit: Any) -> None:
    budget = Budget(llm_calls=6)
    middleware = BudgetMiddleware(budget, counter=kit.Words())

    def turn(messages: list[BaseMessage]) -> Any:
        return "Boss: 1987." if kit.is_last_call(messages) else call("research", topic="alpha")

    boss, sub = kit.BillingModel([turn], loop_last=True), kit.searching("Sub: 1987.")
    agent: Any = create_agent(boss, [recursive(kit, search, middleware, sub)], middleware=[middleware])
    result = await agent.ainvoke({"messages": [("user", kit.QUESTION)]})
    assert result["messages"][-1].text == "Boss: 1987."
    assert sub.requests
    assert kit.is_last_call(sub.requests[-1].messages)
    assert len(boss.requests) + len(sub.requests) == 6


async def test_parallel_sub_agents_on_the_same_budget_stay_inside_it(search: Any, kit: Any) -> None:
    budget = Budget(llm_calls=10)
    middleware = BudgetMiddleware(budget, counter=kit.Words())

    def turn(messages: list[BaseMessage]) -> Any:
        if kit.is_last_call(messages):
            return "Boss: 1987."
        return [call("research", topic=f"{n}") for n in range(4)]

    boss, sub = kit.BillingModel([turn], loop_last=True), kit.searching("Sub: 1987.")
    agent: Any = create_agent(boss, [recursive(kit, search, middleware, sub)], middleware=[middleware])
    with budget.open("job") as job:
        result = await agent.ainvoke({"messages": [("user", kit.QUESTION)]})
        assert job.spent["llm_calls"] == len(boss.requests) + len(sub.requests) <= 10
    assert result["messages"][-1].text == "Boss: 1987."


@pytest.mark.parametrize("tight", ["outer", "inner"])
async def test_two_budgets_on_one_agent_count_once_on_both(tight: str, search: Any, kit: Any, run: Any) -> None:
    limits = {"outer": 20, "inner": 20} | {tight: 3}
    outer, inner = Budget(llm_calls=limits["outer"]), Budget(llm_calls=limits["inner"], tool_calls=30)
    model = kit.searching()
    options = {"prices": kit.PRICES, "counter": kit.Words()}
    both: Any = [BudgetMiddleware(outer, name="outer", **options), BudgetMiddleware(inner, name="inner", **options)]
    agent: Any = create_agent(model, [search.tool], middleware=both)
    with outer.open("job") as job:
        result = await run(agent)
        assert job.spent["llm_calls"] == len(model.requests) == 3
        assert job.spent["tool_calls"] == search.runs == 2
        (below,) = {charge.account for charge in job.charges}
        assert len(below) == 2
        assert job.ledger.states(below)[-1].spent["llm_calls"] == 3
    assert result["messages"][-1].text == "It was 1987."
    assert sum(text.count("level:") for text in (m.text for m in result["messages"])) == 2 * search.runs


async def test_the_inner_of_two_budgets_may_be_the_one_that_is_open(search: Any, kit: Any, run: Any) -> None:
    outer, inner = Budget(llm_calls=5), Budget(tool_calls=9, llm_calls=9)
    model = kit.searching()
    both: Any = [BudgetMiddleware(outer, name="outer"), BudgetMiddleware(inner, name="inner")]
    agent: Any = create_agent(model, [search.tool], middleware=both)
    with inner.open("job") as job:
        result = await run(agent)
        assert job.spent["llm_calls"] == len(model.requests) == 5
    assert result["messages"][-1].text == "It was 1987."


async def test_the_same_budget_twice_on_one_agent_counts_once(search: Any, kit: Any, run: Any) -> None:
    budget, model = Budget(llm_calls=4, tool_calls=9), kit.searching()
    both: Any = [BudgetMiddleware(budget, name="one"), BudgetMiddleware(budget, name="two")]
    agent: Any = create_agent(model, [search.tool], middleware=both)
    with budget.open("job") as job:
        await run(agent)
        assert job.spent["llm_calls"] == len(model.requests) == 4
        assert job.spent["tool_calls"] == search.runs == 3


@pytest.mark.parametrize("at_end", ["answer", "stop"])
@pytest.mark.parametrize("end", [{"tool_calls": 2}, {"llm_calls": 2}])
async def test_the_end_of_the_inner_budget_is_counted_once_on_the_outer_one(
    end: Any, at_end: Any, search: Any, kit: Any, run: Any
) -> None:
    outer, inner, model = Budget(llm_calls=50), Budget(**end), kit.searching()
    options = {"prices": kit.PRICES, "at_end": at_end}
    two: Any = [BudgetMiddleware(outer, name="outer", **options), BudgetMiddleware(inner, name="inner", **options)]
    with outer.open("outer") as account:
        await run(create_agent(model, [search.tool], middleware=two))
        assert account.spent["llm_calls"] == len(model.requests)
        assert not account.reserved


async def test_a_thread_s_budget_below_a_run_s_is_refused_because_it_would_begin_anew_at_every_run(
    search: Any, kit: Any, run: Any
) -> None:
    per_run = BudgetMiddleware(Budget(llm_calls=5), prices=kit.PRICES, name="run")
    per_thread = BudgetMiddleware(Budget(llm_calls=8), prices=kit.PRICES, per="thread", name="thread")
    saver = InMemorySaver()
    model = kit.searching()
    wrong: Any = create_agent(model, [search.tool], middleware=[per_run, per_thread], checkpointer=saver)
    with pytest.raises(ValueError, match="'thread' with per='thread' comes after one with per='run'"):
        await run(wrong, config=CONFIG)
    assert not model.requests
    right: Any = create_agent(model, [search.tool], middleware=[per_thread, per_run], checkpointer=saver)
    await run(right, config={"configurable": {"thread_id": "another"}})
    assert model.requests


def test_a_ledger_of_its_own_and_a_scope_in_another_cannot_both_hold(search: Any, kit: Any) -> None:
    agent = kit.agent_on(kit.searching(), search, Budget(llm_calls=3), ledger=MemoryLedger())
    with (
        Budget(llm_calls=9).open("tenant"),
        pytest.raises(
            ValueError, match=r"^the budget has a ledger of its own and the open scope 'tenant' is in another"
        ),
    ):
        agent.invoke({"messages": [("user", kit.QUESTION)]})


async def test_a_scope_in_the_ledger_that_was_given_is_the_parent(search: Any, kit: Any, run: Any) -> None:
    ledger, model = MemoryLedger(), kit.searching()
    agent = kit.agent_on(model, search, Budget(llm_calls=3), ledger=ledger)
    with Budget(llm_calls=9).open("tenant", ledger=ledger) as tenant:
        await run(agent)
        assert tenant.spent["llm_calls"] == 3


async def test_no_scope_is_left_behind(search: Any, kit: Any, run: Any) -> None:
    await run(kit.agent_on(kit.searching(), search, Budget(llm_calls=3)))
    assert current_scope() is None


@pytest.mark.parametrize("limits", [{"llm_calls": 12}, {"tool_calls": 5}])
async def test_deep_agents_with_parallel_tasks_share_one_budget(limits: Any, search: Any, kit: Any, run: Any) -> None:
    """Parallel tasks and a limit on parent and sub-agents alike: nothing clashes, nothing is counted twice."""
    budget = Budget(**limits)

    def turn(messages: list[BaseMessage]) -> Any:
        if kit.is_last_call(messages):
            return "Boss: 1987."
        return [call("task", description=f"search {n}", subagent_type="searcher") for n in range(3)]

    boss, sub = kit.BillingModel([turn], loop_last=True), kit.searching("Sub: 1987.")
    options: Any = {"counter": kit.Words(), "prices": kit.PRICES}
    searcher: Any = {
        "name": "searcher",
        "description": "Searches.",
        "system_prompt": "Search.",
        "tools": [search.tool],
        "model": sub,
        "middleware": [BudgetMiddleware(budget, name="searcher", **options)],
    }
    agent: Any = create_deep_agent(
        model=boss, tools=[], subagents=[searcher], middleware=[BudgetMiddleware(budget, **options)]
    )
    with budget.open("job") as job:
        result = await run(agent)
        assert job.spent["llm_calls"] == len(boss.requests) + len(sub.requests)
        assert job.spent["tool:search"] == search.runs
    assert not job.overshoot
    assert result["messages"][-1].text == "Boss: 1987."
    assert not kit.dangling(result["messages"])
