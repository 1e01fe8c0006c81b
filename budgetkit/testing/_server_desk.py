"""The mock server's own books: what was asked, what is being served, what was billed."""

import json
import threading
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from . import _server_wire as wire


class Desk:
    """Counts, under one lock, for all threads that serve; and the switches and the reply that they share."""

    def __init__(self, model: str, reply: wire.Reply, switches: wire.Switches) -> None:
        self.model, self.reply, self.switches = model, reply, switches
        self.closing = threading.Event()
        self._counts: Counter[str] = Counter()
        self._requests: list[dict[str, Any]] = []
        self._changed = threading.Condition()

    def __getitem__(self, name: str) -> int:
        with self._changed:
            return self._counts[name]

    @property
    def requests(self) -> tuple[dict[str, Any], ...]:
        """The parsed bodies of all chat requests, failed ones among them."""
        with self._changed:
            return tuple(self._requests)

    def count(self, **amounts: int) -> None:
        """Add to the counts."""
        with self._changed:
            self._counts.update(amounts)

    @contextmanager
    def serving(self, body: dict[str, Any]) -> Generator[int]:
        """Record a chat request for as long as it is served; yields its number, starting at 1."""
        with self._changed:
            self._requests.append(body)
            number = len(self._requests)
            self._counts["in_flight"] += 1
            self._counts["max_in_flight"] = max(self._counts["in_flight"], self._counts["max_in_flight"])
        try:
            yield number
        finally:
            with self._changed:
                self._counts["in_flight"] -= 1
                self._changed.notify_all()

    def wait_idle(self, timeout: float) -> bool:
        """Wait until nothing is being served; ``False`` if that took longer than ``timeout`` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._counts["in_flight"], timeout)

    def bill_prompt(self, body: wire.Body) -> int:
        """Bill one call and its prompt; returns the prompt's tokens."""
        prompt = wire.count_prompt(body)
        cached = min(self.switches.cached_tokens, prompt)
        computed = prompt * (body.get("n") or 1)  # vLLM's page counts the prompt once for each choice
        self.count(calls=1, prompt_tokens=prompt, computed_prompt_tokens=computed, cached_tokens=cached)
        return prompt

    def bill_choices(self, choices: Sequence[wire.Choice]) -> int:
        """Bill whole choices; returns their tokens."""
        tokens = sum(len(choice.deltas) for choice in choices)
        self.count(completion_tokens=tokens)
        return tokens

    def metrics(self) -> str:
        """The counts as vLLM's ``/metrics`` page gives them."""
        return wire.metrics_page(
            self.model,
            {
                "num_requests_running": ("gauge", self["in_flight"]),
                "prompt_tokens": ("counter", self["computed_prompt_tokens"]),
                "prompt_tokens_cached": ("counter", self["cached_tokens"]),
                "generation_tokens": ("counter", self["completion_tokens"]),
                "request_success": ("counter", self["finished"]),
            },
        )

    def tokenize(self, body: wire.Body, max_model_len: int) -> dict[str, Any]:
        """Answer ``/tokenize`` for a prompt, or for messages and tools."""
        count = wire.count_words(body["prompt"]) if "prompt" in body else wire.count_prompt(body)
        return {"count": count, "max_model_len": max_model_len, "tokens": list(range(count))}


def stream(desk: Desk, head: wire.Body, body: wire.Body, prompt: int) -> Iterator[dict[str, Any]]:
    """Generate the chunks of one streamed reply, billing each token at the moment it is generated."""
    switches = desk.switches
    options: wire.Body = body.get("stream_options") or {}
    every = switches.usage and (switches.usage_every_chunk or options.get("continuous_usage_stats"))
    told = switches.usage and (every or options.get("include_usage"))
    generated = 0
    for piece in wire.stream_deltas(wire.make_choices(body, desk.reply, switches)):
        desk.closing.wait(switches.chunk_latency)
        if piece[2] is None:
            generated += 1
            desk.count(completion_tokens=1)
        yield wire.chunk(head, [piece], wire.usage_block(prompt, generated, switches) if every else None)
    if told:
        yield wire.chunk(head, [], wire.usage_block(prompt, generated, switches))


def sse(event: dict[str, Any]) -> bytes:
    """Write one server-sent event."""
    return f"data: {json.dumps(event)}\n\n".encode()
