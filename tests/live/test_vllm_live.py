import asyncio
from collections.abc import Callable, Iterable
from functools import reduce
from operator import add
from typing import Any

import httpx
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool

from budgetkit.agents import ServerCounters, VllmServer

pytestmark = [pytest.mark.live, pytest.mark.enable_socket, pytest.mark.timeout(300)]

Grown = Callable[[], ServerCounters]

QUESTION = "Which river flows through Paris, and where does it reach the sea?"


@tool
def search(query: str) -> str:
    """Search the passages for a query."""
    return f"Nothing about {query}."


def usage(message: AIMessage) -> tuple[int, int]:
    """Prompt and completion tokens as the client reports them."""
    assert message.usage_metadata is not None
    return message.usage_metadata["input_tokens"], message.usage_metadata["output_tokens"]


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


def count_prompt(server: VllmServer, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> int:
    question = {"model": server.model_name, "messages": messages, "tools": tools}
    answer = httpx.post(server.url.removesuffix("/v1") + "/tokenize", json=question)
    return int(answer.raise_for_status().json()["count"])


@pytest.mark.parametrize("tools", [[], [search]], ids=["bare", "with tools"])
def test_the_tokenizer_of_the_server_counts_a_prompt_exactly(server: VllmServer, tools: list[Any]) -> None:
    model = server.chat_model(max_tokens=4)
    bound = model.bind_tools(tools) if tools else model
    sent = model._get_request_payload([SystemMessage("Be brief."), HumanMessage(QUESTION)])
    schemas = bound.kwargs["tools"] if tools else []  # type: ignore[union-attr]  # bind_tools returns a binding
    answer = bound.invoke([SystemMessage("Be brief."), HumanMessage(QUESTION)])
    assert count_prompt(server, sent["messages"], schemas) == usage(answer)[0]


def test_the_chat_template_shows_the_tools(server: VllmServer) -> None:
    model = server.chat_model(max_tokens=4)
    bare, with_tools = model.invoke(QUESTION), model.bind_tools([search]).invoke(QUESTION)
    assert usage(with_tools)[0] > usage(bare)[0] + 50


def test_a_required_tool_is_called(server: VllmServer) -> None:
    model = server.chat_model(max_tokens=200, temperature=0).bind_tools([search], tool_choice="required")
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
    cached = [
        (answer.usage_metadata or {}).get("input_token_details", {}).get("cache_read") for answer in (first, second)
    ]
    assert cached[0] == 0
    assert cached[1] is not None
    assert usage(second)[0] / 2 < cached[1] < usage(second)[0]
    assert grown().prefix_cache_hits == cached[1]
