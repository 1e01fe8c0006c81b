"""What one model call used, in tokens, whoever reports it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self, cast

__all__ = ["Usage"]

_SERVICE_TIERS = ("", "priority_", "flex_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The tokens of one model call, or of several added up.

    The wholes contain their parts, as in the OpenTelemetry GenAI conventions: never add a part to its whole.

    Attributes:
        input_tokens: Every token of the prompt, those read from and written to a cache included.
        output_tokens: Every token that was generated, those of the reasoning included.
        cache_read: The part of `input_tokens` that came from a prompt cache.
        cache_write: The part of `input_tokens` that was written to a prompt cache.
        cache_write_1h: The part of `cache_write` that is kept for an hour, which Anthropic bills dearer.
        reasoning: The part of `output_tokens` that was spent on thinking.

    Raises:
        ValueError: For a count that is no integer >= 0, and for parts that are more than their whole.
    """

    input_tokens: int
    output_tokens: int
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            _check_count(field.name, getattr(self, field.name))
        self._check_part("cache_read + cache_write", self.cache_read + self.cache_write, "input_tokens")
        self._check_part("cache_write_1h", self.cache_write_1h, "cache_write")
        self._check_part("reasoning", self.reasoning, "output_tokens")

    def _check_part(self, part: str, amount: int, whole: str) -> None:
        if amount > getattr(self, whole):
            msg = f"{part} is a part of {whole} and cannot be more: {amount!r} > {getattr(self, whole)!r}"
            raise ValueError(msg)

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Self) -> Self:
        if not isinstance(other, Usage):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            return NotImplemented
        return type(self)(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    @classmethod
    def from_openai(cls, usage: Mapping[str, Any]) -> Self:
        """Read the `usage` object of an OpenAI-style server, or of vLLM.

        Numbers that cannot be right never raise and never count less than what was reported:

        - A missing, negative or non-numeric count is 0; a broken number is rounded up.
        - Parts that are more than their whole are taken to come on top of it: some servers report cached
          tokens or reasoning that way.
        - A `total_tokens` beyond input plus output adds what is missing to the side that was not reported,
          and to the output, the dearer one, where both were.

        Args:
            usage: The mapping with `prompt_tokens`, `completion_tokens` and, where the server has them,
                `total_tokens`, `prompt_tokens_details` and `completion_tokens_details`.
        """
        prompt, completion = _details(usage, "prompt_tokens"), _details(usage, "completion_tokens")
        writes = _count(prompt.get("cache_write_tokens")) or _count(prompt.get("created_cache_tokens"))
        return cls._from_reported(
            input_tokens=_count(usage.get("prompt_tokens")),
            output_tokens=_count(usage.get("completion_tokens")),
            total_tokens=_count(usage.get("total_tokens")),
            cache_read=_count(prompt.get("cached_tokens")),
            cache_write=writes,
            reasoning=_count(completion.get("reasoning_tokens")),
        )

    @classmethod
    def from_langchain(cls, usage: Mapping[str, Any]) -> Self:
        """Read LangChain's `UsageMetadata`, the `usage_metadata` of an `AIMessage`.

        Numbers that cannot be right are read as in `from_openai`. Keys with the prefix of a service tier
        (`priority_cache_read`) count like those without.

        Args:
            usage: The mapping with `input_tokens`, `output_tokens` and, where the model has them,
                `total_tokens`, `input_token_details` and `output_token_details`.
        """
        prompt, completion = _details(usage, "input_token"), _details(usage, "output_token")
        one_hour = _count(prompt.get("ephemeral_1h_input_tokens"))
        ephemeral = one_hour + _count(prompt.get("ephemeral_5m_input_tokens"))
        return cls._from_reported(
            input_tokens=_count(usage.get("input_tokens")),
            output_tokens=_count(usage.get("output_tokens")),
            total_tokens=_count(usage.get("total_tokens")),
            cache_read=_any_tier(prompt, "cache_read"),
            # Where both are given, the two ephemeral counts divide `cache_creation` up.
            cache_write=max(ephemeral, _any_tier(prompt, "cache_creation")),
            cache_write_1h=one_hour,
            reasoning=_any_tier(completion, "reasoning"),
        )

    @classmethod
    def _from_reported(cls, *, total_tokens: int, input_tokens: int, output_tokens: int, **parts: int) -> Self:
        whole_input = _holding(input_tokens, parts["cache_read"] + parts["cache_write"])
        whole_output = _holding(output_tokens, parts["reasoning"])
        missing = max(0, total_tokens - whole_input - whole_output)
        if input_tokens or not output_tokens:
            return cls(input_tokens=whole_input, output_tokens=whole_output + missing, **parts)
        return cls(input_tokens=whole_input + missing, output_tokens=whole_output, **parts)


def _check_count(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name} must be an integer >= 0, not {value!r}")


def _details(usage: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    details = usage.get(f"{name}_details")
    return cast("Mapping[str, Any]", details) if isinstance(details, Mapping) else {}


def _any_tier(details: Mapping[str, Any], name: str) -> int:
    return sum(_count(details.get(prefix + name)) for prefix in _SERVICE_TIERS) if details else 0


def _count(value: object) -> int:
    if value is None:
        return 0
    if isinstance(value, float) and math.isfinite(value):
        value = math.ceil(value)
    return max(0, value) if isinstance(value, int) and not isinstance(value, bool) else 0


def _holding(whole: int, parts: int) -> int:
    return whole if parts <= whole else whole + parts
