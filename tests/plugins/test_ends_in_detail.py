"""The corners of each end: the smallest budgets, replies that are no top-ups, threads that go on afterwards."""

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import wrap_model_call
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphBubbleUp, GraphDrained
from langgraph.types import Command
from pydantic import BaseModel

from budgetkit import Budget, BudgetExceeded, BudgetTooSmall, PriceUnknown, Spend
from budgetkit.plugins import BudgetMiddleware
from budgetkit.testing import ScriptedChatModel, call

ENDS = ["answer", "stop", "raise", "ask", "drain"]
CONFIG = {"configurable": {"thread_id": "t"}}


@pytest.mark.parametrize("at_end", ENDS)
@pytest.mark.parametrize("limits", [{"llm_calls": 0}, {"input_tokens": 20}, {"output_tokens": 3}, {"usd": "0.00001"}])
async def test_a_budget_that_cannot_pay_for_one_answer_says_so_before_anything_is_spent(
    at_end: Any, limits: Any, search: Any, kit: Any, run: Any
) -> None:
    model, name = kit.searching(), next(iter(limits))
    agent = kit.agent_on(model, search, Budget(**limits), at_end=at_end, checkpointer=InMemorySaver())
    with pytest.raises(
        BudgetTooSmall, match=rf"cannot pay for one answer: it needs \S+ {name}, the limit is"
    ) as caught:
        await run(agent, config=CONFIG)
    assert isinstance(caught.value, GraphBubbleUp)
    assert (caught.value.resource, caught.value.spent, model.requests, search.runs) == (name, 0, (), 0)


async def test_a_budget_for_one_call_is_one_answer(search: Any, kit: Any, run: Any) -> None:
    model = kit.searching("Perhaps 1987.")
    result = await run(kit.agent_on(model, search, Budget(llm_calls=1)))
    assert result["messages"][-1].text == "Perhaps 1987."
    assert len(model.requests) == 1


async def test_a_budget_without_tool_calls_answers_at_once(search: Any, kit: Any, run: Any) -> None:
    model = kit.searching("Perhaps 1987.")
    result = await run(kit.agent_on(model, search, Budget(tool_calls=0)))
    assert result["messages"][-1].text == "Perhaps 1987."
    assert (len(model.requests), search.runs) == (1, 0)


async def test_with_nothing_found_and_nothing_said_the_answer_says_just_that(search: Any, kit: Any, run: Any) -> None:
    result = await run(kit.agent_on(kit.searching(""), search, Budget(llm_calls=1)))
    assert result["messages"][-1].text.startswith("No answer was found before the budget ended (llm_calls")


async def test_with_nothing_found_the_provider_s_own_error_is_raised(search: Any, kit: Any, run: Any) -> None:
    with pytest.raises(RuntimeError, match=r"^the provider is down"):
        await run(kit.agent_on(kit.searching(RuntimeError("the provider is down")), search, Budget(llm_calls=1)))


async def test_a_model_without_a_price_is_refused_under_a_dollar_limit_before_it_is_called(
    search: Any, kit: Any, run: Any
) -> None:
    model = kit.searching(name="a-model-nobody-sells")
    with pytest.raises(PriceUnknown, match="a-model-nobody-sells"):
        await run(kit.agent_on(model, search, Budget(usd="1")))
    assert not model.requests


@pytest.mark.parametrize("at_end", ["stop", "ask"])
async def test_a_model_may_still_answer_from_its_last_tool_result(at_end: Any, search: Any, kit: Any, run: Any) -> None:
    model = ScriptedChatModel([call("search", query="a"), "It was 1987."])
    agent = kit.agent_on(model, search, Budget(tool_calls=1), at_end=at_end, checkpointer=InMemorySaver())
    result = await run(agent, config=CONFIG)
    assert result["messages"][-1].text == "It was 1987."
    assert "__interrupt__" not in result


async def test_a_person_is_asked_once_for_a_whole_message_of_refused_calls(search: Any, kit: Any, run: Any) -> None:
    model = kit.searching(parallel=8)
    agent = kit.agent_on(model, search, Budget(tool_calls=3), at_end="ask", checkpointer=InMemorySaver())
    result = await run(agent, config=CONFIG)
    assert len(result["__interrupt__"]) == 1
    assert search.runs == 3
    await run(agent, Command(resume={"tool_calls": 2}), CONFIG)
    assert search.runs == 5


async def test_a_reply_that_is_no_top_up_is_asked_about_again(search: Any, kit: Any, run: Any) -> None:
    agent = kit.agent_on(kit.searching(), search, Budget(llm_calls=2), at_end="ask", checkpointer=InMemorySaver())
    await run(agent, config=CONFIG)
    mistakes = []
    for reply in ("yes", {"llm_callz": 3}, {"llm_calls": -1}, {"llm_calls": 1.5}):
        result = await run(agent, Command(resume=reply), CONFIG)
        mistakes.append(result["__interrupt__"][0].value["mistake"])
    assert mistakes == [
        "'yes' is no top-up: resume with a mapping like {'usd': '0.05'}, or with False",
        "no resource 'llm_callz': did you mean 'llm_calls'? A resource of your own needs another name",
        "llm_calls=-1 is negative: a limit or an amount is 0 or more",
        "llm_calls=1.5 must be a whole number (int), not float",
    ]
    after = await run(agent, Command(resume={"llm_calls": 1}), CONFIG)
    assert after["__interrupt__"][0].value["limit"] == "3"


async def test_a_top_up_of_the_wrong_resource_is_asked_about_again(search: Any, kit: Any, run: Any) -> None:
    budget = Budget(llm_calls=2, tool_calls=9)
    agent = kit.agent_on(kit.searching(), search, budget, at_end="ask", checkpointer=InMemorySaver())
    await run(agent, config=CONFIG)
    result = await run(agent, Command(resume={"tool_calls": 1}), CONFIG)
    assert result["__interrupt__"][0].value["resource"] == "llm_calls"
    state = await run(agent, Command(resume={"llm_calls": 1}), CONFIG)
    assert state["__interrupt__"][0].value["limit"] == "3"


@pytest.mark.parametrize("at_end", ["raise", "drain"])
async def test_a_thread_that_was_left_with_an_open_tool_call_goes_on_with_every_call_answered(
    at_end: Any, search: Any, kit: Any, run: Any
) -> None:
    model = kit.searching(parallel=2)
    agent = kit.agent_on(model, search, Budget(tool_calls=1), at_end=at_end, checkpointer=InMemorySaver())
    with pytest.raises((BudgetExceeded, GraphDrained)):
        await run(agent, config=CONFIG)
    with pytest.raises((BudgetExceeded, GraphDrained)):
        await run(agent, "And Beta?", CONFIG)
    asked = model.requests[1].messages
    assert not kit.dangling(asked)
    assert [m.text for m in asked if isinstance(m, HumanMessage)] == [kit.QUESTION, "And Beta?"]
    answers = [m for m in asked if isinstance(m, ToolMessage)]
    assert {m.text for m in answers} >= {"Not run: the run was left before."}


async def test_a_drained_thread_is_topped_up_by_code_through_the_middleware_s_ledger(
    search: Any, kit: Any, run: Any
) -> None:
    model = kit.searching()
    middleware = BudgetMiddleware(Budget(llm_calls=2), at_end="drain", prices=kit.PRICES, counter=kit.Words())
    agent = create_agent(model, [search.tool], middleware=[middleware], checkpointer=InMemorySaver())
    with pytest.raises(GraphDrained) as drained:
        await run(agent, config=CONFIG)
    refusal: Any = drained.value.refusal  # type: ignore[attr-defined]  # a BudgetDrained
    for _ in range(2):
        middleware.ledger.top_up(refusal.account, Spend(llm_calls=1), id="granted")
    with pytest.raises(GraphDrained):
        await run(agent, None, CONFIG)
    assert len(model.requests) == 3


async def test_a_stopped_thread_goes_on_with_a_new_budget(search: Any, kit: Any, run: Any) -> None:
    """Trap 10: nothing depends on a hook that an early end skips."""
    model = kit.searching()
    agent = kit.agent_on(model, search, Budget(llm_calls=2), at_end="stop", checkpointer=InMemorySaver())
    for turn in (1, 2, 3):
        result = await run(agent, config=CONFIG)
        assert result["messages"][-1].text == "Stopped: the budget for llm_calls is used up (2 of 2)."
        assert len(model.requests) == 2 * turn


@pytest.mark.parametrize("content", ["It was 1987.", [{"type": "text", "text": "It was 1987."}]])
async def test_calls_inside_the_last_answer_leave_no_trace(content: Any, search: Any, kit: Any, run: Any) -> None:
    blocks = content if isinstance(content, str) else [*content, {"type": "tool_use", "id": "x", "name": "search"}]
    said = AIMessage(
        blocks,
        tool_calls=[{"name": "search", "args": {}, "id": "x"}],
        additional_kwargs={"tool_calls": [{"id": "x"}]},
    )
    last = (await run(kit.agent_on(kit.searching(said), search, Budget(llm_calls=2))))["messages"][-1]
    assert (last.content, last.tool_calls, last.additional_kwargs) == ("It was 1987.", [], {})


class Founded(BaseModel):
    """When something was founded."""

    year: int


async def test_the_last_answer_is_structured_when_that_is_what_was_asked_for(search: Any, kit: Any, run: Any) -> None:
    final = AIMessage("", tool_calls=[{"name": "Founded", "args": {"year": 1987}, "id": "f"}])
    middleware = BudgetMiddleware(Budget(llm_calls=2), prices=kit.PRICES)
    agent: Any = create_agent(kit.searching(final), [search.tool], middleware=[middleware], response_format=Founded)
    result = await run(agent)
    assert result["structured_response"] == Founded(year=1987)
    assert not kit.dangling(result["messages"])


def test_settings_that_need_tools_are_left_out_of_the_last_call(search: Any, kit: Any) -> None:
    model = kit.searching()

    @wrap_model_call
    def one_by_one(request: Any, handler: Any) -> Any:
        return handler(request.override(model_settings={"parallel_tool_calls": False, "temperature": 0}))

    agent = kit.agent_on(model, search, Budget(llm_calls=2), outside=[one_by_one])
    agent.invoke({"messages": [("user", kit.QUESTION)]})
    assert model.requests[0].settings["parallel_tool_calls"] is False
    assert "parallel_tool_calls" not in model.requests[-1].settings
    assert model.requests[-1].settings["temperature"] == 0
