"""The traps of usage numbers and of calls that a middleware does not see, by their numbers in the list of traps.

The truth is the mock server's own count, never what LangChain or our books say of themselves.
"""

import asyncio
import gc
import json
import warnings
from typing import Any, TypedDict

import httpx
import openai
import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import LLMToolSelectorMiddleware, ModelRetryMiddleware, SummarizationMiddleware
from langchain_core.caches import InMemoryCache
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.errors import NodeTimeoutError
from langgraph.graph import START, StateGraph  # pyright: ignore[reportMissingTypeStubs]  # it has types of its own
from pydantic import SecretStr

from budgetkit import Budget, BudgetExceeded, ModelPrice, PriceBook, Scope, Spend
from budgetkit.plugins import BudgetMiddleware, metered
from budgetkit.testing import MockOpenAIServer, ScriptedChatModel, assert_spent, call

loopback = pytest.mark.enable_socket
ways = pytest.mark.parametrize("way", ["invoke", "ainvoke"])
PRICES = PriceBook(models={"mock": ModelPrice(input="1", output="2", cached_input="0.1")})
WIDE = Budget(llm_calls=20, input_tokens=100_000, output_tokens=50_000, usd="5")
QUESTION = {"messages": [("user", "one two three four")]}
FIVE = "five words are the answer"
SILENT = (
    "model 'mock' sent no usage, so its calls are booked at their worst case: with ChatOpenAI and a base_url of your "
    "own, set stream_usage=True"
)


@tool
def search(query: str) -> str:
    """Search the corpus."""
    return f"found {query}"


def chat(server: MockOpenAIServer, **settings: Any) -> ChatOpenAI:
    options: dict[str, Any] = {"model": "mock", "max_retries": 0} | settings
    return ChatOpenAI(base_url=server.base_url, api_key=SecretStr("EMPTY"), **options)


def agent(model: BaseChatModel, budget: Budget = WIDE, *outer: Any, tools: Any = (), **options: Any) -> Any:
    settings: dict[str, Any] = {"prices": PRICES, "tracker": False} | options
    return create_agent(model, tools, middleware=[*outer, BudgetMiddleware(budget, **settings)])


async def run(way: str, runnable: Any, value: Any) -> Any:
    return runnable.invoke(value) if way == "invoke" else await runnable.ainvoke(value)


async def stream(way: str, runnable: Any, value: Any, **options: Any) -> list[Any]:
    if way == "invoke":
        return list(runnable.stream(value, **options))
    return [piece async for piece in runnable.astream(value, **options)]


def tokens(scope: Scope) -> tuple[Any, Any, Any]:
    return scope.spent["llm_calls"], scope.spent["input_tokens"], scope.spent["output_tokens"]


def billed(server: MockOpenAIServer) -> tuple[int, int, int]:
    return server.calls, server.prompt_tokens, server.completion_tokens


def kept(scope: Scope) -> list[bool]:
    """Per call, whether its reservation was kept whole and marked as an estimate; that it was a call is certain."""
    return [
        c.spend is not None
        and c.spend.as_units() == c.asked.as_units()
        and c.spend.estimated == frozenset(c.asked.names) - {"llm_calls"}
        for c in scope.charges
    ]


@loopback
@ways
async def test_what_nobody_reserved_and_nobody_was_told_of_is_unknown_and_not_zero(way: str) -> None:
    """Without a limit on tokens or dollars there is no output cap, so there is no worst case to keep."""
    with MockOpenAIServer(FIVE, usage=False) as server, Budget(llm_calls=5).open("run") as scope:
        with pytest.warns(UserWarning, match="model 'mock' sent no usage"):
            await run(way, agent(chat(server), scope.budget), QUESTION)
        assert scope.spent["llm_calls"] == 1
        assert scope.spent["usd"] is None
        assert scope.spent["output_tokens"] is None
        assert "input_tokens" in scope.spent.estimated


@loopback
@ways
async def test_usage_that_is_missing_keeps_the_reservation_and_warns_once(way: str) -> None:
    """Trap 27: a streamed graph run on a base_url of one's own has no usage."""
    with MockOpenAIServer(FIVE) as server, WIDE.open("run") as scope:
        ours = agent(chat(server))
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            for _ in range(2):
                await stream(way, ours, QUESTION, stream_mode="messages")
        assert kept(scope) == [True, True]
        assert [str(w.message) for w in warned] == [SILENT]
        assert Spend.from_units({"llm_calls": server.calls, "output_tokens": server.completion_tokens}) <= scope.spent


@loopback
@ways
async def test_stream_usage_makes_a_streamed_run_exact(way: str) -> None:
    """Trap 27: with stream_usage=True the same run is measured."""
    with MockOpenAIServer(FIVE) as server, WIDE.open("run") as scope:
        await stream(way, agent(chat(server, stream_usage=True)), QUESTION, stream_mode="messages")
        assert tokens(scope) == billed(server)
        assert not scope.spent.estimated


@loopback
@ways
@pytest.mark.parametrize("wrapped", [True, False])
async def test_several_choices_are_one_request(way: str, wrapped: bool) -> None:
    """Trap 28: with n > 1 every generation carries the usage of the whole request."""
    with MockOpenAIServer(FIVE) as server, WIDE.open("run") as scope:
        model = chat(server, n=3)
        await run(way, agent(model) if wrapped else model, QUESTION if wrapped else "one two three four")
        assert tokens(scope) == billed(server) == (1, 4, 15)


@loopback
@ways
async def test_several_choices_are_reserved_as_what_they_may_cost(way: str) -> None:
    """Trap 28: the output cap holds for each of the n choices."""
    budget = Budget(output_tokens=60)
    with MockOpenAIServer("word " * 100) as server, budget.open("run") as scope:
        with pytest.raises(BudgetExceeded, match="is out of output_tokens"):  # it was cut, and no more can be written
            await run(way, agent(chat(server, n=3), budget, at_end="raise"), QUESTION)
        assert server.completion_tokens == scope.spent["output_tokens"] == 60
        assert not scope.overshoot


@loopback
@ways
@pytest.mark.parametrize("wrapped", [True, False])
async def test_a_running_total_on_every_chunk_counts_once(way: str, wrapped: bool) -> None:
    """Trap 29: continuous usage, which LangChain adds up."""
    with MockOpenAIServer(FIVE, usage_every_chunk=True) as server, WIDE.open("run") as scope:
        model = chat(server)
        if wrapped:
            await stream(way, agent(model), QUESTION, stream_mode="messages")
        else:
            await stream(way, model, "one two three four")
        assert tokens(scope) == billed(server) == (1, 4, 5)


@loopback
@ways
async def test_a_stream_that_its_reader_breaks_off_is_booked_at_an_estimate(way: str) -> None:
    """Trap 30: no usage comes; neither zero nor refunded."""
    with MockOpenAIServer("word " * 50) as server, WIDE.open("run") as scope:
        model = chat(server, stream_usage=True)
        if way == "invoke":
            pieces: Any = model.stream("one two three four")
            next(pieces)
            pieces.close()
        else:
            apieces: Any = model.astream("one two three four")
            await anext(apieces)
            await apieces.aclose()
        assert scope.spent["llm_calls"] == 1
        assert scope.spent.estimated >= {"input_tokens", "output_tokens", "total_tokens"}
        assert scope.spent.as_units()["input_tokens"] >= 4


@loopback
@ways
@pytest.mark.parametrize("streamed", [True, False])
async def test_a_connection_that_is_cut_keeps_the_reservation(way: str, streamed: bool) -> None:
    """Trap 30: the server hangs up in mid-answer, and has billed it."""
    with MockOpenAIServer("word " * 50, disconnect_after=3) as server, WIDE.open("run") as scope:
        ours = agent(chat(server, streaming=streamed))
        with pytest.raises((openai.APIConnectionError, httpx.RemoteProtocolError)):
            await run(way, ours, QUESTION)
        assert kept(scope) == [True]
        assert server.calls == 1


@loopback
@pytest.mark.parametrize("wrapped", [True, False])
async def test_a_cancelled_call_stays_on_the_books(wrapped: bool) -> None:
    """Trap 30: LangChain says nothing at all when a bare `ainvoke` is cancelled."""
    with MockOpenAIServer(FIVE, latency=30) as server, WIDE.open("run") as scope:
        model = chat(server)
        work = agent(model).ainvoke(QUESTION) if wrapped else model.ainvoke("one two three four")
        task = asyncio.ensure_future(work)
        while not server.requests:  # noqa: ASYNC110 - the server is on a thread of its own
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        del task, work  # what LangChain has dropped is held by nobody else
        await settled(scope)
        assert scope.spent["llm_calls"] == 1
        assert "input_tokens" in scope.spent.estimated
        assert not scope.reserved


async def settled(scope: Scope) -> None:
    """Let what was cancelled come to its end: LangChain drops the run some turns of the loop later."""
    async with asyncio.timeout(45):
        while not scope.spent["llm_calls"]:
            gc.collect()
            await asyncio.sleep(0.01)


class Text(TypedDict):
    text: str


@loopback
async def test_a_node_that_times_out_stays_on_the_books() -> None:
    """Trap 30: LangGraph cancels the node; the call may have been billed."""
    with MockOpenAIServer(FIVE, latency=30) as server, WIDE.open("run") as scope:
        model = chat(server)

        async def node(state: Text) -> Text:
            return {"text": (await model.ainvoke(state["text"])).text}

        graph = StateGraph(Text).add_node("node", node, timeout=0.3).add_edge(START, "node").compile()
        with pytest.raises(NodeTimeoutError):
            await graph.ainvoke({"text": "one two three four"})
        await settled(scope)
        assert scope.spent["llm_calls"] == 1
        assert scope.spent.estimated >= {"input_tokens", "total_tokens"}


@loopback
@ways
@pytest.mark.parametrize("wrapped", [True, False])
async def test_a_cached_answer_costs_nothing(way: str, wrapped: bool) -> None:
    """Trap 31: LangChain's cache hands the full usage back, and nobody bills it."""
    with MockOpenAIServer(FIVE) as server, WIDE.open("run") as scope:
        model = chat(server, cache=InMemoryCache())
        work, question = (agent(model), QUESTION) if wrapped else (model, "one two three four")
        for _ in range(3):
            await run(way, work, question)
        assert tokens(scope) == billed(server) == (1, 4, 5)
        assert not scope.reserved


class Nameless(BaseChatModel):
    """A model that does not say what it is called."""

    @property
    def _llm_type(self) -> str:
        return "nameless"

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        usage = UsageMetadata(input_tokens=7, output_tokens=3, total_tokens=10)
        return ChatResult(generations=[ChatGeneration(message=AIMessage(FIVE, usage_metadata=usage))])


@ways
@pytest.mark.parametrize("wrapped", [True, False])
async def test_usage_without_a_model_name_is_booked_as_unknown(way: str, wrapped: bool) -> None:
    """Trap 32: the usage is not dropped, and a price that is not known is not zero."""
    budget = Budget(llm_calls=5)
    with budget.open("run") as scope:
        work, question = (agent(Nameless(), budget), QUESTION) if wrapped else (Nameless(), "one two")
        await run(way, work, question)
        assert [charge.label for charge in scope.charges] == ["model:unknown"]
        assert_spent(scope, llm_calls=1, input_tokens=7, output_tokens=3, total_tokens=10, usd=None)


@ways
async def test_a_model_without_a_price_is_refused_under_a_dollar_limit(way: str) -> None:
    """Trap 32: unpriced is not free."""
    with WIDE.open("run") as scope:
        with pytest.raises(LookupError, match="no price for model 'unknown': put a line like"):
            await run(way, agent(Nameless()), QUESTION)
        assert not scope.charges
        assert not scope.reserved


@ways
async def test_prompts_are_counted_without_a_network(way: str) -> None:
    """Trap 33: sockets are blocked here, and the prompt is reserved all the same."""
    with WIDE.open("run") as scope:
        model = ScriptedChatModel([FIVE], name="mock")
        await run(way, agent(model), QUESTION)
        assert scope.charges[0].asked.in_units("input_tokens") >= 4


@loopback
@ways
async def test_cached_prompt_tokens_are_priced_as_such(way: str) -> None:
    """Trap 34: they are inside the input, and cost less."""
    with MockOpenAIServer(FIVE, cached_tokens=3) as server, WIDE.open("run") as scope:
        await run(way, agent(chat(server)), QUESTION)
        assert_spent(scope, input_tokens=4, output_tokens=5, usd="0.0000113")  # 1 x 1 + 3 x 0.1 + 5 x 2, in millionths


@ways
async def test_cache_writes_on_top_are_read_once(way: str) -> None:
    """Trap 34: LangChain has Anthropic's cache tokens inside the input already."""
    details = InputTokenDetails(cache_read=60, cache_creation=30)
    usage = UsageMetadata(input_tokens=100, output_tokens=10, total_tokens=110, input_token_details=details)
    with WIDE.open("run") as scope:
        await run(way, agent(ScriptedChatModel([AIMessage(FIVE, usage_metadata=usage)], name="mock")), QUESTION)
        assert_spent(scope, input_tokens=100, output_tokens=10, total_tokens=110, usd="0.000066")


@ways
async def test_reasoning_is_counted_from_the_usage(way: str) -> None:
    """Trap 35: ChatOpenAI does not hand the reasoning text over; it is billed."""
    details = OutputTokenDetails(reasoning=400)
    usage = UsageMetadata(input_tokens=4, output_tokens=405, total_tokens=409, output_token_details=details)
    with WIDE.open("run") as scope:
        await run(way, agent(ScriptedChatModel([AIMessage(FIVE, usage_metadata=usage)], name="mock")), QUESTION)
        assert_spent(scope, output_tokens=405, usd="0.000814")


def asks_once(body: Any) -> Any:
    """Calls the search tool in the first round, selects it if a selector asks, and answers in the second."""
    if any(message["role"] == "tool" for message in body["messages"]) or "tools" not in body:
        return FIVE
    arguments = '{"query": "jaws"}'
    return {"content": None, "tool_calls": [{"id": "c", "function": {"name": "search", "arguments": arguments}}]}


@loopback
@ways
async def test_a_summarizer_is_on_the_books(way: str) -> None:
    """Traps 23 and 36: its call is in no wrapper, and it deletes the messages that carried usage."""
    with MockOpenAIServer(asks_once) as server, WIDE.open("run") as scope:
        model = chat(server)
        summarizer = SummarizationMiddleware(model, trigger=("messages", 2), keep=("messages", 1))
        done = await run(way, agent(model, WIDE, summarizer, tools=[search]), QUESTION)
        assert server.calls > sum(message.type == "ai" for message in done["messages"])
        assert tokens(scope) == billed(server)


@loopback
@ways
async def test_a_tool_selector_is_on_the_books(way: str) -> None:
    """Trap 36: it calls the model inside its own wrapper."""

    @tool
    def browse(url: str) -> str:
        """Open a page."""
        return url

    def reply(body: Any) -> Any:
        return '{"tools": ["search"]}' if "response_format" in body else asks_once(body)

    with MockOpenAIServer(reply) as server, WIDE.open("run") as scope:
        selector = LLMToolSelectorMiddleware(model=chat(server), max_tools=1)
        await run(way, agent(chat(server), WIDE, selector, tools=[search, browse]), QUESTION)
        assert tokens(scope) == billed(server)
        assert server.calls == 4


@loopback
@ways
async def test_a_sub_agent_inside_a_tool_is_on_the_books(way: str) -> None:
    """Trap 20: its usage never reaches the parent's messages."""
    with MockOpenAIServer(asks_once) as server, WIDE.open("run") as scope:
        helper: Any = create_agent(chat(server), [search])

        @tool("search")
        def ask_helper(query: str) -> str:
            """Ask the helper."""
            return str(helper.invoke({"messages": [("user", query)]})["messages"][-1].content)

        await run(way, agent(chat(server), tools=[ask_helper]), QUESTION)
        assert tokens(scope) == billed(server)
        assert server.calls == 4


def retry() -> ModelRetryMiddleware:
    return ModelRetryMiddleware(max_retries=2, initial_delay=0, jitter=False, on_failure="error")


@loopback
@ways
async def test_every_attempt_of_a_retry_above_is_paid_for(way: str) -> None:
    """Trap 37: innermost of the retry, each attempt is reserved; a failed one may have been billed."""
    with MockOpenAIServer(FIVE, fail_times=2) as server, WIDE.open("run") as scope:
        await run(way, agent(chat(server), WIDE, retry()), QUESTION)
        assert kept(scope) == [True, True, False]
        assert_spent(scope.charges[2].spend or Spend(), llm_calls=1, input_tokens=4, output_tokens=5)


@loopback
@ways
@pytest.mark.parametrize(("status", "tokens_of_first"), [(500, True), (429, False)])
async def test_every_attempt_of_a_retry_below_is_recorded(way: str, status: int, tokens_of_first: bool) -> None:
    """Trap 37: the wrapper reserved one call; the meter records the others, and says what is wrong."""
    with MockOpenAIServer(FIVE, fail_times=2, fail_status=status) as server, WIDE.open("run") as scope:
        ours: Any = BudgetMiddleware(WIDE, prices=PRICES)
        with pytest.warns(UserWarning, match="put BudgetMiddleware last in middleware="):
            await run(way, create_agent(chat(server), middleware=[ours, retry()]), QUESTION)
        reserved = next(charge for charge in scope.charges if charge.asked)
        assert scope.spent["llm_calls"] == len(server.requests) == 3
        assert bool((reserved.spend or Spend())["input_tokens"]) is tokens_of_first


@loopback
@ways
async def test_retries_inside_the_client_are_one_call_that_the_server_bills(way: str) -> None:
    """Trap 37: the OpenAI client repeats what failed unbilled, and no callback tells."""
    with MockOpenAIServer(FIVE, fail_times=2) as server, WIDE.open("run") as scope:
        await run(way, agent(chat(server, max_retries=2)), QUESTION)
        assert len(server.requests) == 3
        assert tokens(scope) == billed(server)


@loopback
@ways
async def test_a_rate_limiter_neither_replaces_nor_disturbs_the_books(way: str) -> None:
    """Trap 38: it counts requests, not tokens."""
    limiter = InMemoryRateLimiter(requests_per_second=1000, check_every_n_seconds=0.001, max_bucket_size=5)
    with MockOpenAIServer(FIVE) as server, WIDE.open("run") as scope:
        await run(way, agent(chat(server, rate_limiter=limiter)), QUESTION)
        assert tokens(scope) == billed(server)


@loopback
@ways
@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("status", [400, 429])
async def test_a_call_that_is_turned_away_costs_a_call_and_no_tokens(way: str, wrapped: bool, status: int) -> None:
    """Trap 30: a client error is the one failure that surely was not billed."""
    with MockOpenAIServer(FIVE, fail_times=1, fail_status=status) as server, WIDE.open("run") as scope:
        work, question = (agent(chat(server)), QUESTION) if wrapped else (chat(server), "one two three four")
        with pytest.raises(openai.APIStatusError, match="request 1 fails by order of fail_times"):
            await run(way, work, question)
        assert_spent(scope, llm_calls=1, input_tokens=0, output_tokens=0, usd="0")
        assert not scope.spent.estimated
        assert not scope.reserved


@loopback
@ways
async def test_a_server_error_outside_of_a_wrapper_is_booked_at_an_estimate(way: str) -> None:
    """Trap 30: what failed on the server may have been worked on."""
    with MockOpenAIServer(FIVE, fail_times=1) as server, WIDE.open("run") as scope, metered(prices=PRICES):
        with pytest.raises(openai.InternalServerError):
            await run(way, chat(server), "one two three four")
        assert scope.spent["llm_calls"] == 1
        assert scope.spent.estimated == {"input_tokens", "total_tokens", "usd"}


@loopback
@ways
@pytest.mark.parametrize("lie", [0.5, 100])
async def test_what_the_provider_says_is_what_is_booked(way: str, lie: float) -> None:
    """Trap 28: there is no other bill; what is more than was reserved is recorded, and the overshoot named."""
    budget = Budget(output_tokens=300)
    with MockOpenAIServer("word " * 20, lie_usage=lie) as server, budget.open("run") as scope:
        await run(way, agent(chat(server), budget), QUESTION)
        assert tokens(scope) == (1, int(4 * lie), int(20 * lie))
        assert scope.overshoot == Spend(output_tokens=max(0, int(20 * lie) - 300))
        assert scope.charges[0].overshoot == scope.overshoot


@loopback
@ways
async def test_a_provider_that_ignores_the_cap_is_recorded_and_the_next_call_refused(way: str) -> None:
    """Trap 27: a limit that only asks may be ignored; the books hold all the same."""
    budget = Budget(output_tokens=40)
    with MockOpenAIServer("word " * 90, ignore_max_tokens=True) as server, budget.open("run") as scope:
        ours = agent(chat(server), budget, at_end="raise")
        await run(way, ours, QUESTION)
        assert scope.overshoot == Spend(output_tokens=50)
        with pytest.raises(BudgetExceeded) as refused:
            await run(way, ours, QUESTION)
        assert (refused.value.resource, refused.value.limit, refused.value.spent) == ("output_tokens", 40, 90)
        assert server.calls == 1


@loopback
@ways
@pytest.mark.parametrize("settings", [{}, {"max_tokens": 1000}])
async def test_a_lowered_cap_reaches_the_wire(way: str, settings: dict[str, Any]) -> None:
    """Trap 37: as max_completion_tokens, whatever the user's own cap."""
    budget = Budget(output_tokens=40)
    with MockOpenAIServer("word " * 90) as server, budget.open("run") as scope:
        with pytest.raises(BudgetExceeded, match="is out of output_tokens"):  # it was cut, and no more can be written
            await run(way, agent(chat(server, **settings), budget, at_end="raise"), QUESTION)
        assert [body["max_completion_tokens"] for body in server.requests] == [40]
        assert "max_tokens" not in server.requests[0]
        assert server.completion_tokens == scope.spent["output_tokens"] == 40


@ways
async def test_the_tool_call_of_a_script_is_not_a_model_call(way: str) -> None:
    """Trap 20: tools run in the same context, and only what a model was asked is a model call."""
    with WIDE.open("run") as scope:
        model = ScriptedChatModel([call("search", query="jaws"), FIVE], name="mock")
        await run(way, agent(model, tools=[search]), QUESTION)
        assert_spent(scope, llm_calls=2, tool_calls=1, tools={"search": 1})


@loopback
def test_a_tool_call_that_a_cap_of_ours_cut_in_mid_stream_is_never_run() -> None:
    """LangChain mends the cut JSON of a stream into a valid call with shortened arguments."""
    ran: list[str] = []

    @tool
    def search(query: str) -> str:
        """Search."""
        ran.append(query)
        return "found"

    wanted = "one two three four five six seven eight nine ten " * 60
    cut = {"id": "c1", "type": "function", "function": {"name": "search", "arguments": json.dumps({"query": wanted})}}
    reply = {"role": "assistant", "content": None, "tool_calls": [cut]}
    with MockOpenAIServer(lambda body: reply if body.get("tools") else "It was 1987.") as server:
        model = ChatOpenAI(model="mock", base_url=server.base_url, api_key=SecretStr("EMPTY"), stream_usage=True)
        agent = create_agent(model, [search], middleware=[BudgetMiddleware(Budget(output_tokens=200))])
        question: Any = {"messages": [("user", "When?")]}
        last = [m for m, _ in agent.stream(question, stream_mode="messages")][-1]
    assert ran == []
    assert last is not None
    assert server.completion_tokens <= 200
