import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, cast

import httpx
import openai
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages.ai import AIMessageChunk, add_ai_message_chunks
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from budgetkit.testing import MockOpenAIServer

pytestmark = pytest.mark.enable_socket

SEARCH = {"content": None, "tool_calls": [{"function": {"name": "search", "arguments": '{"query": "a b"}'}}]}


@tool
def search(query: str) -> str:
    """Search the corpus."""
    return query


def chat(server: MockOpenAIServer, **settings: Any) -> BaseChatModel:
    key = SecretStr("EMPTY")
    return ChatOpenAI(base_url=server.base_url, api_key=key, model="mock", max_retries=0, **settings)


def post(server: MockOpenAIServer, text: str = "one two", **body: Any) -> httpx.Response:
    asked = {"messages": [{"role": "user", "content": text}], **body}
    return httpx.post(f"{server.base_url}/chat/completions", json=asked, timeout=30)


def events(server: MockOpenAIServer, text: str = "one two", **body: Any) -> Iterator[dict[str, Any]]:
    asked = {"messages": [{"role": "user", "content": text}], "stream": True, **body}
    with httpx.stream("POST", f"{server.base_url}/chat/completions", json=asked) as response:
        for line in response.iter_lines():
            if line and line != "data: [DONE]":
                yield json.loads(line.removeprefix("data: "))


def bill(server: MockOpenAIServer) -> tuple[int, int, int]:
    return server.calls, server.prompt_tokens, server.completion_tokens


def test_the_last_message_is_echoed_and_billed_by_words() -> None:
    with MockOpenAIServer() as server:
        message = chat(server).invoke("three plain words")
    assert message.text == "three plain words"
    assert message.usage_metadata is not None
    assert message.usage_metadata["total_tokens"] == 6
    assert bill(server) == (1, 3, 3)


def test_the_reply_can_be_worked_out_from_the_request() -> None:
    with MockOpenAIServer(lambda body: f"asked by {body['user']}") as server:
        assert post(server, user="me").json()["choices"][0]["message"]["content"] == "asked by me"
    assert server.requests[0]["user"] == "me"


def test_a_stream_says_the_same_and_reports_usage_only_when_asked() -> None:
    with MockOpenAIServer("a b c") as server:
        texts = [piece.text for piece in chat(server).stream("hi")]
        last = [piece for piece in chat(server, stream_usage=True).stream("hi") if piece.usage_metadata]
        plain = list(events(server))
    assert "".join(texts) == "a b c"
    assert [piece.usage_metadata["output_tokens"] for piece in last if piece.usage_metadata] == [3]
    assert not [event for event in plain if "usage" in event]
    assert bill(server) == (3, 4, 9)


def test_usage_can_be_missing_altogether() -> None:
    with MockOpenAIServer("a b", usage=False) as server:
        whole = post(server).json()
        streamed = list(events(server, stream_options={"include_usage": True}))
    assert "usage" not in whole
    assert not [event for event in streamed if "usage" in event]
    assert bill(server) == (2, 4, 4)


def test_usage_on_every_chunk_is_cumulative() -> None:
    with MockOpenAIServer("a b c", usage_every_chunk=True) as server:
        told = [event["usage"]["completion_tokens"] for event in events(server)]
    assert told == [1, 2, 3, 3, 3]


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_an_output_cap_is_honoured(name: str) -> None:
    cap: dict[str, Any] = {name: 2}
    with MockOpenAIServer("a b c") as server:
        choice = post(server, **cap).json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("a b", "length")
    assert server.completion_tokens == 2


def test_an_output_cap_can_be_ignored() -> None:
    with MockOpenAIServer("a b c", ignore_max_tokens=True) as server:
        assert post(server, max_tokens=1).json()["usage"]["completion_tokens"] == 3
    assert server.completion_tokens == 3


def test_n_choices_bill_the_prompt_once_and_the_metrics_page_n_times() -> None:
    with MockOpenAIServer("a b c") as server:
        answer = post(server, n=4).json()
        page = httpx.get(f"{server.url}/metrics").text
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3]
    assert bill(server) == (1, 2, 12)
    assert 'vllm:prompt_tokens_total{engine="0",model_name="mock"} 8.0\n' in page
    assert 'vllm:generation_tokens_total{engine="0",model_name="mock"} 12.0\n' in page


def test_tool_calls_arrive_whole_streamed_or_not() -> None:
    with MockOpenAIServer(SEARCH) as server:
        bound = chat(server).bind_tools([search])
        whole = bound.invoke("hi")
        streamed = add_ai_message_chunks(*cast("list[AIMessageChunk]", list(bound.stream("hi"))))
    for message in (whole, streamed):
        assert [(c["name"], c["args"]) for c in message.tool_calls] == [("search", {"query": "a b"})]
    assert server.completion_tokens == 8


def test_a_tool_call_that_the_cap_cuts_is_broken_json() -> None:
    with MockOpenAIServer(SEARCH) as server:
        message = chat(server).bind_tools([search]).invoke("hi", max_tokens=3)
    assert [c["args"] for c in message.invalid_tool_calls] == ['{"query": "a']


@pytest.mark.parametrize(("ignored", "calls"), [(False, 0), (True, 1)])
def test_tools_are_not_called_when_none_is_allowed_unless_that_is_ignored(ignored: bool, calls: int) -> None:
    with MockOpenAIServer(SEARCH, ignore_tool_choice=ignored) as server:
        message = chat(server).bind_tools([search], tool_choice="none").invoke("hi")
    assert len(message.tool_calls) == calls


@pytest.mark.parametrize("choice", ["any", "search"])
def test_a_demanded_tool_is_called_with_the_reply_as_its_argument(choice: str) -> None:
    with MockOpenAIServer("jaws film") as server:
        message = chat(server).bind_tools([search], tool_choice=choice).invoke("hi")
    assert [(c["name"], c["args"]) for c in message.tool_calls] == [("search", {"query": "jaws film"})]


def test_tool_schemas_cost_tokens_and_tokenize_counts_as_the_bill_does() -> None:
    with MockOpenAIServer("a") as server:
        chat(server).bind_tools([search]).invoke("one two")
        body = {key: server.requests[0][key] for key in ("messages", "tools")}
        counted = httpx.post(f"{server.url}/tokenize", json=body).json()
        prompt = httpx.post(f"{server.url}/tokenize", json={"prompt": "one two three"}).json()
    assert counted["count"] == server.prompt_tokens > 2
    assert (prompt["count"], prompt["max_model_len"]) == (3, 32768)


def test_a_stream_that_the_server_cuts_is_billed_as_far_as_it_went() -> None:
    with MockOpenAIServer("a b c d", disconnect_after=2) as server:
        stream = events(server)
        got = [next(stream)["choices"][0]["delta"]["content"] for _ in range(2)]
        with pytest.raises(httpx.RemoteProtocolError):
            next(stream)
    assert got == ["a", " b"]
    assert bill(server) == (1, 2, 2)


def test_a_whole_reply_that_the_server_cuts_is_billed_whole() -> None:
    with MockOpenAIServer("a b c d", disconnect_after=0) as server, pytest.raises(httpx.RemoteProtocolError):
        post(server)
    assert bill(server) == (1, 2, 4)


def test_a_stream_that_the_client_cuts_is_not_generated_to_its_end() -> None:
    with MockOpenAIServer("word " * 500, chunk_latency=0.001) as server:
        stream = events(server)
        next(stream)
        stream.close()  # type: ignore[attr-defined] # a generator has it
        server.wait_idle()
        assert 0 < server.completion_tokens < 500


def test_the_first_requests_can_fail_unbilled() -> None:
    with MockOpenAIServer("a", fail_times=2, fail_status=429) as server:
        with pytest.raises(openai.RateLimitError, match="request 1 fails by order of fail_times"):
            chat(server).invoke("hi")
        assert post(server).status_code == 429
        assert post(server).status_code == 200
    assert (len(server.requests), server.calls) == (3, 1)


def test_cached_tokens_and_false_usage_are_reported_but_not_billed() -> None:
    with MockOpenAIServer("a b", cached_tokens=3, lie_usage=0.5) as server:
        usage = post(server, "one two three four").json()["usage"]
    assert usage == {
        "prompt_tokens": 2,
        "completion_tokens": 1,
        "total_tokens": 3,
        "prompt_tokens_details": {"cached_tokens": 2},
    }
    assert bill(server) == (1, 4, 2)


def test_the_most_requests_in_flight_are_counted() -> None:
    all_there = Barrier(8, timeout=30)

    def reply(_: Any) -> str:
        all_there.wait()
        return "a"

    with MockOpenAIServer(reply) as server, ThreadPoolExecutor(8) as pool:
        list(pool.map(post, [server] * 8))
    assert server.max_in_flight == 8
    assert server.calls == 8


def test_the_pages_of_a_server_are_there() -> None:
    with MockOpenAIServer(model="tiny") as server:
        assert httpx.get(f"{server.url}/health").status_code == 200
        models = httpx.get(f"{server.base_url}/models").json()
        assert [model["id"] for model in models["data"]] == ["tiny"]
        assert httpx.get(f"{server.url}/nothing").status_code == 404


@pytest.mark.parametrize("sent", [b"not json", b"[]", b"{}"])
def test_a_broken_body_is_refused(sent: bytes) -> None:
    with MockOpenAIServer() as server:
        refused = httpx.post(f"{server.base_url}/chat/completions", content=sent)
    assert refused.status_code == 400
    assert refused.json()["error"]["message"] == "the body must be a JSON object with messages"
    assert server.requests == ()


def test_a_stopped_server_does_not_answer_and_kept_connections_do_not_hold_it() -> None:
    with httpx.Client() as client:
        with MockOpenAIServer() as server:
            client.get(f"{server.url}/health")
        with pytest.raises(httpx.TransportError):
            client.get(f"{server.url}/health")


def test_an_address_needs_a_running_server() -> None:
    message = "the mock server has no address yet: start it with `with server:`"
    with pytest.raises(RuntimeError, match=f"^{re.escape(message)}$"):
        MockOpenAIServer().url  # noqa: B018 - reading it is the test


@pytest.mark.parametrize(
    ("switch", "message"),
    [
        ({"latency": -1}, "latency=-1 must be >= 0"),
        ({"fail_status": 200}, "fail_status=200 is not an HTTP error: use 400 to 599"),
    ],
)
def test_what_no_server_does_is_refused(switch: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        MockOpenAIServer(**switch)
