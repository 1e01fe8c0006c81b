"""Inside an open scope everything that LangChain runs is on the books by itself, each call once.

The truth is the mock server's own count.
"""

import asyncio
import gc
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain_core.language_models import BaseLLM, FakeListChatModel
from langchain_core.messages import AIMessageChunk, HumanMessage
from langchain_core.outputs import Generation, LLMResult
from langchain_core.runnables import RunnableLambda, RunnableParallel
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import START, StateGraph  # pyright: ignore[reportMissingTypeStubs]  # it has types of its own
from pydantic import BaseModel, PrivateAttr, SecretStr

from budgetkit import Budget, BudgetExceeded, ModelPrice, PriceBook, Scope
from budgetkit.plugins import METER, BudgetMeter, BudgetMiddleware, metered
from budgetkit.testing import MockOpenAIServer, ScriptedChatModel, assert_spent

loopback = pytest.mark.enable_socket
PROMPT, FIVE = "one two three four", "five words are the answer"
PRICES = PriceBook(models={"mock": ModelPrice(input="1", output="2")})
WIDE = Budget(llm_calls=1000, total_tokens=1_000_000)


@pytest.fixture(autouse=True)
def nothing_under_way() -> None:
    """Forget calls that earlier tests gave up waiting for: their threads may still run."""
    METER._watched.clear()


def chat(server: MockOpenAIServer, **settings: Any) -> ChatOpenAI:
    options: dict[str, Any] = {"model": "mock", "stream_usage": True} | settings
    return ChatOpenAI(base_url=server.base_url, api_key=SecretStr("EMPTY"), **options)


def assert_exact(scope: Scope, server: MockOpenAIServer, calls: int) -> None:
    """The books are the server's own, and nothing is left under way."""
    spent, billed = server.prompt_tokens + server.completion_tokens, server.calls
    assert (scope.spent["llm_calls"], scope.spent["total_tokens"], len(scope.charges)) == (billed, spent, billed)
    assert_spent(scope, input_tokens=server.prompt_tokens, output_tokens=server.completion_tokens)
    assert not scope.spent.estimated
    assert server.calls == calls
    assert not METER._watched


class Verdict(BaseModel):
    """A verdict."""

    text: str


class Text(TypedDict):
    text: str


async def each(model: ChatOpenAI) -> None:
    model.invoke(PROMPT)
    await model.ainvoke(PROMPT)


async def streamed(model: ChatOpenAI) -> None:
    list(model.stream(PROMPT))
    [_ async for _ in model.astream(PROMPT)]


async def batched(model: ChatOpenAI) -> None:
    model.batch([PROMPT] * 5)
    await model.abatch([PROMPT] * 5)


async def generated(model: ChatOpenAI) -> None:
    model.generate([[HumanMessage(PROMPT)], [HumanMessage("one two")]])
    await model.agenerate([[HumanMessage(PROMPT)], [HumanMessage("one two")]])


async def structured(model: ChatOpenAI) -> None:
    asked = model.with_structured_output(Verdict, method="function_calling")
    asked.invoke(PROMPT)
    await asked.ainvoke(PROMPT)


async def in_parallel(model: ChatOpenAI) -> None:
    fan = RunnableParallel(a=model, b=model, c=RunnableLambda(model.invoke))
    fan.invoke(PROMPT)
    await fan.ainvoke(PROMPT)


async def in_nodes(model: ChatOpenAI) -> None:
    async def second(state: Text) -> Text:
        return {"text": (await model.ainvoke(state["text"])).text}

    def first(state: Text) -> Text:
        return {"text": model.invoke(state["text"]).text}

    graph: Any = StateGraph(Text)
    graph.add_node("first", first).add_node("second", second).add_edge(START, "first").add_edge("first", "second")
    await graph.compile().ainvoke({"text": PROMPT})


async def in_an_agent(model: ChatOpenAI) -> None:
    bare: Any = create_agent(model)
    bare.invoke({"messages": [("user", PROMPT)]})
    list(bare.stream({"messages": [("user", PROMPT)]}, stream_mode="messages"))
    [_ async for _ in bare.astream({"messages": [("user", PROMPT)]}, stream_mode="messages")]


async def in_tasks(model: ChatOpenAI) -> None:
    async with asyncio.TaskGroup() as tasks:
        for _ in range(8):
            tasks.create_task(model.ainvoke(PROMPT))


async def in_threads(model: ChatOpenAI) -> None:
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(copy_context().run, model.invoke, PROMPT) for _ in range(8)]:
            future.result()


@loopback
@pytest.mark.parametrize(
    ("work", "calls"),
    [
        (each, 2),
        (streamed, 2),
        (batched, 10),
        (generated, 4),
        (structured, 2),
        (in_parallel, 6),
        (in_nodes, 2),
        (in_an_agent, 3),
        (in_tasks, 8),
        (in_threads, 8),
    ],
)
async def test_what_langchain_runs_in_a_scope_is_on_its_books(work: Callable[[Any], Any], calls: int) -> None:
    with MockOpenAIServer(FIVE) as server, WIDE.open("run") as scope:
        await work(chat(server))
        assert_exact(scope, server, calls)


@loopback
@pytest.mark.filterwarnings("ignore:.*in beta.*")
@pytest.mark.parametrize("every_chunk", [False, True])
async def test_a_stream_of_events_is_on_the_books(every_chunk: bool) -> None:
    with MockOpenAIServer(FIVE, usage_every_chunk=every_chunk) as server, WIDE.open("run") as scope:
        model = chat(server)
        assert model.stream_events(PROMPT, version="v3").output.text == FIVE
        pieces = await model.astream_events(PROMPT, version="v3")
        assert (await pieces.output).text == FIVE
        while METER._watched:  # noqa: ASYNC110 - the answer is out before the run has ended, and nothing tells
            await asyncio.sleep(0)
        assert_exact(scope, server, 2)


@loopback
@pytest.mark.filterwarnings("ignore:.*in beta.*")
def test_a_stream_of_events_that_is_dropped_is_booked_at_an_estimate() -> None:
    with MockOpenAIServer("word " * 50) as server, WIDE.open("run") as scope:
        pieces = chat(server).stream_events(PROMPT, version="v3")
        next(iter(pieces.text))
        assert not scope.charges
        del pieces
        gc.collect()
        assert scope.spent["llm_calls"] == 1
        assert "input_tokens" in scope.spent.estimated
        assert not METER._watched


@loopback
async def test_a_call_counts_once_on_each_of_two_nested_scopes() -> None:
    with MockOpenAIServer(FIVE) as server, WIDE.open("outer") as outer:
        await each(chat(server))
        with Budget(llm_calls=10).open("inner") as inner:
            await each(chat(server))
        assert_exact(outer, server, 4)
        assert_spent(inner, llm_calls=2, input_tokens=8, output_tokens=10)


@loopback
@pytest.mark.parametrize("meter", [METER, BudgetMeter()])
@pytest.mark.parametrize("wrapped", [True, False])
async def test_a_callback_given_by_hand_does_not_count_twice(meter: BudgetMeter, wrapped: bool) -> None:
    with MockOpenAIServer(FIVE) as server, WIDE.open("run") as scope:
        for settings in ({}, {"callbacks": [meter]}):
            model = chat(server, **settings)
            work: Any = create_agent(model, middleware=[BudgetMiddleware(WIDE, tracker=False)]) if wrapped else model
            question: Any = {"messages": [("user", PROMPT)]} if wrapped else PROMPT
            work.invoke(question, {"callbacks": [meter, meter]})
            await work.ainvoke(question, {"callbacks": [meter]})
        assert_exact(scope, server, 4)


@loopback
async def test_a_sub_agent_with_a_budget_of_its_own_counts_once_above() -> None:
    inner = Budget(llm_calls=5)
    with MockOpenAIServer(FIVE) as server, WIDE.open("run") as scope:
        agent: Any = create_agent(chat(server), middleware=[BudgetMiddleware(inner, tracker=False)])

        @tool
        def ask(question: str) -> str:
            """Ask the helper."""
            return str(agent.invoke({"messages": [("user", question)]})["messages"][-1].text)

        ask.invoke({"question": PROMPT})
        await ask.ainvoke({"question": PROMPT})
        assert_exact(scope, server, 2)


@loopback
async def test_nothing_is_touched_outside_of_a_scope() -> None:
    with MockOpenAIServer(FIVE) as server:
        model = chat(server)
        with WIDE.open("run") as scope:
            pass
        await each(model)
        model.invoke(PROMPT, {"callbacks": [METER]})
        assert server.calls == 3
        assert not scope.charges
        assert not METER._watched


@loopback
def test_a_stream_belongs_to_the_scope_in_which_it_started() -> None:
    with MockOpenAIServer(FIVE) as server:
        with WIDE.open("run") as scope:
            pieces = chat(server).stream(PROMPT)
            text = str(next(pieces).text)
        text += "".join(piece.text for piece in pieces)
        assert text == FIVE
        assert_exact(scope, server, 1)


@loopback
@pytest.mark.parametrize("ending", ["closed", "dropped", "failed"])
def test_a_stream_that_ends_early_is_booked_and_forgotten(ending: str) -> None:
    with MockOpenAIServer("word " * 50) as server, WIDE.open("run") as scope:
        pieces: Any = chat(server).stream(PROMPT)
        next(pieces)
        if ending == "failed":
            with pytest.raises(KeyError):
                pieces.throw(KeyError("of the reader"))
        elif ending == "closed":
            pieces.close()
        del pieces
        gc.collect()
        assert scope.spent["llm_calls"] == 1
        assert scope.spent.estimated >= {"input_tokens", "output_tokens"}
        assert not METER._watched


def test_a_tool_call_in_a_cut_stream_is_part_of_the_estimate() -> None:
    class Cut(FakeListChatModel):
        def _stream(self, *args: Any, **kwargs: Any) -> Any:
            piece = {"name": "search", "args": '{"query": "' + "jaws " * 40, "id": "c", "index": 0}
            for chunk in super()._stream(*args, **kwargs):
                chunk.message = AIMessageChunk(content="", tool_call_chunks=[piece])  # type: ignore[list-item]
                yield chunk
                raise ConnectionError("cut")

    with WIDE.open("run") as scope:
        with pytest.raises(ConnectionError):
            list(Cut(responses=[FIVE]).stream(PROMPT))
        assert scope.spent.as_units()["output_tokens"] >= 40


def test_a_model_without_usage_is_booked_at_an_estimate_and_warns_once() -> None:
    model = ScriptedChatModel([FIVE] * 3, usage=False, name="silent")
    with WIDE.open("run") as scope:
        with pytest.warns(UserWarning, match="model 'silent' sent no usage, so its calls are booked at") as warned:
            model.batch([PROMPT] * 3)
        assert len(warned) == 1
        assert scope.spent["llm_calls"] == 3
        assert scope.spent.estimated == {"input_tokens", "output_tokens", "total_tokens"}
        assert scope.spent.as_units()["output_tokens"] >= 15


class Completions(BaseLLM):
    """A text-completion model that sends all prompts in one request, as OpenAI's does."""

    told: bool = True
    _requests: int = PrivateAttr(default=0)

    @property
    def _llm_type(self) -> str:
        return "completions"

    def _generate(self, prompts: list[str], *_: Any, **__: Any) -> LLMResult:
        self._requests += 1
        read, written = sum(len(prompt.split()) for prompt in prompts), 5 * len(prompts)
        usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
        output = {"token_usage": usage if self.told else {}}
        return LLMResult(generations=[[Generation(text=FIVE)] for _ in prompts], llm_output=output)


@pytest.mark.parametrize("prompts", [[PROMPT], [PROMPT] * 3])
async def test_a_completion_model_is_on_the_books(prompts: Sequence[str]) -> None:
    with WIDE.open("run") as scope:
        Completions().batch([*prompts])
        await Completions().abatch([*prompts])
        many = 2 * len(prompts)
        assert_spent(scope, llm_calls=many, input_tokens=4 * many, output_tokens=5 * many)
        assert not scope.spent.estimated
        assert not METER._watched


@pytest.mark.filterwarnings("ignore:model 'unknown' sent no usage")
def test_a_completion_model_without_usage_is_booked_at_an_estimate() -> None:
    with WIDE.open("run") as scope:
        Completions(told=False).batch([PROMPT, PROMPT])
        assert scope.spent["llm_calls"] == 2
        assert scope.spent.as_units()["input_tokens"] >= 8
        assert scope.spent.estimated >= {"input_tokens", "output_tokens"}


@loopback
async def test_a_bare_scope_is_priced_as_its_user_says() -> None:
    with MockOpenAIServer(FIVE) as server, WIDE.open("run") as scope, metered(prices=PRICES):
        await each(chat(server))
        assert_spent(scope, usd="0.000028")


@loopback
async def test_a_model_without_a_price_leaves_the_dollars_unknown() -> None:
    with MockOpenAIServer(FIVE) as server, WIDE.open("run") as scope:
        await each(chat(server))
        assert scope.spent["usd"] is None
        assert_exact(scope, server, 2)


@loopback
async def test_the_innermost_prices_count() -> None:
    dear = PriceBook(models={"mock": ModelPrice(input="100", output="200")})
    with MockOpenAIServer(FIVE) as server, WIDE.open("run") as scope, metered(prices=PRICES):
        with metered(prices=dear):
            chat(server).invoke(PROMPT)
        chat(server).invoke(PROMPT)
        assert_spent(scope, usd="0.001414")


def test_a_metered_call_is_never_refused_and_the_next_reservation_is() -> None:
    budget = Budget(llm_calls=2)
    with budget.open("run") as scope:
        ScriptedChatModel([FIVE] * 3).batch([PROMPT] * 3)
        assert_spent(scope.overshoot, llm_calls=1)
        with pytest.raises(BudgetExceeded):
            scope.reserve(scope.overshoot)


IMPORTS = """
import sys
{before}
from budgetkit import Budget
assert "budgetkit.plugins" not in sys.modules
with Budget(llm_calls=5).open("run") as run:
    from langchain_core.language_models import FakeListChatModel
    {inside}
    FakeListChatModel(responses=["five words are the answer"]).invoke("one two three four")
    print(run.spent["llm_calls"])
"""


@pytest.mark.parametrize(
    ("before", "inside"),
    [
        ("import langchain_core.callbacks", ""),
        ("from langchain_core.language_models import FakeListChatModel", ""),
        ("", "import budgetkit.plugins"),
    ],
)
def test_a_scope_brings_the_meter_along(before: str, inside: str) -> None:
    program = IMPORTS.format(before=before, inside=inside)
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)  # noqa: S603 - our own interpreter
    assert done.stdout == "1\n"


def test_a_scope_without_langchain_loads_nothing_of_it() -> None:
    program = (
        "import sys; from budgetkit import Budget\n"
        "with Budget(llm_calls=1).open('run'): pass\n"
        "assert not {'langchain_core', 'budgetkit.plugins', 'tiktoken'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603 - our own interpreter
