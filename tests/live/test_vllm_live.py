import asyncio
from collections.abc import Callable, Iterable
from functools import reduce
from operator import add
from typing import Any, cast

import httpx
import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    convert_to_openai_messages,
)
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool, tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_openai import ChatOpenAI

from budgetkit.agents import ServerCounters, VllmServer

pytestmark = [pytest.mark.live, pytest.mark.enable_socket, pytest.mark.timeout(300)]

Grown = Callable[[], ServerCounters]

QUESTION = "Which river flows through Paris, and where does it reach the sea?"


@tool
def search(query: str) -> str:
    """Search the passages for a query."""
    return f"Nothing about {query}."


def with_tools(model: ChatOpenAI, tools: list[BaseTool], **settings: Any) -> Runnable[Any, AIMessage]:
    return cast("Any", model).bind_tools(tools, **settings) if tools else model


def usage(message: AIMessage) -> tuple[int, int]:
    """Prompt and completion tokens as the client reports them."""
    assert message.usage_metadata is not None
    return message.usage_metadata["input_tokens"], message.usage_metadata["output_tokens"]


def cache_read(message: AIMessage) -> int:
    assert message.usage_metadata is not None
    return message.usage_metadata.get("input_token_details", {}).get("cache_read", -1)


def total(messages: Iterable[AIMessage]) -> tuple[int, int]:
    prompts, completions = zip(*map(usage, messages), strict=True)
    return sum(prompts), sum(completions)


def joined(chunks: Iterable[AIMessageChunk]) -> AIMessageChunk:
    return reduce(add, chunks)


def tokens(counters: ServerCounters) -> tuple[int, int]:
    return counters.prompt_tokens, counters.generation_tokens


def test_usage_of_plain_calls_equals_the_servers_counters(server: VllmServer, grown: Grown) -> None:
    model = server.chat_model(max_tokens=24)
    answers = [model.invoke(f"{QUESTION} ({number})") for number in range(3)]
    assert tokens(grown()) == total(answers)
    assert grown().requests == 3


async def test_usage_of_concurrent_calls_equals_the_servers_counters(server: VllmServer, grown: Grown) -> None:
    model = server.chat_model(max_tokens=24)
    answers = await asyncio.gather(*(model.ainvoke(f"{QUESTION} ({number})") for number in range(8)))
    assert tokens(await asyncio.to_thread(grown)) == total(answers)


def test_usage_of_a_stream_equals_the_servers_counters(server: VllmServer, grown: Grown) -> None:
    answer = joined(server.chat_model(max_tokens=24).stream(QUESTION))
    assert tokens(grown()) == usage(answer)


async def test_usage_of_an_asynchronous_stream_equals_the_servers_counters(server: VllmServer, grown: Grown) -> None:
    answer = joined([chunk async for chunk in server.chat_model(max_tokens=24).astream(QUESTION)])
    assert tokens(await asyncio.to_thread(grown)) == usage(answer)


def test_one_model_serves_one_event_loop_after_the_other(server: VllmServer) -> None:
    model = server.chat_model(max_tokens=4)
    answers = [asyncio.run(model.ainvoke(QUESTION)) for _ in range(3)]
    assert len({usage(answer)[0] for answer in answers}) == 1


def test_several_answers_to_one_prompt_cost_one_prompt_in_usage_but_several_in_the_counters(
    server: VllmServer, grown: Grown
) -> None:
    result = server.chat_model(max_tokens=12, n=4, temperature=1).generate([[HumanMessage(QUESTION)]])
    assert result.llm_output is not None
    reported = result.llm_output["token_usage"]
    assert tokens(grown()) == (4 * reported["prompt_tokens"], reported["completion_tokens"])


def test_a_stream_that_the_client_breaks_off_stays_below_its_cap(server: VllmServer, grown: Grown) -> None:
    cap = 400
    stream = server.chat_model(max_tokens=cap, extra_body={"ignore_eos": True}).stream(QUESTION)
    seen = [next(stream) for _ in range(5)]
    stream.close()  # type: ignore[attr-defined]  # a generator, declared as an iterator
    assert all(chunk.usage_metadata is None for chunk in seen)
    counted = grown()
    assert 0 < counted.generation_tokens < cap
    assert counted.requests == 0


def test_an_answer_is_never_longer_than_its_cap(server: VllmServer, grown: Grown) -> None:
    answer = server.chat_model(max_tokens=7, extra_body={"ignore_eos": True}).invoke(QUESTION)
    assert usage(answer)[1] == grown().generation_tokens == 7


def count_prompt(server: VllmServer, messages: list[BaseMessage], tools: list[BaseTool]) -> int:
    question = {
        "model": server.model_name,
        "messages": convert_to_openai_messages(messages),
        "tools": [convert_to_openai_tool(one) for one in tools],
    }
    answer = httpx.post(server.url.removesuffix("/v1") + "/tokenize", json=question)
    return int(answer.raise_for_status().json()["count"])


@pytest.mark.parametrize("tools", [[], [search]], ids=["bare", "with tools"])
def test_the_tokenizer_of_the_server_counts_a_prompt_exactly(server: VllmServer, tools: list[BaseTool]) -> None:
    prompt: list[BaseMessage] = [SystemMessage("Be brief."), HumanMessage(QUESTION)]
    answer = with_tools(server.chat_model(max_tokens=4), tools).invoke(prompt)
    assert count_prompt(server, prompt, tools) == usage(answer)[0]


def test_the_chat_template_shows_the_tools(server: VllmServer) -> None:
    model = server.chat_model(max_tokens=4)
    bare, equipped = model.invoke(QUESTION), with_tools(model, [search]).invoke(QUESTION)
    assert usage(equipped)[0] > usage(bare)[0] + 50


def test_a_required_tool_is_called(server: VllmServer) -> None:
    model = with_tools(server.chat_model(max_tokens=200, temperature=0), [search], tool_choice="required")
    answer = model.invoke(QUESTION)
    calls = [*answer.tool_calls, *answer.invalid_tool_calls]
    assert calls
    assert {call["name"] for call in calls} == {"search"}


def test_a_conversation_with_tool_results_is_rendered(server: VllmServer) -> None:
    call = {"name": "search", "args": {"query": "Seine"}, "id": "1"}
    asked = [HumanMessage(QUESTION), AIMessage("", tool_calls=[call])]
    model = server.chat_model(max_tokens=4)
    short = model.invoke([*asked, ToolMessage("The Seine.", tool_call_id="1")])
    long = model.invoke([*asked, ToolMessage("The Seine. " * 20, tool_call_id="1")])
    assert usage(long)[0] > usage(short)[0] + 50


def test_a_prompt_that_comes_again_is_read_from_the_prefix_cache(server: VllmServer, grown: Grown) -> None:
    model = server.chat_model(max_tokens=4)
    prompt = "The prefix cache works in blocks of tokens, so that this prompt has to be long. " * 20
    first, second = model.invoke(prompt), model.invoke(prompt)
    assert cache_read(first) == 0
    assert usage(second)[0] / 2 < cache_read(second) < usage(second)[0]
    assert grown().prefix_cache_hits == cache_read(second)
