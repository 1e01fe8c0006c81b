"""Exceptions and control flow: who swallows what, and who is asked first (facts, section 3.1 and 3.5)."""

from typing import Annotated, Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    ModelFallbackMiddleware,
    ModelRetryMiddleware,
    SummarizationMiddleware,
    ToolRetryMiddleware,
)
from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph  # pyright: ignore[reportMissingTypeStubs]  # it has types of its own
from langgraph.graph.message import add_messages  # pyright: ignore[reportMissingTypeStubs]  # it has types of its own
from langgraph.types import RetryPolicy, Send

from budgetkit import Budget, BudgetExceeded
from budgetkit.plugins import BudgetMiddleware, BudgetToolNode, budgeted, tool_wrappers
from budgetkit.testing import ScriptedChatModel, call

CONFIG = {"configurable": {"thread_id": "t"}}
HANDLING: dict[str, Any] = {
    "default": None,
    "True": True,
    "False": False,
    "text": "it failed",
    "function": lambda error: f"handled {error}",
    "type": ValueError,
    "tuple": (ValueError, BudgetExceeded),
}


class Messages(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


def asking(*queries: str) -> dict[str, Any]:
    """A state in which the model has asked for these searches."""
    calls = [{"name": "search", "args": {"query": query}, "id": query} for query in queries]
    return {"messages": [AIMessage("", tool_calls=calls)]}


def one_node(node: Any, *, retry: Any = None, checkpointer: Any = None, error_handler: Any = None) -> Any:
    graph: Any = StateGraph(Messages)
    options = {"retry_policy": retry} | ({"error_handler": error_handler} if error_handler else {})
    graph.add_node("node", node, **options).add_edge(START, "node")
    return graph.compile(checkpointer=checkpointer)


@pytest.mark.parametrize("handling", HANDLING)
async def test_no_setting_of_a_tool_node_swallows_the_refusal(handling: str, search: Any, run: Any) -> None:
    """Trap 1: a plain exception in a wrapper becomes a message for nearly every ``handle_tool_errors``."""
    budget = Budget(tool_calls=1)
    given = {} if handling == "default" else {"handle_tool_errors": HANDLING[handling]}
    node = BudgetToolNode([search.tool], budget, at_end="raise", tool_node=given)
    with budget.open("job"):
        await run(one_node(node), asking("a"))
        with pytest.raises(BudgetExceeded, match="is out of tool_calls: limit 1, spent 1"):
            await run(one_node(node), asking("b"))
    assert search.queries == ["a"]


@pytest.mark.parametrize(
    "outside",
    [
        ToolRetryMiddleware(max_retries=2, initial_delay=0, on_failure="continue"),
        ModelRetryMiddleware(max_retries=2, initial_delay=0, on_failure="continue"),
        ModelFallbackMiddleware(ScriptedChatModel(["never asked"])),
    ],
    ids=["ToolRetry", "ModelRetry", "ModelFallback"],
)
@pytest.mark.parametrize("limits", [{"llm_calls": 2}, {"tool_calls": 1}])
async def test_no_retry_and_no_fallback_swallows_the_refusal(
    outside: Any, limits: Any, search: Any, kit: Any, run: Any
) -> None:
    """Trap 2: retries try a plain exception three times and turn it into a message."""
    model = kit.searching()
    with pytest.raises(BudgetExceeded):
        await run(kit.agent_on(model, search, Budget(**limits), at_end="raise", outside=[outside]))
    assert (len(model.requests), search.runs) == (2, limits.get("tool_calls", 2))


async def test_a_node_s_retry_policy_does_not_repeat_a_refused_call(run: Any) -> None:
    """Trap 3: the default policy, and one for every exception, try a plain error three times."""
    tries: list[int] = []
    budget = Budget(llm_calls=1)

    def node(_: Messages) -> dict[str, Any]:
        return {"messages": [model.invoke("hello")]}

    def counted(state: Messages) -> Any:
        tries.append(1)
        return guarded(state)

    model = ScriptedChatModel(["hi"], loop_last=True)
    guarded: Any = budgeted(node, budget)
    graph = one_node(counted, retry=RetryPolicy(retry_on=Exception, initial_interval=0))
    with budget.open("job"):
        await run(graph, asking())
        with pytest.raises(BudgetExceeded):
            await run(graph, asking())
    assert (len(tries), len(model.requests)) == (2, 1)


async def test_an_error_handler_is_not_what_ends_a_run(search: Any, run: Any) -> None:
    """Trap 4: a node's error handler is not asked, so the graceful end comes before anything is raised."""
    handled: list[Any] = []
    node = BudgetToolNode([search.tool], Budget(tool_calls=0))
    graph = one_node(node, checkpointer=InMemorySaver(), error_handler=handled.append)
    result = await run(graph, asking("a"), CONFIG)
    assert result["messages"][-1].text.startswith("Not run: no tool calls are left of 0.")
    assert not handled


def research(agent: Any, kit: Any) -> Any:
    @tool
    async def research(topic: str) -> str:  # noqa: ARG001 - what the model gives
        """Have somebody else search."""
        result = await agent.ainvoke({"messages": [("user", kit.QUESTION)]})
        return str(result["messages"][-1].text)

    return research


@pytest.mark.parametrize("retried", [False, True])
async def test_the_refusal_of_a_sub_agent_reaches_the_caller_of_the_outer_graph(
    retried: bool, search: Any, kit: Any
) -> None:
    """Trap 5: through the tool, the tool node, its retries and the outer graph, with the account that ended."""
    inner = kit.agent_on(kit.searching(), search, Budget(tool_calls=1), at_end="raise", name="inner")
    outside = [ToolRetryMiddleware(max_retries=2, initial_delay=0)] if retried else []
    middleware: Any = [*outside, BudgetMiddleware(Budget(llm_calls=9), name="outer")]
    model = ScriptedChatModel([call("research", topic="alpha")])
    outer: Any = create_agent(model, [research(inner, kit)], middleware=middleware)
    with pytest.raises(BudgetExceeded) as caught:
        await outer.ainvoke({"messages": [("user", kit.QUESTION)]})
    assert [part.split("-")[0] for part in caught.value.account] == ["outer", "inner"]
    assert (caught.value.resource, search.runs) == ("tool_calls", 1)


async def test_the_refusal_of_a_subgraph_node_reaches_the_caller_and_a_top_up_goes_on(
    search: Any, kit: Any, run: Any
) -> None:
    """Trap 5: after a top-up ``invoke(None)`` enters the refused step again; first attempts stay charged."""
    budget, model = Budget(tool_calls=1), kit.searching()
    graph = one_node(kit.agent_on(model, search, budget, at_end="raise"), checkpointer=InMemorySaver())
    with budget.open("job") as job:
        with pytest.raises(BudgetExceeded):
            await run(graph, config=CONFIG)
        assert job.spent["tool_calls"] == 1
        job.top_up({"tool_calls": 1})
        with pytest.raises(BudgetExceeded):
            await run(graph, None, CONFIG)
        assert (job.spent["tool_calls"], search.runs) == (2, 2)


class Branches(TypedDict):
    topics: list[str]
    done: Annotated[list[str], lambda old, new: old + new]


def fan_out(node: Any, **options: Any) -> Any:
    graph: Any = StateGraph(Branches)
    graph.add_node("branch", node, **options)
    graph.add_conditional_edges(START, lambda state: [Send("branch", {"topics": [t]}) for t in state["topics"]])
    return graph


async def test_a_refused_branch_does_not_stop_its_siblings_and_only_it_runs_again(run: Any) -> None:
    """Trap 6: siblings finish and settle; on resume only the refused branch runs."""
    budget = Budget(llm_calls=2)
    model = ScriptedChatModel(["hi"], loop_last=True, latency=0.01)

    def branch(state: Branches) -> dict[str, Any]:
        return {"done": [f"{state['topics'][0]}: {model.invoke('hello').text}"]}

    guarded = budgeted(branch, budget, share=Budget(llm_calls=1))
    graph = fan_out(guarded).compile(checkpointer=InMemorySaver())
    with budget.open("job") as job:
        with pytest.raises(BudgetExceeded):
            await run(graph, {"topics": ["a", "b", "c"], "done": []}, CONFIG)
        assert (len(model.requests), job.spent["llm_calls"], dict(job.states()[-1].reserved)) == (2, 2, {})
        job.top_up({"llm_calls": 1})
        result = await run(graph, None, CONFIG)
    assert sorted(result["done"]) == ["a: hi", "b: hi", "c: hi"]
    assert len(model.requests) == 3


async def test_the_meter_never_enforces_so_the_gate_does(search: Any, kit: Any, run: Any) -> None:
    """Trap 7: what a callback raises is swallowed and the call goes through; the refusal comes from the wrapper."""
    model = kit.searching()
    await run(kit.agent_on(model, search, Budget(llm_calls=3)))
    assert len(model.requests) == 3


def test_every_hook_has_both_ways() -> None:
    """Trap 8: a middleware with one way raises on the other, and a tool node falls back to a blocking call."""
    middleware = BudgetMiddleware(Budget(llm_calls=1))
    for hook in ("before_agent", "wrap_model_call", "wrap_tool_call"):
        assert hook in vars(type(middleware))
        assert f"a{hook}" in vars(type(middleware))
    gate = tool_wrappers(Budget(tool_calls=1))
    assert gate.wrap_tool_call != gate.awrap_tool_call  # type: ignore[comparison-overlap]  # that is the point


@pytest.mark.parametrize("parallel", [1, 8])
@pytest.mark.parametrize("at_end", ["answer", "stop", "ask"])
async def test_every_pending_call_is_answered_before_the_end(
    parallel: int, at_end: Any, search: Any, kit: Any, run: Any
) -> None:
    """Trap 9: the next request would fail on a tool call that nobody answered."""
    agent = kit.agent_on(
        kit.searching(parallel=parallel), search, Budget(tool_calls=3), at_end=at_end, checkpointer=InMemorySaver()
    )
    result = await run(agent, config=CONFIG)
    refused = [m for m in result["messages"] if isinstance(m, ToolMessage) and m.status == "error"]
    assert not kit.dangling(result["messages"])
    assert search.runs == 3
    assert all(m.text.startswith("Not run: no tool calls are left of 3.") for m in refused)


async def test_a_provider_s_own_tools_are_left_alone(search: Any, kit: Any) -> None:
    """Trap 11: they never reach a tool node; they are paid for with the model's usage, and are no reason to end."""
    model = ScriptedChatModel([call("search", query="a"), "It was 1987."])
    middleware = BudgetMiddleware(Budget(tool_calls=5, tools={"search": 1}), prices=kit.PRICES)
    web: Any = {
        "type": "function",
        "function": {"name": "web_search", "description": "Search the web.", "parameters": {"type": "object"}},
    }
    agent: Any = create_agent(model, [search.tool, web], middleware=[middleware])
    result = agent.invoke({"messages": [("user", kit.QUESTION)]})
    assert result["messages"][-1].text == "It was 1987."
    assert model.requests[1].tool_names == ("web_search",)


async def test_a_loop_is_stopped_by_the_budget_and_not_by_a_step_limit(search: Any, kit: Any, run: Any) -> None:
    """Trap 12: the default step limit is 10,007."""
    model = kit.searching()
    result = await run(kit.agent_on(model, search, Budget(llm_calls=40)))
    assert len(model.requests) == 40
    assert result["messages"][-1].text == "It was 1987."


async def test_a_hidden_call_is_on_the_books_and_leaves_less_to_the_agent(search: Any, kit: Any, run: Any) -> None:
    """Trap 36: summarizers and their like are not seen by any wrapper; the meter sees them."""
    summarizer, budget = ScriptedChatModel(["a summary"], loop_last=True, name="small"), Budget(llm_calls=6)
    outside = SummarizationMiddleware(summarizer, trigger=("messages", 4), keep=("messages", 2))
    with budget.open("job") as job:
        model = kit.searching()
        await run(kit.agent_on(model, search, budget, outside=[outside]))
        assert summarizer.requests
        assert len(model.requests) + len(summarizer.requests) == job.spent["llm_calls"] == 6
        assert {charge.label for charge in job.charges} >= {"model:small", "model:scripted"}
    assert not job.overshoot


@pytest.mark.parametrize("inside", [True, False])
async def test_each_try_of_a_retried_model_is_paid_for_when_the_budget_is_innermost(
    inside: bool, search: Any, kit: Any, run: Any
) -> None:
    """Trap 37: outside of a retry it would see one call of three; then it says so, and they are on the books."""
    down, budget = ConnectionError("down"), Budget(llm_calls=9)
    model = ScriptedChatModel([down, down, "It was 1987."])
    retry = ModelRetryMiddleware(max_retries=2, initial_delay=0)
    ours = BudgetMiddleware(budget, prices=kit.PRICES)
    middleware: Any = [retry, ours] if inside else [ours, retry]
    agent: Any = create_agent(model, [search.tool], middleware=middleware)
    with budget.open("job") as job:
        if inside:
            await run(agent)
        else:
            with pytest.warns(UserWarning, match="put BudgetMiddleware last in middleware"):
                await run(agent)
        assert job.spent["llm_calls"] == 3
