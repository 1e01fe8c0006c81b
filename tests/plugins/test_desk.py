"""What a call may cost: the answer reserve, caps, and one property over random budgets."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_core.messages import BaseMessage

from budgetkit import Budget, BudgetExceeded, BudgetTooSmall
from budgetkit.plugins import BudgetMiddleware
from budgetkit.testing import ScriptedChatModel, call

LIMITS = {
    "llm_calls": st.integers(1, 12),
    "tool_calls": st.integers(0, 12),
    "input_tokens": st.integers(60, 6000),
    "output_tokens": st.integers(16, 600),
    "total_tokens": st.integers(80, 6000),
    "usd": st.decimals("0.0001", "0.01", places=5),
}


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    limits=st.fixed_dictionaries({}, optional=LIMITS).filter(lambda limits: len(limits) > 0),
    sizes=st.lists(st.integers(0, 4000), min_size=1, max_size=12),
    parallel=st.integers(1, 5),
    answer=st.integers(1, 40),
)
def test_a_budget_that_pays_for_one_answer_ends_in_one_and_is_never_overshot(
    limits: Any, sizes: Any, parallel: int, answer: int, kit: Any
) -> None:
    budget = _consistent(limits)
    search, model = kit.Search(), kit.searching(" ".join(["1987"] * answer), parallel=parallel)
    search.result = ""

    def vary(_: str) -> None:
        search.result = "[1] Alpha\n" + "word " * sizes[search.runs % len(sizes)] + "founded in 1987"

    search.before = vary
    agent = kit.agent_on(model, search, budget)
    try:
        result = agent.invoke({"messages": [("user", kit.QUESTION)]}, {"recursion_limit": 120})
    except BudgetTooSmall:
        assert not model.requests
        return
    except RecursionError:
        kit.assert_held(budget, model, search)  # a budget that does not end in 120 steps
        return
    kit.assert_held(budget, model, search)
    assert set(result["messages"][-1].text.split()) == {"1987"}
    assert kit.is_last_call(model.requests[-1].messages)
    assert not kit.dangling(result["messages"])


def _consistent(limits: Any) -> Budget:
    total = limits.get("total_tokens")
    parts = {"input_tokens", "output_tokens"}
    return Budget(**{k: min(v, total) if total and k in parts else v for k, v in limits.items()})


async def test_the_reserve_grows_with_the_conversation(search: Any, kit: Any, run: Any) -> None:
    kept: list[int] = []
    budget = Budget(input_tokens=200_000, llm_calls=10)
    with budget.open("job") as job:
        search.before = lambda _: kept.append(job.states()[-1].kept.in_units("input_tokens"))
        search.result = "[1] Alpha\n" + "founded 1987 " * 100
        await run(kit.agent_on(kit.searching(), search, budget))
    assert kept == sorted(set(kept))
    assert kept[3] > kept[0] + 300


@pytest.mark.parametrize("limits", [{"input_tokens": 900}, {"total_tokens": 1100}, {"usd": "0.0013"}])
async def test_a_result_longer_than_all_that_is_left_is_cut_to_fit_the_last_prompt(
    limits: Any, search: Any, kit: Any, run: Any
) -> None:
    model, budget = kit.searching(), Budget(**limits)
    search.result = "[1] Alpha\nAlpha was founded in 1987. " + "and so on " * 5000
    result = await run(kit.agent_on(model, search, budget))
    assert result["messages"][-1].text == "It was 1987."
    last = model.requests[-1].messages[-1].text
    assert "Alpha was founded in 1987." in last
    assert 50 < len(last.split()) < 900
    kit.assert_held(budget, model, search)


async def test_a_reserve_of_the_user_s_own_is_what_is_kept(search: Any, kit: Any, run: Any) -> None:
    model = kit.searching()
    budget = Budget(llm_calls=9, output_tokens=400, answer_reserve={"llm_calls": 4, "output_tokens": 150})
    with budget.open("job") as job:
        search.before = lambda _: seen.append(job.states()[-1].kept.as_units())
        seen: list[Any] = []
        await run(kit.agent_on(model, search, budget))
    assert seen[0] == {"llm_calls": 4, "output_tokens": 150}
    assert len(model.requests) == 6


async def test_a_reserve_of_a_tool_s_calls_is_kept_as_well(search: Any, kit: Any, run: Any) -> None:
    budget = Budget(tool_calls=5, answer_reserve={"tool_calls": 2})
    await run(kit.agent_on(kit.searching(), search, budget))
    assert search.runs == 3


async def test_an_end_that_promises_no_answer_keeps_nothing_for_one(search: Any, kit: Any, run: Any) -> None:
    model = kit.searching()
    await run(kit.agent_on(model, search, Budget(llm_calls=4), at_end="stop"))
    assert len(model.requests) == 4


async def test_a_user_s_own_cap_is_never_raised(search: Any, kit: Any, run: Any) -> None:
    class Capped(ScriptedChatModel):
        max_tokens: int = 40

    make: Any = Capped
    model = make([lambda m: "1987" if kit.is_last_call(m) else call("search", query="a")], loop_last=True)
    await run(kit.agent_on(model, search, Budget(output_tokens=500, llm_calls=4)))
    assert {request.max_tokens for request in model.requests} == {40}


async def test_without_a_limit_on_output_nothing_is_capped(search: Any, kit: Any, run: Any) -> None:
    model = kit.searching()
    await run(kit.agent_on(model, search, Budget(llm_calls=3, input_tokens=9000)))
    assert {request.max_tokens for request in model.requests} == {None}


async def test_output_is_capped_at_what_is_left_and_never_below_a_floor(search: Any, kit: Any, run: Any) -> None:
    model = kit.searching()
    await run(kit.agent_on(model, search, Budget(output_tokens=120)))
    caps = [request.max_tokens or 0 for request in model.requests]
    assert all(16 <= cap <= 120 for cap in caps)
    assert caps == sorted(caps, reverse=True) or caps[:-1] == sorted(caps[:-1], reverse=True)


def test_the_user_s_system_prompt_is_kept_in_the_last_call_if_it_fits(search: Any, kit: Any) -> None:
    for words, kept in ((20, True), (14_000, False)):
        model = kit.searching()
        middleware = BudgetMiddleware(Budget(input_tokens=12_000, tool_calls=1), counter=kit.Words())
        agent: Any = create_agent(
            model, [search.tool], middleware=[middleware], system_prompt="Be terse. " * (words // 2)
        )
        agent.invoke({"messages": [("user", kit.QUESTION)]})
        system: BaseMessage = model.requests[-1].messages[0]
        assert kit.is_last_call(model.requests[-1].messages)
        assert system.text.startswith("Be terse.") is kept


async def test_a_call_that_our_cap_cut_off_is_made_again_with_all_that_is_left(search: Any, kit: Any, run: Any) -> None:
    long = " ".join(["because"] * 600)
    model = ScriptedChatModel([long, long, "never asked"])
    result = await run(kit.agent_on(model, search, Budget(output_tokens=1700)))
    assert result["messages"][-1].text == long
    assert [request.max_tokens for request in model.requests] == [512, 932]


@pytest.mark.parametrize("at_end", ["answer", "stop", "raise"])
async def test_half_an_answer_is_no_end_of_a_run(at_end: Any, search: Any, kit: Any, run: Any) -> None:
    def turn(messages: list[BaseMessage]) -> str:
        return "It was 1987." if kit.is_last_call(messages) else " ".join(["because"] * 600)

    model, budget = kit.BillingModel([turn], loop_last=True), Budget(output_tokens=300)
    agent = kit.agent_on(model, search, budget, at_end=at_end)
    if at_end == "raise":
        with pytest.raises(BudgetExceeded, match="is out of output_tokens: limit 300"):
            await run(agent)
    else:
        text = (await run(agent))["messages"][-1].text
        assert text == (
            "It was 1987." if at_end == "answer" else "Stopped: the budget for output_tokens is used up (300 of 300)."
        )
    kit.assert_held(budget, model, search)


async def test_an_answer_that_the_user_s_own_cap_cut_off_is_the_user_s_answer(search: Any, kit: Any, run: Any) -> None:
    class Capped(ScriptedChatModel):
        max_tokens: int = 20

    make: Any = Capped
    model = make(["because " * 100, "never asked"])
    result = await run(kit.agent_on(model, search, Budget(output_tokens=900)))
    assert len(model.requests) == 1
    assert result["messages"][-1].text.split() == ["because"] * 20
