"""`budgeted`: functions, runnables and subgraphs as nodes on a budget."""

import asyncio
import operator
from functools import partial
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph  # pyright: ignore[reportMissingTypeStubs]  # it has types of its own
from langgraph.types import Send

from budgetkit import Budget, BudgetExceeded
from budgetkit.plugins import budgeted
from budgetkit.testing import ScriptedChatModel, assert_spent


class State(TypedDict):
    said: Annotated[list[str], operator.add]


EMPTY: Any = {"said": []}


def graph_of(node: Any, branches: int = 1, **options: Any) -> Any:
    graph: Any = StateGraph(State)
    graph.add_node("node", node)
    graph.add_conditional_edges(START, lambda _: [Send("node", {"said": []}) for _ in range(branches)])
    return graph.compile(**options)


@pytest.fixture
def model() -> ScriptedChatModel:
    return ScriptedChatModel(["hi"], loop_last=True)


def kinds(model: ScriptedChatModel) -> dict[str, Any]:
    def plain(_: State) -> dict[str, Any]:
        return {"said": [model.invoke("hello").text]}

    async def coroutine(_: State) -> dict[str, Any]:
        return {"said": [(await model.ainvoke("hello")).text]}

    class Callable:
        async def __call__(self, state: State) -> dict[str, Any]:
            return await coroutine(state)

    return {
        "function": plain,
        "coroutine function": coroutine,
        "partial": partial(coroutine),
        "object": Callable(),
        "runnable": RunnableLambda(plain, coroutine),
        "subgraph": graph_of(coroutine),
    }


@pytest.mark.parametrize("kind", kinds(ScriptedChatModel([])))
async def test_every_kind_of_node_is_metered_and_ends_with_its_budget(kind: str, model: Any) -> None:
    budget = Budget(llm_calls=2)
    graph = graph_of(budgeted(kinds(model)[kind], budget))
    async with budget.open("job") as job:
        for _ in range(2):
            assert (await graph.ainvoke(EMPTY))["said"] == ["hi"]
        with pytest.raises(BudgetExceeded, match=r"^budget 'job' is out of llm_calls: limit 2, spent 2"):
            await graph.ainvoke(EMPTY)
        assert_spent(job, llm_calls=len(model.requests), input_tokens=2, output_tokens=2)
    assert len(model.requests) == 2


def test_a_node_keeps_what_langgraph_reads_of_it() -> None:
    def node(_: State, config: RunnableConfig) -> dict[str, Any]:
        """Say hello."""
        return {"said": [config.get("configurable", {})["thread_id"]]}

    guarded: Any = budgeted(node, Budget(llm_calls=1))
    assert (guarded.__name__, guarded.__doc__) == ("node", "Say hello.")
    graph = graph_of(guarded, checkpointer=InMemorySaver())
    assert graph.invoke(EMPTY, {"configurable": {"thread_id": "t"}})["said"] == ["t"]


async def test_of_eight_branches_with_a_share_each_exactly_three_call_the_model(model: Any, run: Any) -> None:
    budget = Budget(llm_calls=3)
    node = budgeted(
        kinds(model)["function"], budget, share=Budget(llm_calls=1), otherwise=lambda _: {"said": ["no money"]}
    )
    with budget.open("job") as job:
        result = await run(graph_of(node, branches=8), EMPTY)
        assert len(model.requests) == job.spent["llm_calls"] == 3
        assert not job.reserved
    assert sorted(result["said"]) == ["hi"] * 3 + ["no money"] * 5


async def test_what_a_share_does_not_use_goes_back(model: Any, run: Any) -> None:
    budget = Budget(llm_calls=3)
    graph = graph_of(budgeted(kinds(model)["function"], budget, share=Budget(llm_calls=2)))
    with budget.open("job") as job:
        await run(graph, EMPTY)
        assert job.remaining["llm_calls"] == 2
        await run(graph, EMPTY)
        assert job.remaining["llm_calls"] == 1
        with pytest.raises(BudgetExceeded, match=r"asked 2$"):
            await run(graph, EMPTY)


async def test_a_share_that_does_not_suffice_is_the_node_s_own_end(search: Any, kit: Any, run: Any) -> None:
    budget, sub = Budget(llm_calls=9), kit.searching()
    agent = kit.agent_on(sub, search, Budget(llm_calls=9))

    def node(_: State) -> dict[str, Any]:
        return {"said": [agent.invoke({"messages": [("user", kit.QUESTION)]})["messages"][-1].text]}

    guarded = budgeted(node, budget, share=Budget(llm_calls=2), otherwise=lambda _: {"said": ["share used up"]})
    with budget.open("job") as job:
        assert (await run(graph_of(guarded), EMPTY))["said"] == ["share used up"]
        assert job.spent["llm_calls"] == len(sub.requests) == 2


async def test_a_thread_has_the_budget_outside_of_a_scope(model: Any, run: Any) -> None:
    graph = graph_of(budgeted(kinds(model)["function"], Budget(llm_calls=1)), checkpointer=InMemorySaver())
    for thread in ("one", "two"):
        await run(graph, EMPTY, {"configurable": {"thread_id": thread}})
        with pytest.raises(BudgetExceeded):
            await run(graph, EMPTY, {"configurable": {"thread_id": thread}})
    assert len(model.requests) == 2


async def test_an_outer_budget_s_refusal_is_not_the_node_s_to_swallow(model: Any, run: Any) -> None:
    graph = graph_of(budgeted(kinds(model)["function"], Budget(llm_calls=5), otherwise=lambda _: {"said": ["mine"]}))
    with Budget(llm_calls=0, tool_calls=0, output_tokens=1).open("tenant") as tenant:
        tenant.charge(tenant.spent.of({"output_tokens": 1}))
        with pytest.raises(BudgetExceeded, match=r"^budget 'tenant' is out of output_tokens"):
            await run(graph_of(budgeted(kinds(model)["function"], tenant.budget)), EMPTY)
        with pytest.raises(BudgetExceeded, match=r"^budget 'tenant' is out of output_tokens"):
            await run(graph, EMPTY, {"configurable": {"thread_id": "t"}})
    assert not model.requests


async def test_a_slow_node_is_not_waited_for(run: Any, gate: Any) -> None:
    def node(_: State) -> dict[str, Any]:
        gate.wait(20)
        return {"said": ["late"]}

    budget = Budget(seconds="0.1")
    guarded = budgeted(node, budget, otherwise=lambda _: {"said": ["too slow"]})
    with budget.open("job"):
        assert (await run(graph_of(guarded), EMPTY))["said"] == ["too slow"]


async def test_a_slow_async_node_is_cancelled() -> None:
    ended = []

    async def node(_: State) -> dict[str, Any]:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")
        return {}

    budget = Budget(seconds="0.1")
    async with budget.open("job"):
        with pytest.raises(BudgetExceeded, match=r"is out of seconds"):
            await graph_of(budgeted(node, budget)).ainvoke(EMPTY)
    assert ended == ["cancelled"]


async def test_a_timeout_of_the_node_s_own_is_an_error_like_any_other() -> None:
    async def node(_: State) -> dict[str, Any]:
        raise TimeoutError("the socket")

    budget = Budget(seconds=5)
    async with budget.open("job"):
        with pytest.raises(TimeoutError, match=r"^the socket"):
            await graph_of(budgeted(node, budget)).ainvoke(EMPTY)


def test_inside_a_scope_a_node_may_be_called_by_itself(model: Any) -> None:
    budget = Budget(llm_calls=1)
    node: Any = budgeted(kinds(model)["function"], budget)
    with budget.open("job"):
        assert node(EMPTY) == {"said": ["hi"]}
        with pytest.raises(BudgetExceeded):
            node(EMPTY)


async def test_of_eight_branches_of_one_call_each_exactly_three_call_the_model(model: Any, run: Any) -> None:
    budget = Budget(llm_calls=3)
    node = budgeted(kinds(model)["function"], budget, otherwise=lambda _: {"said": ["no money"]})
    with budget.open("job") as job:
        result = await run(graph_of(node, branches=8), EMPTY)
        assert len(model.requests) == job.spent["llm_calls"] == 3
        assert not job.reserved
        assert not any(charge.overshoot for charge in job.charges)
    assert sorted(result["said"]) == ["hi"] * 3 + ["no money"] * 5


async def test_a_node_that_calls_more_than_once_is_on_the_books_and_one_that_calls_nothing_is_free(
    model: Any, run: Any
) -> None:
    def twice(_: State) -> dict[str, Any]:
        return {"said": [model.invoke("hello").text, model.invoke("hello again").text]}

    budget = Budget(llm_calls=4)
    with budget.open("job") as job:
        await run(graph_of(budgeted(lambda _: {"said": ["nothing"]}, budget)), EMPTY)
        assert (job.spent["llm_calls"], dict(job.reserved)) == (0, {})
        await run(graph_of(budgeted(twice, budget)), EMPTY)
        assert_spent(job, llm_calls=2, input_tokens=3, output_tokens=2)
        assert not job.reserved


@pytest.mark.parametrize("same", [True, False])
async def test_an_agent_in_a_node_has_the_whole_budget(same: bool, search: Any, kit: Any) -> None:
    budget, sub = Budget(llm_calls=3), kit.searching()
    agent = kit.agent_on(sub, search, budget if same else Budget(llm_calls=9))

    async def node(_: State) -> dict[str, Any]:
        return {"said": [(await agent.ainvoke({"messages": [("user", kit.QUESTION)]}))["messages"][-1].text]}

    guarded = budgeted(node, budget, otherwise=lambda _: {"said": ["no money"]})
    async with budget.open("job") as job:
        said = (await graph_of(guarded).ainvoke(EMPTY))["said"]
        assert len(sub.requests) == job.spent["llm_calls"] == 3
        assert not job.reserved
    assert said == ["It was 1987." if same else "no money"]


async def test_the_call_of_a_node_that_was_cut_short_is_kept_as_spent(gate: Any, run: Any) -> None:
    def slow(_: Any) -> str:
        gate.wait(20)
        return "late"

    model, budget = ScriptedChatModel([slow]), Budget(llm_calls=2, seconds="0.1")
    node = budgeted(kinds(model)["function"], budget, otherwise=lambda _: {"said": ["too slow"]})
    with budget.open("job") as job:
        assert (await run(graph_of(node), EMPTY))["said"] == ["too slow"]
        assert job.remaining["llm_calls"] == 1
