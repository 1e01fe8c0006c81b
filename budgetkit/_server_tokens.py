"""Counting by asking the server that will answer: exact, template and tools included."""

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

from ._tiktoken_counter import default_counter
from ._tokens import Message, TokenCount, TokenCounter, as_json

__all__ = ["ServerCounter"]

_PROMPTS_KEPT = 1024
_SECONDS_TO_LEAVE_A_SILENT_SERVER_ALONE = 30.0


class ServerCounter:
    """Asks the `/tokenize` of a vLLM server, which counts as its model will.

    A prompt that was counted before is not asked for again. Where the server does not answer, `fallback` counts, and
    the label of the count says so; a server that cannot be reached is left alone for 30 seconds. Safe to share
    between threads and tasks.

    Args:
        url: The server, with or without the `/v1` of its API.
        model: The name under which the server serves the model.
        fallback: Counts when the server does not; default: `default_counter()`.
        timeout: Seconds to wait for an answer.

    Raises:
        ValueError: If `url` is no http(s) URL.
    """

    def __init__(self, url: str, model: str, *, fallback: TokenCounter | None = None, timeout: float = 5.0) -> None:
        if not re.match(r"https?://[^/]", url):
            raise ValueError(f"url must be like http://host:8000, not {url!r}")
        self._endpoint = re.sub(r"(/v1)?/*$", "", url) + "/tokenize"
        self._model = model
        self._fallback = fallback or default_counter()
        self._timeout = timeout
        self._counted: OrderedDict[bytes, int] = OrderedDict()
        self._lock = Lock()  # the order of `_counted` changes on every look
        self._silent_until = 0.0

    def count(
        self, messages: Sequence[Message], *, tools: Sequence[Mapping[str, Any]] = (), model: str | None = None
    ) -> TokenCount:
        """Count OpenAI-style messages and tool definitions as one prompt of the server's model.

        `model` is for the fallback only.
        """
        body = self._request_body(messages, tools)
        tokens = self._known(body)
        if tokens is None:
            tokens = self._ask(body)
        if tokens is None:
            return self._fallback.count(messages, tools=tools, model=model or self._model)
        return TokenCount(tokens, "exact")

    async def acount(
        self, messages: Sequence[Message], *, tools: Sequence[Mapping[str, Any]] = (), model: str | None = None
    ) -> TokenCount:
        """Do what `count` does, asking from a thread."""
        import asyncio  # noqa: PLC0415  # slow to import, and loaded wherever this is awaited

        body = self._request_body(messages, tools)
        tokens = self._known(body)
        if tokens is None:
            tokens = await asyncio.to_thread(self._ask, body)
        if tokens is None:
            return await self._fallback.acount(messages, tools=tools, model=model or self._model)
        return TokenCount(tokens, "exact")

    def _request_body(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> bytes:
        request: dict[str, Any] = {"model": self._model, "messages": list(messages), "add_generation_prompt": True}
        if tools:
            request["tools"] = list(tools)
        return as_json(request).encode("utf-8", "replace")

    def _known(self, body: bytes) -> int | None:
        key = _key(body)
        with self._lock:
            if key in self._counted:
                self._counted.move_to_end(key)
            return self._counted.get(key)

    def _ask(self, body: bytes) -> int | None:
        from ._tokenize_http import ask_for_count  # noqa: PLC0415  # HTTP is slow to import

        if time.monotonic() < self._silent_until:
            return None
        try:
            tokens = ask_for_count(self._endpoint, body, self._timeout)
        except ConnectionError:
            self._silent_until = time.monotonic() + _SECONDS_TO_LEAVE_A_SILENT_SERVER_ALONE
            return None
        if tokens is not None:
            self._remember(body, tokens)
        return tokens

    def _remember(self, body: bytes, tokens: int) -> None:
        with self._lock:
            self._counted[_key(body)] = tokens
            while len(self._counted) > _PROMPTS_KEPT:
                self._counted.popitem(last=False)


def _key(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()
