"""What a model call used, read from what LangChain hands back; each trap of the numbers has its line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.outputs import LLMResult

from budgetkit import Usage

__all__ = ["StreamUsage", "from_message", "from_result", "is_cache_hit"]


def from_result(result: LLMResult) -> Usage | None:
    """The usage of the whole request, counted once; None if the provider did not say.

    With n > 1 each generation carries the whole request's usage, so the request's own total comes first.
    """
    total: Mapping[str, Any] = (result.llm_output or {}).get("token_usage") or {}
    if total.get("prompt_tokens") or total.get("completion_tokens"):
        return Usage.from_openai(total)
    message = _first_message(result)
    return from_message(message) if message else None


def from_message(message: AIMessage) -> Usage | None:
    """The usage that a message carries; None if it carries none, or only zeros (a server that was not asked)."""
    usage: Mapping[str, Any] = message.usage_metadata or {}
    if not usage.get("input_tokens") and not usage.get("output_tokens"):
        return None
    return Usage.from_langchain(usage)


def is_cache_hit(result: LLMResult) -> bool:
    """Whether LangChain's cache answered: the full usage comes back, but nobody is billed for it."""
    message = _first_message(result)
    usage: Mapping[str, Any] = (message.usage_metadata or {}) if message else {}
    return "total_cost" in usage and not usage["total_cost"]


def _first_message(result: LLMResult) -> AIMessage | None:
    first = result.generations[0][0] if result.generations and result.generations[0] else None
    message = getattr(first, "message", None)
    return message if isinstance(message, AIMessage) else None


class StreamUsage:
    """Watches a stream for a server that repeats its running total on every chunk.

    LangChain adds the chunks up, which makes 62 tokens of a true 12. A provider that really splits its usage sends the
    prompt once; the same prompt on several chunks, with an output that only grows, is a running total, and the last one
    counts.
    """

    __slots__ = ("_last", "_repeats")

    def __init__(self) -> None:
        self._last: Mapping[str, Any] | None = None
        self._repeats = False

    def see(self, message: object) -> None:
        """Take note of one chunk."""
        usage = getattr(message, "usage_metadata", None)
        if not usage or not usage.get("input_tokens"):
            return
        if self._last is not None:
            self._repeats = _goes_on(self._last, usage)
        self._last = usage

    @property
    def running_total(self) -> Usage | None:
        """The last running total, if this was such a stream."""
        return Usage.from_langchain(self._last) if self._last and self._repeats else None


def _goes_on(before: Mapping[str, Any], usage: Mapping[str, Any]) -> bool:
    same_prompt: bool = usage["input_tokens"] == before["input_tokens"]
    return same_prompt and usage.get("output_tokens", 0) >= before.get("output_tokens", 0)
