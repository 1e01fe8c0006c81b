"""An OpenAI-compatible server on a thread, with its own count of what was asked and what it billed."""

import threading
from types import TracebackType
from typing import Any, Self

from ._server_desk import Desk
from ._server_http import Listener
from ._server_wire import Reply, Switches


class MockOpenAIServer:
    """A local server that speaks the OpenAI chat API, and vLLM's pages beside it, for tests.

    It serves ``/v1/chat/completions`` (streamed or not, tools, ``n``, output caps, ``stream_options``),
    ``/v1/models``, and at the root ``/tokenize``, ``/health`` and ``/metrics``. Tokens are
    whitespace-separated words, of messages, tool calls and tool schemas; ``/tokenize`` counts as the bills do.
    Its counts are the truth that books are held against: they are its own, whatever usage it reports, and
    stay readable when it is stopped. As on vLLM, ``/metrics`` counts a prompt once for each of the ``n``
    choices, the bill only once.

    Args:
        reply: What it answers: a text, a message (``{"content": ..., "tool_calls": [...]}``), or a function
            from the request's body to either. By default it echoes the last message's text.
        model: The name of the served model.
        usage: Report usage; in a stream only when ``stream_options`` asks for it.
        usage_every_chunk: Report the usage so far on every chunk of a stream, asked for or not.
        ignore_max_tokens: Do not honour output caps.
        ignore_tool_choice: Call tools when none was allowed, and do not call them when one was demanded.
        disconnect_after: Hang up after so many chunks of a stream. A reply that is not streamed is billed
            whole and never sent.
        latency: Seconds before a reply begins.
        chunk_latency: Seconds before each chunk of a stream.
        fail_times: So many requests fail at first, unbilled.
        fail_status: The HTTP status of these failures, such as 429 or 500.
        cached_tokens: Report so many prompt tokens (at most all) as read from the cache.
        lie_usage: Report the true usage times this factor.

    Raises:
        ValueError: If a number is negative or ``fail_status`` is not an HTTP error.

    Example:
        >>> server = MockOpenAIServer("four words of answer")
        >>> with server:  # doctest: +SKIP
        ...     ChatOpenAI(base_url=server.base_url, api_key="EMPTY", model="mock").invoke("two words")
        >>> server.calls, server.prompt_tokens, server.completion_tokens  # doctest: +SKIP
        (1, 2, 4)
    """

    def __init__(
        self,
        reply: Reply = None,
        *,
        model: str = "mock",
        usage: bool = True,
        usage_every_chunk: bool = False,
        ignore_max_tokens: bool = False,
        ignore_tool_choice: bool = False,
        disconnect_after: int | None = None,
        latency: float = 0.0,
        chunk_latency: float = 0.0,
        fail_times: int = 0,
        fail_status: int = 500,
        cached_tokens: int = 0,
        lie_usage: float = 1,
    ) -> None:
        switches = Switches(
            usage=usage,
            usage_every_chunk=usage_every_chunk,
            ignore_max_tokens=ignore_max_tokens,
            ignore_tool_choice=ignore_tool_choice,
            disconnect_after=disconnect_after,
            latency=latency,
            chunk_latency=chunk_latency,
            fail_times=fail_times,
            fail_status=fail_status,
            cached_tokens=cached_tokens,
            lie_usage=lie_usage,
        )
        self.model = model
        self._desk = Desk(model, reply, switches)
        self._listener: Listener | None = None
        self._url: str | None = None

    def __enter__(self) -> Self:
        if self._url is not None:
            raise RuntimeError("a mock server runs once: make a new MockOpenAIServer")
        self._listener = Listener(self._desk)
        self._url = f"http://127.0.0.1:{self._listener.server_port}"
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.02,), name="mock-openai")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listener is not None:
            self._listener.close()
            self._thread.join()

    @property
    def url(self) -> str:
        """The root of the server, ``http://127.0.0.1:<port>``.

        Raises:
            RuntimeError: If the server was never started.
        """
        if self._url is None:
            raise RuntimeError("the mock server has no address yet: start it with `with server:`")
        return self._url

    @property
    def base_url(self) -> str:
        """The address for OpenAI clients, ``http://127.0.0.1:<port>/v1``."""
        return f"{self.url}/v1"

    @property
    def requests(self) -> tuple[dict[str, Any], ...]:
        """The parsed bodies of all chat requests, failed ones among them, in the order of arrival."""
        return self._desk.requests

    @property
    def calls(self) -> int:
        """How many chat requests were taken on and billed: failed ones are not, cut ones are."""
        return self._desk["calls"]

    @property
    def prompt_tokens(self) -> int:
        """Prompt tokens billed: once per call, whatever ``n`` is."""
        return self._desk["prompt_tokens"]

    @property
    def completion_tokens(self) -> int:
        """Completion tokens billed: all that were generated, also those that a cut connection lost."""
        return self._desk["completion_tokens"]

    @property
    def max_in_flight(self) -> int:
        """The most chat requests that were being served at the same time."""
        return self._desk["max_in_flight"]

    def wait_idle(self, timeout: float = 10.0) -> None:
        """Wait until no chat request is being served, so that the counts stand still.

        Raises:
            TimeoutError: If that takes longer than ``timeout`` seconds.
        """
        if not self._desk.wait_idle(timeout):
            raise TimeoutError(f"the mock server was still serving after {timeout:g} s")
