"""A bare tool node on a budget: fan-out, ids, units, prices, tools that fail."""

import asyncio
from decimal import Decimal
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph  # pyright: ignore[reportMissingTypeStubs]  # it has types of its own
from langgraph.graph.message import add_messages  # pyright: ignore[reportMissingTypeStubs]  # it has types of its own
from langgraph.prebuilt import ToolNode
from langgraph.types import Command

from budgetkit import Budget, BudgetExceeded, PriceBook
from budgetkit.plugins import BudgetDrained, BudgetToolNode, tool_wrappers
from budgetkit.testing import assert_spent

CONFIG: Any = {"configurable": {"thread_id": "t"}}


class Messages(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


def graph_of(node: Any, **options: Any) -> Any:
    graph: Any = StateGraph(Messages)
    return graph.add_node("tools", node).add_edge(START, "tools").compile(**options)


def asking(*ids: str, tool: str = "search", **args: Any) -> dict[str, Any]:
    calls = [{"name": tool, "args": args or {"query": call_id}, "id": call_id} for call_id in ids]
    return {"messages": [AIMessage("", tool_calls=calls)]}


def texts(result: Any) -> list[str]:
    return [m.text.split("\n\n<budget>")[0] for m in result["messages"] if isinstance(m, ToolMessage)]


async def test_of_eight_parallel_calls_with_three_left_exactly_three_run(search: Any, run: Any) -> None:
    budget = Budget(tool_calls=3)
    with budget.open("job") as job:
        result = await run(graph_of(BudgetToolNode([search.tool], budget)), asking(*"abcdefgh"))
        assert_spent(job, tool_calls=3, tools={"search": 3})
        assert not job.reserved
    assert search.runs == 3
    assert sum(text.startswith("Not run: no tool calls are left of 3.") for text in texts(result)) == 5


async def test_calls_with_the_same_id_in_one_message_are_each_paid(search: Any, run: Any) -> None:
    """Some servers number every call ``call_0``; ids are for the books to find a call again, not to skip one."""
    budget = Budget(tool_calls=3)
    with budget.open("job") as job:
        await run(graph_of(BudgetToolNode([search.tool], budget)), asking(*["same"] * 8))
        assert search.runs == job.spent["tool_calls"] == 3


async def test_an_id_used_again_in_a_later_message_is_another_call(search: Any, run: Any) -> None:
    budget = Budget(tool_calls=2)
    graph = graph_of(BudgetToolNode([search.tool], budget))
    with budget.open("job") as job:
        for _ in range(3):
            await run(graph, asking("call_0"))
        assert search.runs == job.spent["tool_calls"] == 2


async def test_wrapper_functions_do_the_same_for_a_tool_node_that_is_there(search: Any, run: Any) -> None:
    budget = Budget(tools={"search": 1})
    gate = tool_wrappers(budget, tracker=False)
    node = ToolNode([search.tool], wrap_tool_call=gate.wrap_tool_call, awrap_tool_call=gate.awrap_tool_call)
    with budget.open("job"):
        result = await run(graph_of(node), asking("a", "b"))
    assert sorted(texts(result)) == [
        "Not run: no calls of search are left of 1. Answer from what you have.",
        "[1] Alpha\nAlpha was founded in 1987 by Jane Doe.",
    ]


async def test_outside_of_a_scope_a_thread_has_the_budget(search: Any, run: Any) -> None:
    graph = graph_of(BudgetToolNode([search.tool], Budget(tool_calls=2)), checkpointer=InMemorySaver())
    for thread, runs in (("one", 2), ("one", 2), ("two", 4)):
        await run(graph, asking("a", "b", "c"), {"configurable": {"thread_id": thread}})
        assert search.runs == runs


async def test_raise_and_drain_leave_the_graph(search: Any, run: Any) -> None:
    budget = Budget(tool_calls=1)
    for at_end, error in (("raise", BudgetExceeded), ("drain", BudgetDrained)):
        node = BudgetToolNode([search.tool], budget, at_end=at_end)
        with budget.open("job"), pytest.raises(error):
            await run(graph_of(node), asking("a", "b"))


@pytest.mark.parametrize("at_end", ["ask", "stop", "never"])
def test_a_tool_node_alone_has_only_its_own_ends(at_end: Any, search: Any) -> None:
    message = f"^at_end='{at_end}' is not an end: use one of 'answer', 'raise', 'drain'$"
    with pytest.raises(ValueError, match=message):
        BudgetToolNode([search.tool], Budget(tool_calls=1), at_end=at_end)


@pytest.fixture
def batch(search: Any) -> BaseTool:
    def search_all(queries: list[str]) -> str:
        """Search for several things."""
        return " ".join(search.run(query) for query in queries)

    return StructuredTool.from_function(search_all)


async def test_a_batch_counts_its_units_and_runs_whole_or_not_at_all(batch: Any, search: Any, run: Any) -> None:
    budget = Budget(tool_calls=5)
    node = BudgetToolNode([batch], budget, tool_units={"search_all": lambda args: len(args["queries"])}, tracker=False)
    with budget.open("job") as job:
        graph = graph_of(node)
        await run(graph, asking("a", tool="search_all", queries=["1", "2", "3"]))
        result = await run(graph, asking("b", tool="search_all", queries=["4", "5", "6"]))
        assert search.runs == job.spent["tool_calls"] == job.spent["tool:search_all"] == 3
    assert texts(result) == ["Not run: it is 3 tool calls, and 2 of 5 are left."]


@pytest.mark.parametrize("args", [{"query": "x"}, {"queries": None}, {"queries": 5}])
async def test_arguments_that_do_not_fit_are_one_call_and_the_tool_s_own_error(
    args: Any, batch: Any, search: Any, run: Any
) -> None:
    budget = Budget(tool_calls=5)
    node = BudgetToolNode([batch], budget, tool_units={"search_all": lambda given: len(given["queries"])})
    with budget.open("job") as job:
        result = await run(graph_of(node), asking("a", tool="search_all", **args))
        assert (search.runs, job.spent["tool_calls"]) == (0, 1)
    assert "Error invoking tool 'search_all'" in texts(result)[0]


@pytest.mark.parametrize("units", [-1, 1.5, None])
def test_units_that_are_no_units_are_refused(units: Any, search: Any) -> None:
    budget = Budget(tool_calls=5)
    node = BudgetToolNode([search.tool], budget, tool_units={"search": lambda _: units})
    message = rf"^tool_units\['search'\] returned {units!r}: it must be a whole number of 0 or more"
    with budget.open("job"), pytest.raises(ValueError, match=message):
        graph_of(node).invoke(asking("a"))
    assert search.runs == 0


async def test_a_tool_costs_what_its_price_says(search: Any, run: Any) -> None:
    budget = Budget(usd="0.025")
    node = BudgetToolNode([search.tool], budget, prices=PriceBook(tools={"search": "0.01"}))
    with budget.open("job") as job:
        result = await run(graph_of(node), asking("a", "b", "c"))
        assert (job.spent["usd"], search.runs) == (Decimal("0.02"), 2)
    assert any(text.startswith("Not run: the budget for usd does not pay for it.") for text in texts(result))


async def test_a_tool_that_fails_was_called_all_the_same(search: Any, run: Any) -> None:
    def fail(_: str) -> None:
        raise ValueError("no index")

    search.before, budget = fail, Budget(tool_calls=2)
    node = BudgetToolNode([search.tool], budget, tool_node={"handle_tool_errors": True})
    with budget.open("job") as job:
        await run(graph_of(node), asking("a", "b", "c"))
        assert search.runs == job.spent["tool_calls"] == 2
        assert not job.spent.estimated


async def test_a_tool_that_nobody_registered_is_a_call_so_that_a_model_cannot_loop_on_it(run: Any, search: Any) -> None:
    budget = Budget(tool_calls=1)
    graph = graph_of(BudgetToolNode([search.tool], budget))
    with budget.open("job"):
        first, second = [await run(graph, asking("a", tool="imagined")) for _ in range(2)]
    assert texts(first)[0].startswith("Error: imagined is not a valid tool")
    assert texts(second)[0].startswith("Not run: no tool calls are left of 1.")


@pytest.mark.parametrize("name", ["tool:search", "usd", "budget>\n</budget>", "x" * 300, "żółw", "a b\tc"])
async def test_a_tool_of_any_name_is_counted_under_its_own(name: str, run: Any) -> None:
    odd = StructuredTool.from_function(lambda: "fine", name=name, description="Odd.")
    budget = Budget(tool_calls=1, usd="1")
    with budget.open("job") as job:
        result = await run(graph_of(BudgetToolNode([odd], budget)), asking("a", "b", tool=name))
        assert job.spent["tool_calls"] == 1
        assert job.states()[-1].spent.in_units(f"tool:{name}") == 1
        assert job.spent["usd"] == 0
    assert all(m.text.count("</budget>") == 1 + m.text.count("b: fine") for m in result["messages"][1:])


async def test_huge_arguments_are_no_way_around_anything(search: Any, run: Any) -> None:
    budget = Budget(tool_calls=1)
    with budget.open("job"):
        result = await run(graph_of(BudgetToolNode([search.tool], budget)), asking("a", "b", query="x" * 10**6))
    assert search.runs == 1
    assert all(len(m.text) < 1000 for m in result["messages"][1:])


async def test_a_command_carries_the_tracker_on_its_messages(run: Any) -> None:
    def move(tool_call_id: str = "a") -> Command[Any]:
        return Command(update={"messages": [ToolMessage("moved", tool_call_id=tool_call_id)]})

    tool = StructuredTool.from_function(move, description="Move.")
    budget = Budget(tool_calls=2)
    with budget.open("job"):
        result = await run(graph_of(BudgetToolNode([tool], budget)), asking("a", tool="move", tool_call_id="a"))
    assert result["messages"][-1].text == (
        "moved\n\n<budget>\ntool calls: 1 used, 1 left (medium)\nlevel: medium\n</budget>"
    )


async def test_a_slow_tool_is_not_waited_for(search: Any, run: Any, gate: Any) -> None:
    search.before, budget = lambda _: gate.wait(20), Budget(seconds="0.15")
    with budget.open("job") as job:
        result = await run(graph_of(BudgetToolNode([search.tool], budget)), asking("a"))
        assert texts(result)[0].startswith("Not run: the budget for seconds does not pay for it.")
        assert job.spent["tool_calls"] == 1


async def test_a_slow_async_tool_is_cancelled() -> None:
    ended = []

    async def wait() -> str:
        """Wait for ever."""
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")
        return "never"

    tool, budget = StructuredTool.from_function(coroutine=wait, name="wait"), Budget(seconds="0.1")
    with budget.open("job"):
        await graph_of(BudgetToolNode([tool], budget)).ainvoke(asking("a", tool="wait"))
    assert ended == ["cancelled"]


async def test_a_cancelled_call_is_charged() -> None:
    budget, started = Budget(tool_calls=2), asyncio.Event()

    async def wait() -> str:
        """Wait for ever."""
        started.set()
        await asyncio.Event().wait()
        return "never"

    tool = StructuredTool.from_function(coroutine=wait, name="wait")
    async with budget.open("job") as job:
        task = asyncio.create_task(graph_of(BudgetToolNode([tool], budget)).ainvoke(asking("a", tool="wait")))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (job.spent["tool_calls"], dict(job.reserved)) == (1, {})
