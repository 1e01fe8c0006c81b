"""What the certificate says nothing bounds: each such place does go over the limit when the graph runs."""

from __future__ import annotations

from contextlib import suppress
from functools import wraps
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    ModelCallLimitMiddleware,
    ModelRetryMiddleware,
    ToolCallLimitMiddleware,
)
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph  # pyright: ignore[reportMissingTypeStubs]  # it has types of its own
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, Send

from budgetkit import Budget, BudgetExceeded
from budgetkit.plugins import BudgetMiddleware, BudgetToolNode, Certificate, budgeted, certify, tool_wrappers
from budgetkit.testing import ScriptedChatModel, call

QUESTION = {"messages": [("user", "When was Alpha founded?")]}
LIMIT = Budget(llm_calls=3, tool_calls=3)
FAR = 40


class Enough(BaseException):
    """The run went over the limit by far: no need to go on for ever."""


class Endless(ScriptedChatModel):
    """A model that asks for two searches for ever; it gives up far beyond the limit."""

    def __init__(self, stop: int = FAR) -> None:
        def turn(messages: Any) -> Any:
            if len(self.requests) >= stop:
                raise Enough
            return [call("search", query=str(len(messages))), call("search", query="b")]

        super().__init__([turn], loop_last=True)


class Runs:
    """A search tool that counts its runs."""

    def __init__(self) -> None:
        self.n = 0

    @property
    def tool(self) -> Any:
        @tool
        def search(query: str) -> str:
            """Search the corpus."""
            self.n += 1
            return query

        return search


def chain(*nodes: tuple[str, Any]) -> Any:
    graph: Any = StateGraph(MessagesState)
    for name, node in nodes:
        graph.add_node(name, node)
    for (start, _), (end, _) in zip([(START, None), *nodes], nodes, strict=False):
        graph.add_edge(start, end)
    return graph


def spend(graph: Any, budget: Budget = LIMIT) -> None:
    with suppress(Enough, BudgetExceeded), budget.open():
        graph.invoke(QUESTION)


def named(certificate: Certificate) -> dict[str, tuple[str, ...]]:
    return {found.node: found.resources for found in certificate.unbounded}


def calling(model: ScriptedChatModel, times: int) -> Any:
    def node(_: Any) -> dict[str, Any]:
        for _ in range(times):
            model.invoke("again")
        return {}

    return node


def test_a_plain_function() -> None:
    model = Endless()
    graph = chain(("plain", calling(model, 9))).compile()
    proven = certify(graph, LIMIT)
    assert named(proven) == {"plain": ("llm_calls", "tool_calls")}
    assert proven.unbounded[0].reason == (
        "a node that is a function of its own: it names scripted, and what it calls cannot be told; if you can, "
        "declare it in free= or at_most="
    )
    spend(graph)
    assert len(model.requests) == 9


def test_budgeted_does_not_stop_a_function_that_goes_on_calling() -> None:
    model = Endless()
    graph = chain(("plain", budgeted(calling(model, 9), LIMIT))).compile()
    proven = certify(graph, LIMIT)
    assert list(named(proven)) == ["plain"]
    assert "cannot stop it once it runs" in proven.unbounded[0].reason
    spend(graph)
    assert len(model.requests) == 9


def test_a_decorator_around_a_budgeted_node_is_not_the_budgeted_node() -> None:
    model = Endless()
    held: Any = budgeted(calling(model, 1), LIMIT)

    @wraps(held)
    def more(state: Any) -> Any:
        calling(model, 9)(state)
        return held(state)

    graph = chain(("more", more)).compile()
    assert named(certify(graph, LIMIT)) == {"more": ("llm_calls", "tool_calls")}
    spend(graph)
    assert len(model.requests) == 9


def test_what_budgeted_runs_in_its_place() -> None:
    model = Endless()
    graph = chain(("node", budgeted(calling(model, 1), LIMIT, otherwise=calling(model, 9)))).compile()
    assert list(named(certify(graph, LIMIT, at_most={"node": Budget(llm_calls=1, tool_calls=0)}))) == ["node/otherwise"]


def test_an_agent_without_a_budget_in_a_loop_that_langgraph_does_not_stop() -> None:
    model, runs = Endless(), Runs()
    agent: Any = create_agent(model, [runs.tool])
    proven = certify(agent, LIMIT, free=["tools/search"])
    assert named(proven) == {"model": ("llm_calls",), "tools": ("tool_calls",)}
    assert "no recursion limit is set (langgraph's own, about 10,000 supersteps" in proven.unbounded[0].reason
    spend(agent)
    assert (len(model.requests), runs.n) == (FAR, 2 * FAR - 2)


def test_a_node_that_send_starts() -> None:
    model = Endless()

    def fan(state: Any) -> list[Send]:
        return [Send("agent", state) for _ in range(9)]

    graph = chain(("plan", lambda _: {}))
    graph.add_node("agent", create_agent(model, []))
    graph.add_conditional_edges("plan", fan, ["agent"])
    proven = certify(graph.compile(), LIMIT, free=["plan", "plan/fan"], recursion_limit=5)
    assert named(proven) == {"agent/model": ("llm_calls",)}
    assert proven.unbounded[0].reason.endswith("Send may start it, as often as the data says")
    spend(graph.compile())
    assert len(model.requests) == 9


def test_a_node_that_an_undeclared_jump_starts_again_and_again() -> None:
    model, left = Endless(), iter(range(8))

    def jump(_: Any) -> Command[Any]:
        return Command(goto="agent") if next(left, None) is not None else Command()

    graph = chain(("agent", create_agent(model, [])), ("jump", jump)).compile()
    assert named(certify(graph, LIMIT, free=["jump"])) == {"agent/model": ("llm_calls",)}
    spend(graph)
    assert len(model.requests) == 9


def test_a_sub_agent_inside_a_tool_that_carries_no_budget() -> None:
    model, sub = Endless(), Endless()
    inner: Any = create_agent(sub, [Runs().tool])

    @tool
    def search(query: str) -> str:
        """Ask a sub-agent."""
        return str(inner.invoke({"messages": [("user", query)]}))

    agent: Any = create_agent(model, [search], middleware=[BudgetMiddleware(LIMIT)])
    assert named(certify(agent, LIMIT)) == {"tools/search": ("llm_calls", "tool_calls")}
    spend(agent)
    assert len(sub.requests) >= FAR


def test_deepagents_sub_agents_and_its_summarizer() -> None:
    deepagents = pytest.importorskip("deepagents")
    sub = Endless()
    task = call("task", description="dig", subagent_type="general-purpose")
    main = ScriptedChatModel([task, "1987"], loop_last=True)
    helper = {
        "name": "general-purpose",
        "description": "digs",
        "system_prompt": "dig",
        "model": sub,
        "tools": [Runs().tool],
    }
    agent = deepagents.create_deep_agent(model=main, subagents=[helper], middleware=[BudgetMiddleware(LIMIT)])
    places = named(certify(agent, LIMIT))
    assert places["tools/task/general-purpose/model"] == ("llm_calls",)
    assert places["model/SummarizationMiddleware"] == ("llm_calls", "tool_calls")
    assert not places.keys() & {"model", "tools"}
    spend(agent)
    assert len(sub.requests) == FAR


def test_a_retry_inside_of_the_budget_middleware() -> None:
    failing = ScriptedChatModel([RuntimeError("down")], loop_last=True)
    retry: Any = ModelRetryMiddleware(max_retries=9, initial_delay=0, jitter=False, on_failure="continue")
    inside_out: list[Any] = [BudgetMiddleware(LIMIT), retry]
    agent: Any = create_agent(failing, [], middleware=inside_out)
    proven = certify(agent, LIMIT)
    assert named(proven) == {"model/ModelRetryMiddleware": ("llm_calls", "tool_calls")}
    assert "put BudgetMiddleware last" in proven.unbounded[0].reason
    with pytest.warns(UserWarning, match="put BudgetMiddleware last"):
        spend(agent)
    assert len(failing.requests) == 10


class Doubles(AgentMiddleware[Any, Any, Any]):
    """A middleware of the user's own that calls a model by itself."""

    def __init__(self, model: ScriptedChatModel) -> None:
        super().__init__()
        self.model = model

    def wrap_model_call(self, request: Any, handler: Any) -> Any:
        for _ in range(9):
            self.model.invoke("what do you think?")
        return handler(request)


def test_a_middleware_of_the_users_own() -> None:
    model = Endless()
    agent: Any = create_agent(ScriptedChatModel(["1987"]), [], middleware=[Doubles(model), BudgetMiddleware(LIMIT)])
    assert named(certify(agent, LIMIT)) == {"model/Doubles": ("llm_calls", "tool_calls")}
    assert certify(agent, LIMIT, free=["model/Doubles"]).bounded
    spend(agent)
    assert len(model.requests) == 9


class Quiet(BudgetMiddleware):
    """A subclass that forgets to hold anything."""

    def wrap_model_call(self, request: Any, handler: Any) -> Any:
        return handler(request)


def test_a_budget_middleware_whose_wrappers_were_overridden() -> None:
    model, runs = Endless(), Runs()
    agent: Any = create_agent(model, [runs.tool], middleware=[Quiet(LIMIT, at_end="answer")])
    assert "model" in named(certify(agent, LIMIT, free=["tools/search"]))
    spend(agent)
    assert len(model.requests) == FAR


def test_a_tool_node_that_only_its_async_way_holds() -> None:
    runs, gate = Runs(), tool_wrappers(LIMIT)
    asks = ScriptedChatModel([[call("search", query=str(n)) for n in range(9)]])
    graph = chain(
        ("ask", budgeted(lambda s: {"messages": [asks.invoke(s["messages"])]}, LIMIT)),
        ("tools", ToolNode([runs.tool], awrap_tool_call=gate.awrap_tool_call)),
    ).compile()
    declared: Any = {"free": ["tools/search"], "at_most": {"ask": Budget(llm_calls=1, tool_calls=0)}}
    assert named(certify(graph, LIMIT, **declared)) == {"tools": ("tool_calls",)}
    spend(graph)
    assert runs.n == 9


def test_a_tool_node_on_a_budget_holds() -> None:
    runs = Runs()
    asks = ScriptedChatModel([[call("search", query=str(n)) for n in range(9)]])
    graph = chain(
        ("ask", budgeted(lambda s: {"messages": [asks.invoke(s["messages"])]}, LIMIT)),
        ("tools", BudgetToolNode([runs.tool], LIMIT)),
    ).compile()
    proven = certify(graph, LIMIT, free=["tools/search"], at_most={"ask": Budget(llm_calls=1, tool_calls=0)})
    assert proven.bounded
    spend(graph)
    assert runs.n == proven.worst["tool_calls"] == 3


def test_langchains_own_call_limits_bound_one_invocation() -> None:
    model, runs = Endless(), Runs()
    limits: list[Any] = [ModelCallLimitMiddleware(run_limit=3), ToolCallLimitMiddleware(run_limit=5)]
    agent: Any = create_agent(model, [runs.tool], middleware=limits)
    proven = certify(agent, LIMIT, free=["tools/search"])
    assert (proven.bounded, proven.worst["llm_calls"], proven.worst["tool_calls"]) == (True, 3, 5)
    assert proven.over == ("tool_calls",)
    assert "after an interrupt the recursion limit and the run limits of LangChain's middleware begin anew" in str(
        proven
    )
    agent.invoke(QUESTION)
    assert (len(model.requests), runs.n) == (3, 5)


@pytest.mark.parametrize("obeys", [True, False])
def test_tokens_are_bounded_as_far_as_the_provider_obeys_the_cap(obeys: bool) -> None:
    budget = Budget(output_tokens=60)
    model = ScriptedChatModel(["word " * 500], loop_last=True, ignore_max_tokens=not obeys)
    agent: Any = create_agent(model, [], middleware=[BudgetMiddleware(budget, answer_tokens=20)])
    proven = certify(agent, budget)
    assert proven.worst["output_tokens"] == 60
    assert proven.caveats[0].startswith("a provider that ignores the output cap")
    with budget.open() as run:
        agent.invoke(QUESTION)
    assert (run.spent.in_units("output_tokens") <= 60) == obeys
