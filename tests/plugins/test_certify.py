"""`certify`: what it says of graphs that people have, and how it reads."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelRetryMiddleware, ToolRetryMiddleware
from langchain_core.tools import StructuredTool
from langgraph.errors import GraphRecursionError
from langgraph.graph import END, START, MessagesState, StateGraph  # pyright: ignore[reportMissingTypeStubs]  # it has types of its own
from langgraph.types import RetryPolicy

from budgetkit import Budget
from budgetkit.plugins import BudgetMiddleware, budgeted, certify
from budgetkit.testing import ScriptedChatModel

BUDGET = Budget(usd="0.05", llm_calls=20, tool_calls=10)
MODEL = ScriptedChatModel(["1987"], loop_last=True)


def look(query: str) -> str:
    """Search the corpus."""
    return query


SEARCH = StructuredTool.from_function(look, name="search")


def agent(*middleware: Any, tools: Any = (SEARCH,), **options: Any) -> Any:
    return create_agent(MODEL, list(tools), middleware=list(middleware), **options)


def graph_of(*nodes: tuple[str, Any], **options: Any) -> Any:
    graph: Any = StateGraph(MessagesState)
    for name, node in nodes:
        graph.add_node(name, node, **options)
    for (start, _), (end, _) in zip([(START, None), *nodes], nodes, strict=False):
        graph.add_edge(start, end)
    return graph.compile()


def call_once(_: Any) -> dict[str, Any]:
    MODEL.invoke("once")
    return {}


def test_an_agent_on_a_budget_is_bounded_by_it() -> None:
    proven = certify(agent(BudgetMiddleware(BUDGET)), BUDGET, free=["tools/search"])
    assert proven.bounded
    assert proven.unbounded == ()
    assert proven.over == ()
    limits = {name: proven.worst[name] for name in BUDGET.limits}
    assert limits == {"usd": Decimal("0.05"), "llm_calls": 20, "tool_calls": 10}
    assert proven.worst["output_tokens"] is None


def test_the_certificate_reads_as_a_proof() -> None:
    proven = certify(agent(BudgetMiddleware(BUDGET)), BUDGET, free=["tools/search"])
    held = "before each {0} call its {1} set aside, or the call is refused"
    assert str(proven).splitlines() == [
        "BOUNDED: one run costs no more than the budget allows.",
        "",
        "Worst case of one run:",
        "  usd             0.05  the budget's limit",
        "  llm_calls         20  the budget's limit",
        "  tool_calls        10  the budget's limit",
        "  not limited, and not bounded: input_tokens, output_tokens, total_tokens, seconds",
        "",
        "What bounds each place:",
        f"  - model: held by BudgetMiddleware[agent]: {held.format('model', 'prompt and its output cap are')}",
        "  - tools/search: calls no model and no tool, as declared",
        f"  - tools: held by BudgetMiddleware[agent]: {held.format('tool', 'units are')}",
        "  - BudgetMiddleware[agent].before_agent: a hook of BudgetMiddleware[agent], which calls no model and no tool",
        "  - tools/tools_to_model, model/model_to_tools: the host's own choice of what comes next",
        "  - the answer: the final call's own worst case is kept aside for it, within the limits",
        "",
        "Taken for granted:",
        "  - one run of the graph from its start to its end, interrupts included, with or without an open scope",
        "  - you say that these call no model and no tool, and go only where their edges lead: tools/search",
        "  - models are called through LangChain, and nobody tops the budget up meanwhile",
        "",
        "What can still go over a limit:",
        "  - a provider that ignores the output cap: that call is on the books in full, and the next one is refused",
        "  - a prompt that was counted by an estimate: by the few tokens that the estimate was short",
        "  - retries inside of a provider's own client (max_retries): nobody sees them",
    ]


def test_an_answer_reserve_of_the_users_own_is_named() -> None:
    budget = Budget(output_tokens=900, answer_reserve={"output_tokens": 200})
    proven = certify(agent(BudgetMiddleware(budget), tools=()), budget)
    assert "the answer: output_tokens=200 is kept aside for it" in str(proven)


def test_a_narrower_budget_inside_is_the_worst_case() -> None:
    proven = certify(agent(BudgetMiddleware(Budget(llm_calls=5))), BUDGET, free=["tools/search"])
    assert proven.worst["llm_calls"] == 5
    assert proven.sources["llm_calls"] == "what BudgetMiddleware[agent] can let through"
    assert proven.worst["tool_calls"] == 10
    assert "inside of `with budget.open(): ...`" in proven.assumptions[0]


def test_a_narrower_budget_per_run_counts_once_for_each_run_of_its_graph() -> None:
    sub = agent(BudgetMiddleware(Budget(llm_calls=2)), tools=())
    assert certify(graph_of(("a", sub), ("b", sub)), BUDGET).worst["llm_calls"] == 4
    assert certify(graph_of(("a", sub)), Budget(llm_calls=9)).worst["llm_calls"] == 2


def test_retries_outside_of_the_budget_middleware_are_held() -> None:
    retries = ModelRetryMiddleware(max_retries=5), ToolRetryMiddleware(max_retries=5)
    assert certify(agent(*retries, BudgetMiddleware(BUDGET)), BUDGET, free=["tools/search"]).bounded


def test_retries_of_what_nothing_holds_multiply() -> None:
    tried = agent(ModelRetryMiddleware(max_retries=2), tools=())
    assert certify(tried, Budget(llm_calls=1)).worst["llm_calls"] == 3
    again = graph_of(("agent", agent(tools=())), retry_policy=RetryPolicy(max_attempts=4))
    proven = certify(again, Budget(llm_calls=1))
    assert (proven.bounded, proven.worst["llm_calls"], proven.over) == (True, 4, ("llm_calls",))
    assert str(proven).startswith("BOUNDED, but the worst case is more than the limit of llm_calls.")


def test_a_budgeted_node_of_one_call_is_held_exactly() -> None:
    graph = graph_of(("sum", budgeted(call_once, BUDGET)))
    declared = {"sum": Budget(llm_calls=1, tool_calls=0, usd="0.01")}
    assert certify(graph, BUDGET, at_most=declared).worst["llm_calls"] == 1
    assert certify(graph, Budget(llm_calls=1), at_most=declared).over == ()


def test_an_agent_on_a_budget_within_a_budgeted_node_stays_held() -> None:
    graph = graph_of(("outer", budgeted(agent(BudgetMiddleware(BUDGET)), BUDGET)))
    proven = certify(graph, BUDGET, free=["outer/tools/search"])
    assert (proven.bounded, proven.worst["llm_calls"], proven.worst["tool_calls"]) == (True, 20, 10)


def test_a_share_that_covers_a_budgeted_node_leaves_nothing_to_overshoot() -> None:
    share, most = Budget(llm_calls=2), {"sum": Budget(llm_calls=2)}
    for given, worst in ((share, 9), (None, 10)):
        loop: Any = StateGraph(MessagesState)
        loop.add_node("sum", budgeted(call_once, BUDGET, share=given))
        loop.add_edge(START, "sum")
        loop.add_edge("sum", "sum")
        assert certify(loop.compile(), Budget(llm_calls=9), at_most=most).worst["llm_calls"] == worst


def test_a_recursion_limit_bounds_a_cycle_where_it_is_the_users_own() -> None:
    loop: Any = StateGraph(MessagesState)
    loop.add_node("agent", agent(tools=()))
    loop.add_edge(START, "agent")
    loop.add_edge("agent", "agent")
    graph = loop.compile()
    assert certify(graph, Budget(llm_calls=1)).worst["llm_calls"] is None
    assert certify(graph, Budget(llm_calls=1), recursion_limit=7).worst["llm_calls"] == 7
    assert certify(graph.with_config(recursion_limit=5), Budget(llm_calls=1)).worst["llm_calls"] == 5
    assert certify(graph.with_config(recursion_limit=9_999), Budget(llm_calls=1)).worst["llm_calls"] is None


def test_a_recursion_limit_of_the_graph_around_goes_before_that_of_a_subgraph() -> None:
    loop: Any = StateGraph(MessagesState)
    loop.add_node("agent", agent(tools=()))
    loop.add_edge(START, "agent")
    loop.add_edge("agent", "agent")
    outer = graph_of(("loop", loop.compile().with_config(recursion_limit=3)))
    assert certify(outer, Budget(llm_calls=1)).worst["llm_calls"] == 3
    assert certify(outer, Budget(llm_calls=1), recursion_limit=6).worst["llm_calls"] == 6
    before = len(MODEL.requests)
    with pytest.raises(GraphRecursionError):
        outer.invoke({"messages": [("user", "?")]}, {"recursion_limit": 6})
    assert len(MODEL.requests) - before == 6


@pytest.mark.filterwarnings("ignore:This API is in beta")
def test_an_agent_as_a_tool_is_seen_through() -> None:
    sub = agent(BudgetMiddleware(BUDGET, name="sub"))
    dig = sub.as_tool(name="dig", description="Dig deeper.", arg_types={"query": str})
    whole = agent(BudgetMiddleware(BUDGET), tools=[dig])
    assert certify(whole, BUDGET, free=["tools/dig/tools/search"]).bounded
    bare = agent(tools=())
    ask = bare.as_tool(name="ask", description="Ask.", arg_types={"query": str})
    proven = certify(agent(BudgetMiddleware(BUDGET), tools=[ask]), Budget(llm_calls=20, tool_calls=10))
    assert proven.worst["llm_calls"] == 20 + 10  # one unheld call in each of ten tool calls


def test_nodes_of_subgraphs_are_named_by_their_path() -> None:
    graph = graph_of(("outer", graph_of(("inner", call_once))))
    assert [found.node for found in certify(graph, BUDGET).unbounded] == ["outer/inner"]


def test_a_conditional_edge_is_a_function_like_any_other() -> None:
    graph: Any = StateGraph(MessagesState)
    graph.add_node("plan", call_once)

    def route(_: Any) -> str:
        return END

    graph.add_edge(START, "plan")
    graph.add_conditional_edges("plan", route, [END])
    assert [found.node for found in certify(graph.compile(), BUDGET, free=["plan"]).unbounded] == ["plan/route"]


def test_tools_at_the_provider_are_told_of() -> None:
    searching: Any = {"type": "web_search_preview"}
    proven = certify(agent(BudgetMiddleware(BUDGET), tools=[searching]), BUDGET)
    assert proven.caveats[-1] == "tools that run at the provider, which no tool node sees: web_search_preview"


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (
            lambda graph: certify(graph.builder, BUDGET),
            "graph=StateGraph is not a compiled graph: call .compile() on it",
        ),
        (
            lambda graph: certify(graph, Budget()),
            "budget=Budget(no limits) limits nothing, so there is nothing to certify: give it a limit",
        ),
        (lambda graph: certify(graph, BUDGET, recursion_limit=0), "recursion_limit=0 must be 1 or more"),
        (
            lambda graph: certify(graph, BUDGET, free=["search"]),
            "free names 'search', which is no place that can be declared here: did you mean 'tools/search'?",
        ),
        (
            lambda graph: certify(graph, BUDGET, free=["tools/search"], at_most={"tools/search": BUDGET}),
            "'tools/search' is in free= and in at_most=: leave it in one of them",
        ),
    ],
)
def test_what_cannot_be_certified_is_said_with_its_fix(ask: Callable[[Any], Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError)) as refused:
        ask(agent(BudgetMiddleware(BUDGET)))
    assert str(refused.value) == message


def test_certifying_runs_nothing() -> None:
    before = len(MODEL.requests)
    certify(graph_of(("a", call_once)), BUDGET)
    assert len(MODEL.requests) == before
