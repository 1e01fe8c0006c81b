"""What happens to graphs, in every home: the books never know of less than the server billed; nothing stays open."""

from __future__ import annotations

import asyncio
import gc
import itertools
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from inspect import iscoroutinefunction
from operator import add
from typing import Annotated, Any, TypedDict, cast

import httpx
import openai
import pytest
from langchain.agents import create_agent
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph  # pyright: ignore[reportMissingTypeStubs]  # it has types of its own
from langgraph.types import Command, RetryPolicy, Send, interrupt

from budgetkit import Account, Budget, BudgetExceeded, Ledger, Scope, Spend
from budgetkit.plugins import BudgetMiddleware, budgeted
from budgetkit.testing import MockOpenAIServer

pytestmark = pytest.mark.enable_socket
THREAD: Any = {"configurable": {"thread_id": "t"}}
ASKED: Any = {"messages": [("user", "one two three four")]}
FIVE = "five words are the answer"
WIDE = Budget(llm_calls=20, input_tokens=100_000, output_tokens=50_000, usd="5")
RUN: Account = ("run",)


class Answers(TypedDict):
    answers: Annotated[list[str], add]


@tool
def search(query: str) -> str:
    """Search the corpus."""
    return f"found {query}"


@tool
def approved_search(query: str) -> str:
    """Search the corpus, once a person has agreed."""
    return f"found {query} {interrupt('may I?')}"


def searching(name: str, rounds: int) -> Callable[[Any], Any]:
    """A reply that asks for a search until the conversation has had so many, and then answers."""

    def reply(body: Any) -> Any:
        done = sum(message["role"] == "tool" for message in body["messages"])
        arguments = f'{{"query": "number {done}"}}'
        calling = {"tool_calls": [{"id": f"c{done}", "function": {"name": name, "arguments": arguments}}]}
        return calling if done < rounds else FIVE

    return reply


def agent_on(model: Any, kit: Any, budget: Budget, *, tools: Any = (), checkpointer: Any = None, **options: Any) -> Any:
    settings: dict[str, Any] = {"prices": kit.PRICES, "tracker": False} | options
    middleware = BudgetMiddleware(budget, **settings)
    return create_agent(model, tools, middleware=[middleware], checkpointer=checkpointer)


def one_node(node: Any, **options: Any) -> Any:
    graph: Any = StateGraph(Answers)
    return graph.add_node("node", node, **options).add_edge(START, "node").compile()


def on(home: Any, budget: Budget = WIDE) -> Scope:
    return budget.open("run", id="run", ledger=home.ledger())


def booked(home: Any, account: Account = RUN) -> tuple[Any, Any, Any]:
    """What a new client reads in the books."""
    spent = home.ledger().states(account)[-1].spent
    return spent["llm_calls"], spent["input_tokens"], spent["output_tokens"]


def billed(server: MockOpenAIServer) -> tuple[int, int, int]:
    server.wait_idle()
    return server.calls, server.prompt_tokens, server.completion_tokens


def assert_all_charged(home: Any, server: MockOpenAIServer, resources: int = 3) -> None:
    """The books know of at least what the server billed: calls, input and output, or the first of these."""
    ours, theirs = booked(home)[:resources], billed(server)[:resources]
    assert all(here >= there for here, there in zip(ours, theirs, strict=True)), (ours, theirs)


async def test_an_interrupt_at_every_step_gives_nothing_back(home: Any, kit: Any) -> None:
    """Each step is resumed by an agent, a client of the books and a connection that are new, as after a restart."""
    saver, budget = InMemorySaver(), Budget(llm_calls=4)
    with MockOpenAIServer(searching("approved_search", rounds=100)) as server:
        given: Any = ASKED
        for _ in range(10):
            ledger = home.ledger()
            agent = agent_on(
                kit.chat(server), kit, budget, tools=[approved_search], checkpointer=saver, ledger=ledger, at_end="stop"
            )
            await agent.ainvoke(given, THREAD)
            given = Command(resume="yes")
        assert server.calls == 4
        (account,) = home.ledger().children()
        assert booked(home, account) == billed(server)
        kit.assert_sound(home.ledger(), account)


async def test_a_question_that_waits_for_a_person_stays_reserved_across_clients(home: Any, kit: Any) -> None:
    saver, budget = InMemorySaver(), Budget(llm_calls=5, tool_calls=3)
    with MockOpenAIServer(searching("approved_search", rounds=1)) as server:

        def agent() -> Any:
            options = {"tools": [approved_search], "checkpointer": saver, "ledger": home.ledger()}
            return agent_on(kit.chat(server), kit, budget, **options)

        await agent().ainvoke(ASKED, THREAD)
        (account,) = home.ledger().children()
        assert home.ledger().states(account)[-1].reserved["tool_calls"] == 1
        await agent().ainvoke(Command(resume="yes"), THREAD)
        state = home.ledger().states(account)[-1]
        assert (state.spent["tool_calls"], state.spent["llm_calls"], server.calls) == (1, 2, 2)
        kit.assert_sound(home.ledger(), account)


async def test_time_travel_gives_nothing_back(home: Any, kit: Any) -> None:
    budget = Budget(llm_calls=5)
    with MockOpenAIServer(searching("search", rounds=1)) as server:
        options = {"tools": [search], "checkpointer": InMemorySaver(), "ledger": home.ledger(), "at_end": "raise"}
        agent = agent_on(kit.chat(server), kit, budget, **options)
        await agent.ainvoke(ASKED, THREAD)
        before = [s async for s in agent.aget_state_history(THREAD) if s.next == ("model",)][-1]
        await agent.ainvoke(None, before.config)
        for _ in range(3):
            with pytest.raises(BudgetExceeded, match="is out of llm_calls: limit 5, spent 5"):
                await agent.ainvoke(None, before.config)
        assert server.calls == 5
        (account,) = home.ledger().children()
        assert booked(home, account) == billed(server)
        kit.assert_sound(home.ledger(), account)


async def test_each_attempt_of_a_retried_node_is_charged(home: Any, kit: Any) -> None:
    with MockOpenAIServer(FIVE) as server, on(home):
        model = kit.chat(server)

        async def node(_: Answers) -> Answers:
            answer = (await model.ainvoke("one two three four")).text
            if server.calls < 3:
                raise ConnectionError
            return {"answers": [answer]}

        retry = RetryPolicy(initial_interval=0, jitter=False)
        await one_node(budgeted(node, WIDE, prices=kit.PRICES), retry_policy=retry).ainvoke({"answers": []})
        assert booked(home) == billed(server) == (3, 12, 15)
    kit.assert_sound(home.ledger(), RUN)


@pytest.mark.parametrize("wrapped", [True, False], ids=["agents", "bare calls"])
async def test_a_fan_out_that_fails_in_part_is_charged_for_all_that_ran(wrapped: bool, home: Any, kit: Any) -> None:
    """One of five branches fails after it has paid, and may cut others off; what runs again pays again.

    Of a bare call that was cut off nobody knows how much was written: its output is not on the books, the call is.
    """
    fails, resources = [True], 3 if wrapped else 2
    with MockOpenAIServer(FIVE) as server, on(home):
        model = kit.chat(server)
        agent = agent_on(model, kit, WIDE)

        async def node(state: Any) -> Answers:
            answer = (await agent.ainvoke(ASKED))["messages"][-1] if wrapped else await model.ainvoke("one two three")
            if state["n"] == 2 and fails:
                fails.clear()
                raise RuntimeError("once")
            return {"answers": [answer.text]}

        def split(_: Answers) -> list[Send]:
            return [Send("node", {"n": n}) for n in range(5)]

        graph: Any = StateGraph(Answers).add_node("node", node if wrapped else budgeted(node, WIDE, prices=kit.PRICES))
        graph = graph.add_conditional_edges(START, split, ["node"]).compile(checkpointer=InMemorySaver())
        with pytest.raises(RuntimeError, match=r"^once\n"):
            await graph.ainvoke({"answers": []}, THREAD)
        await kit.all_dropped()
        assert_all_charged(home, server, resources)
        assert (await graph.ainvoke(None, THREAD))["answers"] == [FIVE] * 5
        assert_all_charged(home, server, resources)
    kit.assert_sound(home.ledger(), RUN)


async def test_a_subgraph_as_a_node_is_counted_once_and_held(home: Any, kit: Any) -> None:
    budget = Budget(llm_calls=3)
    with MockOpenAIServer(searching("search", rounds=100)) as server, on(home, budget):
        inner = agent_on(kit.chat(server), kit, budget, tools=[search], at_end="raise")

        async def node(_: Answers) -> Answers:
            return {"answers": [(await inner.ainvoke(ASKED))["messages"][-1].text]}

        with pytest.raises(BudgetExceeded):
            await one_node(budgeted(one_node(node), budget, prices=kit.PRICES)).ainvoke({"answers": []})
        assert booked(home) == billed(server)
        assert server.calls == 3
    kit.assert_sound(home.ledger(), RUN)


async def test_a_sub_agent_inside_a_tool_spends_from_both(home: Any, kit: Any) -> None:
    outer_budget, inner_budget = Budget(llm_calls=10), Budget(llm_calls=2)
    with MockOpenAIServer(searching("delegate", rounds=2)) as server, MockOpenAIServer(FIVE) as inner_server:
        inner = agent_on(kit.chat(inner_server), kit, inner_budget, at_end="stop")

        @tool
        async def delegate(query: str) -> str:
            """Ask somebody else."""
            return str((await inner.ainvoke({"messages": [("user", query)]}))["messages"][-1].text)

        with on(home, outer_budget):
            await agent_on(kit.chat(server), kit, outer_budget, tools=[delegate]).ainvoke(ASKED)
        assert (server.calls, inner_server.calls) == (3, 2)
        both = [ours + theirs for ours, theirs in zip(billed(server), billed(inner_server), strict=True)]
        assert list(booked(home)) == both
    kit.assert_sound(home.ledger(), RUN)


class Interrupting:
    """Cancels a task at the k-th point where it waits: for the books, for the model, for a tool."""

    def __init__(self, at: int) -> None:
        self._at, self._points = at, itertools.count(1)
        self.victim: asyncio.Task[Any] | None = None
        self.struck = False

    async def point(self, *_: object) -> None:
        if self.victim is not None and next(self._points) == self._at:
            self.struck = True
            self.victim.cancel()
            for _turn in range(50):  # until it has reached whoever waits here, unless that one is shielded
                await asyncio.sleep(0)

    def around(self, ledger: Ledger) -> Ledger:
        return cast("Ledger", _Interrupted(ledger, self.point))

    async def run(self, work: Awaitable[Any]) -> None:
        victim = self.victim = asyncio.ensure_future(work)
        await asyncio.wait([victim])
        self.victim = None  # what it raised keeps alive what it ran
        if not victim.cancelled():
            victim.result()


class _Interrupted:
    """A ledger before each of whose operations the task may be cancelled."""

    def __init__(self, ledger: Ledger, point: Callable[[], Awaitable[None]]) -> None:
        self._ledger, self._point = ledger, point

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._ledger, name)
        if not iscoroutinefunction(operation):
            return operation

        async def interrupted(*args: Any, **kwargs: Any) -> Any:
            await self._point()
            return await operation(*args, **kwargs)

        return interrupted


def agent_with_a_tool(model: Any, kit: Any, budget: Budget, cancelling: Interrupting) -> Any:
    @tool
    async def slow_search(query: str) -> str:
        """Search the corpus."""
        await cancelling.point()
        return query

    return agent_on(model, kit, budget, tools=[slow_search])


def node_in_a_graph(model: Any, kit: Any, budget: Budget, cancelling: Interrupting, **options: Any) -> Any:
    async def node(_: Any) -> Any:
        await cancelling.point()
        return {"messages": [await model.ainvoke("hello")]}

    graph: Any = StateGraph(MessagesState)
    graph.add_node("node", budgeted(node, budget, prices=kit.PRICES, **options))
    return graph.add_edge(START, "node").compile()


SHAPES: dict[str, Callable[..., Any]] = {
    "agent": agent_with_a_tool,
    "node": node_in_a_graph,
    "node with a share": partial(node_in_a_graph, share=Budget(llm_calls=3)),
}


async def cancelled_at(point: int, shape: Any, home: Any, kit: Any, server: MockOpenAIServer) -> bool:
    """Run a graph that is cancelled at one point; whether it came that far."""
    budget, cancelling = Budget(llm_calls=6, tool_calls=6, output_tokens=10_000), Interrupting(point)
    account: Account = (f"run-{point}",)
    calls_before = server.calls
    hooks: Any = {"request": [cancelling.point], "response": [cancelling.point]}

    async def work() -> None:
        async with httpx.AsyncClient(event_hooks=hooks, verify=False) as http:  # noqa: S501 - nothing is encrypted here
            graph = shape(kit.chat(server, http_async_client=http), kit, budget, cancelling)
            async with budget.open("run", id=account[0], ledger=cancelling.around(home.ledger())):
                await graph.ainvoke(ASKED)

    await cancelling.run(work())
    await kit.all_dropped()
    server.wait_idle()
    states = home.ledger().states(account) if account in home.ledger().children() else ()
    for state in states:
        assert state.spent.in_units("llm_calls") >= server.calls - calls_before
        kit.assert_sound(home.ledger(), account)
    assert states or server.calls == calls_before
    return cancelling.struck


@pytest.fixture
def quick_collection() -> Iterator[None]:
    """What is there already need not be looked through at every collection."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("quick_collection")
@pytest.mark.parametrize("shape", SHAPES)
async def test_a_run_that_is_cancelled_at_any_point_is_charged_and_leaves_nothing_open(
    shape: str, home: Any, kit: Any
) -> None:
    with MockOpenAIServer(searching("slow_search", rounds=1)) as server:
        points = 1
        while await cancelled_at(points, SHAPES[shape], home, kit, server):
            points += 1
    assert points > 10


async def test_an_operation_that_is_cancelled_midway_leaves_nothing_reserved(home: Any, kit: Any) -> None:
    """The home may have reserved before the caller was told: then nobody holds it, and it must not stay."""
    ledger = home.ledger()
    await ledger.aopen(RUN, {"llm_calls": 1_000})
    for turns in range(40):
        reserving = asyncio.ensure_future(ledger.areserve(RUN, Spend(llm_calls=1)))
        for _ in range(turns):
            await asyncio.sleep(0)
        reserving.cancel()
        await asyncio.wait([reserving])
        if not reserving.cancelled():
            await ledger.arelease(reserving.result())
    await kit.all_done()
    kit.assert_sound(home.ledger(), RUN)


async def test_a_client_that_leaves_in_mid_stream_is_charged(home: Any, kit: Any) -> None:
    with MockOpenAIServer("word " * 50, chunk_latency=0.001) as server, on(home):
        pieces = agent_on(kit.chat(server), kit, WIDE).astream(ASKED, stream_mode="messages")
        await anext(pieces)
        await pieces.aclose()
        await kit.all_done()
        assert server.calls == 1
        assert_all_charged(home, server)
    kit.assert_sound(home.ledger(), RUN)


async def test_a_connection_that_the_server_cuts_is_charged(home: Any, kit: Any) -> None:
    with MockOpenAIServer("word " * 50, disconnect_after=3) as server, on(home):
        with pytest.raises((openai.APIConnectionError, httpx.RemoteProtocolError)):
            await agent_on(kit.chat(server, streaming=True), kit, WIDE).ainvoke(ASKED)
        assert server.calls == 1
        assert_all_charged(home, server)
    kit.assert_sound(home.ledger(), RUN)


@pytest.mark.parametrize("n", [1, 3])
async def test_a_request_for_several_choices_is_one_request(n: int, home: Any, kit: Any) -> None:
    with MockOpenAIServer(FIVE) as server, on(home):
        await agent_on(kit.chat(server, n=n, stream_usage=False), kit, WIDE).ainvoke(ASKED)
        assert booked(home) == billed(server) == (1, 4, 5 * n)
    kit.assert_sound(home.ledger(), RUN)


@pytest.mark.filterwarnings("ignore:model 'mock' sent no usage")
@pytest.mark.parametrize("streaming", [True, False])
async def test_missing_usage_is_charged_at_the_worst_case(streaming: bool, home: Any, kit: Any) -> None:
    with MockOpenAIServer(FIVE, usage=False) as server, on(home):
        await agent_on(kit.chat(server, streaming=streaming), kit, WIDE).ainvoke(ASKED)
        assert_all_charged(home, server)
        assert "output_tokens" in home.ledger().states(RUN)[-1].spent.estimated
    kit.assert_sound(home.ledger(), RUN)


async def test_usage_on_every_chunk_counts_once(home: Any, kit: Any) -> None:
    with MockOpenAIServer(FIVE, usage_every_chunk=True) as server, on(home):
        await agent_on(kit.chat(server, streaming=True), kit, WIDE).ainvoke(ASKED)
        assert booked(home) == billed(server) == (1, 4, 5)
    kit.assert_sound(home.ledger(), RUN)


async def test_usage_that_understates_is_believed_for_tokens_and_not_for_calls(home: Any, kit: Any) -> None:
    """Nobody can know better than the provider what it bills; but how often it was asked, we know ourselves."""
    budget = Budget(llm_calls=2, output_tokens=1_000)
    with MockOpenAIServer(searching("search", rounds=100), lie_usage=0.5) as server, on(home, budget):
        agent = agent_on(kit.chat(server), kit, budget, tools=[search], at_end="raise")
        with pytest.raises(BudgetExceeded, match="is out of llm_calls: limit 2, spent 2"):
            await agent.ainvoke(ASKED)
        assert server.calls == booked(home)[0] == 2
        assert 0 < booked(home)[2] < server.completion_tokens
    kit.assert_sound(home.ledger(), RUN)


@pytest.mark.filterwarnings("ignore:model 'mock' sent no usage")
async def test_a_usage_of_zero_for_an_answer_is_no_usage(home: Any, kit: Any) -> None:
    with MockOpenAIServer(FIVE, lie_usage=0) as server, on(home):
        await agent_on(kit.chat(server), kit, WIDE).ainvoke(ASKED)
        assert_all_charged(home, server)
    kit.assert_sound(home.ledger(), RUN)


@pytest.mark.parametrize("lie", [{"lie_usage": 100}, {"ignore_max_tokens": True}], ids=["says more", "writes more"])
async def test_more_than_the_cap_is_recorded_named_and_followed_by_nothing(lie: Any, home: Any, kit: Any) -> None:
    budget, said = Budget(llm_calls=10, output_tokens=40), "word " * (100 if "ignore_max_tokens" in lie else 5)
    with MockOpenAIServer(said, **lie) as server, on(home, budget) as scope:
        agent = agent_on(kit.chat(server, stream_usage=False), kit, budget, at_end="raise")
        await agent.ainvoke(ASKED)
        assert scope.overshoot.in_units("output_tokens") == scope.spent.in_units("output_tokens") - 40 > 0
        assert_all_charged(home, server)
        with pytest.raises(BudgetExceeded, match="is out of output_tokens: limit 40, spent"):
            await agent.ainvoke(ASKED)
        assert server.calls == 1
    kit.assert_sound(home.ledger(), RUN)


@pytest.mark.parametrize("status", [429, 500])
async def test_a_call_that_the_provider_turned_away_is_one_call(status: int, home: Any, kit: Any) -> None:
    with MockOpenAIServer(FIVE, fail_times=1, fail_status=status) as server, on(home):
        with pytest.raises(openai.APIStatusError):
            await agent_on(kit.chat(server), kit, WIDE).ainvoke(ASKED)
        assert (booked(home)[0], len(server.requests)) == (1, 1)
    kit.assert_sound(home.ledger(), RUN)
