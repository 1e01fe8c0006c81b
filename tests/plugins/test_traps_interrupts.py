"""Interrupts and resumes: one run, whoever stops it and how often (facts, rows 21 and 26)."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command, interrupt

from budgetkit import Budget, MemoryLedger
from budgetkit.plugins import BudgetMiddleware
from budgetkit.testing import ManualClock, ScriptedChatModel, call

CONFIG: Any = {"configurable": {"thread_id": "t"}}
APPROVED: Any = Command(resume={"decisions": [{"type": "approve"}]})


@pytest.fixture(params=["memory", "sqlite"])
def saver(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "memory":
        yield InMemorySaver()
        return
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    yield SqliteSaver(connection)
    connection.close()


@pytest.fixture
def approving(kit: Any, search: Any) -> Any:
    """An agent whose every search needs a person's approval."""

    def make(model: Any, budget: Budget, saver: Any, **options: Any) -> Any:
        outside = [HumanInTheLoopMiddleware(interrupt_on={"search": True})]
        return kit.agent_on(model, search, budget, checkpointer=saver, outside=outside, **options)

    return make


@pytest.mark.parametrize("limits", [{"llm_calls": 3}, {"tool_calls": 3}])
def test_an_interrupt_at_every_step_resets_nothing(
    limits: Any, search: Any, kit: Any, approving: Any, saver: Any
) -> None:
    """Trap 21: the built-in run limits start anew at each resume; a limit of 2 let 9 calls through."""
    model = kit.searching()
    agent = approving(model, Budget(**limits), saver)
    result = agent.invoke({"messages": [("user", kit.QUESTION)]}, CONFIG)
    while "__interrupt__" in result:
        result = agent.invoke(APPROVED, CONFIG)
    assert result["messages"][-1].text == "It was 1987."
    assert len(model.requests) == 3 + ("tool_calls" in limits)
    assert search.runs == 3 - ("llm_calls" in limits)


async def test_a_new_run_of_the_thread_has_a_new_budget(kit: Any, approving: Any, run: Any) -> None:
    """Trap 21: a run ends with its last step, not with its thread."""
    model, saver = kit.searching(), InMemorySaver()
    agent = approving(model, Budget(llm_calls=2), saver)
    for turn in (1, 2):
        assert "__interrupt__" in await run(agent, config=CONFIG)
        assert (await run(agent, APPROVED, CONFIG))["messages"][-1].text == "It was 1987."
        assert len(model.requests) == 2 * turn


@tool
def confirm(what: str) -> str:
    """Ask a person."""
    return f"{what}: {interrupt(what)}"


async def test_a_tool_that_asks_a_person_is_counted_once(run: Any) -> None:
    """Trap 26: the wrapper is entered again from its top, with the same task and call."""
    budget = Budget(tool_calls=2, llm_calls=9)
    model = ScriptedChatModel([call("confirm", what="this"), call("confirm", what="that"), "Done."])
    agent: Any = create_agent(model, [confirm], middleware=[BudgetMiddleware(budget)], checkpointer=InMemorySaver())
    with budget.open("job") as job:
        await run(agent, config=CONFIG)
        assert job.spent["tool_calls"] == 0
        await run(agent, Command(resume="yes"), CONFIG)
        assert job.spent["tool_calls"] == 1
        result = await run(agent, Command(resume="no"), CONFIG)
        assert job.spent["tool_calls"] == 2
    told = [m.text.split("\n")[0] for m in result["messages"] if isinstance(m, ToolMessage)]
    assert told == ["this: yes", "that: no"]
    assert result["messages"][-1].text == "Done."


async def test_a_finished_sibling_is_neither_run_nor_counted_again(search: Any, run: Any) -> None:
    """Trap 26: of two parallel calls the finished one keeps its result."""
    budget = Budget(tool_calls=9)
    model = ScriptedChatModel([[call("search", query="a"), call("confirm", what="this")], "Done."])
    agent: Any = create_agent(
        model, [search.tool, confirm], middleware=[BudgetMiddleware(budget)], checkpointer=InMemorySaver()
    )
    with budget.open("job") as job:
        await run(agent, config=CONFIG)
        result = await run(agent, Command(resume="yes"), CONFIG)
        assert (search.runs, job.spent["tool_calls"]) == (1, 2)
    assert result["messages"][-1].text == "Done."


async def test_a_person_s_reply_reaches_the_one_who_asked(run: Any) -> None:
    """Trap 26: replies are handed out in the order of the questions, so a gate must not ask inside a tool's task."""
    model, config = ScriptedChatModel([call("confirm", what="this"), call("confirm", what="that"), "Done."]), CONFIG
    middleware = BudgetMiddleware(Budget(tool_calls=1), at_end="ask")
    agent: Any = create_agent(model, [confirm], middleware=[middleware], checkpointer=InMemorySaver())
    assert (await run(agent, config=config))["__interrupt__"][0].value == "this"
    asked = await run(agent, Command(resume="first"), config)
    assert asked["__interrupt__"][0].value["resource"] == "tool_calls"
    again = ScriptedChatModel([call("confirm", what="that"), "Done."])
    agent = create_agent(again, [confirm], middleware=[middleware], checkpointer=agent.checkpointer)
    assert (await run(agent, Command(resume={"tool_calls": 1}), config))["__interrupt__"][0].value == "that"
    result = await run(agent, Command(resume="second"), config)
    told = [m.text.split("\n")[0] for m in result["messages"] if isinstance(m, ToolMessage) and m.status != "error"]
    assert told == ["this: first", "that: second"]


async def test_nobody_s_clock_runs_while_a_person_thinks(run: Any) -> None:
    """Waiting for a person is not time in which the budget is in use, and lapses nothing."""
    clock = ManualClock()
    ledger = MemoryLedger(clock=clock)
    model = ScriptedChatModel([call("confirm", what="this"), "Done."])
    middleware = BudgetMiddleware(Budget(tool_calls=1, seconds=60), ledger=ledger)
    agent: Any = create_agent(model, [confirm], middleware=[middleware], checkpointer=InMemorySaver())
    await run(agent, config=CONFIG)
    clock.advance(3600)
    result = await run(agent, Command(resume="yes"), CONFIG)
    assert result["messages"][-1].text == "Done."
    (account,) = ledger.children()
    state = ledger.states(account)[-1]
    assert (state.spent["tool_calls"], state.spent["seconds"]) == (1, 0)


async def test_a_top_up_is_applied_once_however_often_the_node_is_entered(search: Any, kit: Any, run: Any) -> None:
    """Trap 26: the node that asked is entered again from its top, here after a failure behind the question."""
    failing, saver = [True], InMemorySaver()

    def once(_: Any) -> str:
        if failing:
            failing.pop()
            raise ConnectionError("down")
        return "Done."

    model = ScriptedChatModel([call("search", query="a"), once, "Done."])
    ledger = MemoryLedger()
    agent = kit.agent_on(
        model, search, Budget(llm_calls=2), at_end="ask", per="thread", ledger=ledger, checkpointer=saver
    )
    assert "__interrupt__" in await run(agent, config=CONFIG)
    with pytest.raises(ConnectionError):
        await run(agent, Command(resume={"llm_calls": 3}), CONFIG)
    assert ledger.states(("agent-t",))[-1].limits["llm_calls"] == 5
    result = await run(agent, None, CONFIG)
    assert result["messages"][-1].text == "Done."
    assert ledger.states(("agent-t",))[-1].limits["llm_calls"] == 5


async def test_resuming_a_run_that_is_over_starts_nothing(search: Any, kit: Any, run: Any) -> None:
    model = kit.searching()
    agent = kit.agent_on(model, search, Budget(llm_calls=2), at_end="ask", checkpointer=InMemorySaver())
    await run(agent, config=CONFIG)
    await run(agent, Command(resume=False), CONFIG)
    before = len(model.requests)
    await run(agent, Command(resume={"llm_calls": 5}), CONFIG)
    assert len(model.requests) == before
