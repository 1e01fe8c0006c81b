"""How a run ends, for each resource that can end it."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphDrained
from langgraph.types import Command

from budgetkit import Budget, BudgetExceeded
from budgetkit.plugins import BudgetDrained

LIMITS: dict[str, dict[str, Any]] = {
    "usd": {"usd": "0.002"},
    "llm_calls": {"llm_calls": 4},
    "tool_calls": {"tool_calls": 2},
    "tool:search": {"tools": {"search": 2}},
    "input_tokens": {"input_tokens": 1500},
    "output_tokens": {"output_tokens": 80},
    "total_tokens": {"total_tokens": 1500},
    "seconds": {"seconds": "0.3"},
}
each_resource = pytest.mark.parametrize("resource", LIMITS)


@pytest.fixture
def budget(resource: str, search: Any, gate: Any) -> Budget:
    if resource == "seconds":
        search.before = lambda _: search.runs > 1 and gate.wait(20)  # the second search takes too long
    return Budget(**LIMITS[resource])


def end_of(result: Any) -> Any:
    return result["messages"][-1].response_metadata["budgetkit"]


@each_resource
async def test_answer_names_what_was_found(resource: str, budget: Budget, search: Any, kit: Any, run: Any) -> None:
    model = kit.searching()
    result = await run(kit.agent_on(model, search, budget))
    assert result["messages"][-1].text == "It was 1987."
    assert end_of(result) == {"ended": "answer", "resource": resource, "account": end_of(result)["account"]}
    assert kit.is_last_call(model.requests[-1].messages)
    assert "Alpha was founded in 1987" in model.requests[-1].messages[-1].text
    assert not kit.dangling(result["messages"])
    kit.assert_held(budget, model, search)


@pytest.mark.parametrize(
    "answer",
    ["", RuntimeError("the provider is down"), AIMessage("", tool_calls=[{"name": "search", "args": {}, "id": "x"}])],
    ids=["says nothing", "fails", "asks for tools all the same"],
)
@each_resource
async def test_answer_is_read_out_in_words_when_the_last_call_comes_to_nothing(
    answer: Any, resource: str, budget: Budget, search: Any, kit: Any, run: Any
) -> None:
    model = kit.searching(answer)
    result = await run(kit.agent_on(model, search, budget))
    last = result["messages"][-1]
    assert last.text.startswith("1987\n\n(Read from the findings without a model: the budget ended, ")
    assert end_of(result)["ended"] == "free answer"
    assert end_of(result)["resource"] == resource
    assert not last.tool_calls
    assert not kit.dangling(result["messages"])
    kit.assert_held(budget, model, search)


@each_resource
async def test_stop_ends_in_a_notice_for_people(resource: str, budget: Budget, search: Any, kit: Any, run: Any) -> None:
    model = kit.searching()
    result = await run(kit.agent_on(model, search, budget, at_end="stop"))
    assert result["messages"][-1].text.startswith(f"Stopped: the budget for {resource} is used up (")
    assert end_of(result)["ended"] == "stop"
    assert not any(kit.is_last_call(request.messages) for request in model.requests)
    assert not kit.dangling(result["messages"])
    kit.assert_held(budget, model, search)


@each_resource
async def test_raise_says_whose_limit_it_was(resource: str, budget: Budget, search: Any, kit: Any, run: Any) -> None:
    model = kit.searching()
    with pytest.raises(BudgetExceeded) as caught:
        await run(kit.agent_on(model, search, budget, at_end="raise"))
    assert caught.value.resource == resource
    assert caught.value.limit == budget.limits[resource]
    assert caught.value.account[-1].startswith("agent-")
    assert caught.value.spent <= caught.value.limit or resource == "seconds"  # a clock does not stop on the dot
    kit.assert_held(budget, model, search)


@each_resource
async def test_ask_goes_on_after_a_top_up_that_is_applied_once(
    resource: str, budget: Budget, search: Any, kit: Any, run: Any, gate: Any
) -> None:
    model, config = kit.searching(), {"configurable": {"thread_id": "t"}}
    agent = kit.agent_on(model, search, budget, at_end="ask", checkpointer=InMemorySaver())
    question = (await run(agent, config=config))["__interrupt__"][0].value
    assert question["resource"] == resource
    assert question["limit"] == str(budget.limits[resource])
    before = model.spent["llm_calls"] + search.runs
    gate.set()
    again = (await run(agent, Command(resume={resource: budget.limits[resource]}), config))["__interrupt__"][0].value
    assert again["limit"] == str(2 * budget.limits[resource])
    assert model.spent["llm_calls"] + search.runs > before
    result = await run(agent, Command(resume=False), config)
    assert result["messages"][-1].text == "It was 1987."
    assert end_of(result)["resource"] == resource
    assert not kit.dangling(result["messages"])


@each_resource
async def test_drain_can_be_resumed_after_a_top_up(
    resource: str, budget: Budget, search: Any, kit: Any, run: Any, gate: Any
) -> None:
    model, config = kit.searching(), {"configurable": {"thread_id": "t"}}
    with budget.open("job") as job:
        agent = kit.agent_on(model, search, budget, at_end="drain", checkpointer=InMemorySaver())
        with pytest.raises(GraphDrained):
            await run(agent, config=config)
        before = model.spent["llm_calls"] + search.runs
        with pytest.raises(GraphDrained):
            await run(agent, None, config)
        assert model.spent["llm_calls"] + search.runs == before
        gate.set()
        job.top_up({resource: budget.limits[resource]})
        with pytest.raises(BudgetDrained) as drained:
            await run(agent, None, config)
    assert drained.value.refusal.resource == resource
    assert drained.value.refusal.limit == 2 * budget.limits[resource]
    assert model.spent["llm_calls"] + search.runs > before
