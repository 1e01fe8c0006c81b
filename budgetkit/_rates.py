"""Exact price arithmetic: what a call costs, the most that it can cost, and what a sum of money still buys.

All rates are integers in yocto-dollars (10^-24 dollars), so that a price of up to 18 decimals per million tokens
is exact; a finer one is rounded up. Sums come out in nano-dollars, rounded up.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from ._usage import Usage

__all__ = ["Condition", "Quote", "Rates", "nanodollars", "yocto_per_request", "yocto_per_token"]

YOCTO_PER_NANO = 10**15
Condition = Callable[[datetime], bool]


def nanodollars(dollars: Decimal) -> int:
    """Dollars as nano-dollars, rounded up."""
    return math.ceil(Fraction(dollars) * 10**9)


def yocto_per_token(dollars_per_million: Decimal) -> int:
    """A price per million tokens as yocto-dollars per token."""
    return math.ceil(Fraction(dollars_per_million) * 10**18)


def yocto_per_request(dollars: Decimal) -> int:
    """A price per call as yocto-dollars."""
    return math.ceil(Fraction(dollars) * 10**24)


class Rates(NamedTuple):
    """Yocto-dollars per token, and per call, of a call with more than `above` input tokens."""

    above: int
    input: int
    cache_read: int
    cache_write: int
    cache_write_1h: int
    output: int
    reasoning: int
    request: int

    def bill(self, usage: Usage) -> int:
        """What `usage` costs, in yocto-dollars."""
        uncached = usage.input_tokens - usage.cache_read - usage.cache_write
        return (
            self.request
            + uncached * self.input
            + usage.cache_read * self.cache_read
            + (usage.cache_write - usage.cache_write_1h) * self.cache_write
            + usage.cache_write_1h * self.cache_write_1h
            + (usage.output_tokens - usage.reasoning) * self.output
            + usage.reasoning * self.reasoning
        )


class _Ceiling(NamedTuple):
    """The dearest rates that a call with more than `above` input tokens may meet."""

    above: int
    input: int
    output: int
    request: int

    def fixed(self, input_tokens: int) -> int:
        """The most that the call costs before its first output token, in yocto-dollars."""
        return self.request + input_tokens * self.input


@dataclass(frozen=True, slots=True)
class Quote:
    """The prices of one model on one day.

    Attributes:
        tiers: What is billed, by the length of the input.
        by_the_hour: Tiers that are in force instead while their condition holds; the first that holds counts.
        later: Further tiers that may be in force before a call that starts now has ended.
    """

    tiers: tuple[Rates, ...]
    by_the_hour: tuple[tuple[Condition, tuple[Rates, ...]], ...] = ()
    later: tuple[tuple[Rates, ...], ...] = ()
    _ceilings: tuple[_Ceiling, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        possible = (self.tiers, *(tiers for _, tiers in self.by_the_hour), *self.later)
        ceilings = (_ceiling(rates) for tiers in possible for rates in tiers)
        object.__setattr__(self, "_ceilings", tuple(dict.fromkeys(ceilings)))

    def cost(self, usage: Usage, at: datetime | None = None) -> int:
        """What `usage` costs at the time `at` (default: now), in nano-dollars."""
        input_tokens = usage.input_tokens
        for rates in reversed(self._in_force(at)):
            if input_tokens > rates.above:
                return _in_nano(rates.bill(usage))
        raise AssertionError("the first tier begins below zero tokens")

    def worst(self, input_tokens: int, output_tokens: int) -> int:
        """The most that up to so many tokens can cost, in nano-dollars."""
        ceilings = self._reached(input_tokens)
        return _in_nano(max(line.fixed(input_tokens) + output_tokens * line.output for line in ceilings))

    def affordable_output(self, nanodollars: int, input_tokens: int, cap: int) -> int:
        """The largest output <= `cap` whose `worst` is within `nanodollars`, or -1."""
        for line in self._reached(input_tokens):
            rest = nanodollars * YOCTO_PER_NANO - line.fixed(input_tokens)
            if rest < 0:
                return -1
            if line.output:
                cap = min(cap, rest // line.output)
        return cap

    def _reached(self, input_tokens: int) -> Iterator[_Ceiling]:
        return (line for line in self._ceilings if input_tokens > line.above)

    def _in_force(self, at: datetime | None) -> tuple[Rates, ...]:
        if self.by_the_hour:
            moment = at or datetime.now(tz=UTC)
            for condition, tiers in self.by_the_hour:
                if condition(moment):
                    return tiers
        return self.tiers


def _ceiling(rates: Rates) -> _Ceiling:
    dearest_input = max(rates.input, rates.cache_read, rates.cache_write, rates.cache_write_1h)
    return _Ceiling(rates.above, dearest_input, max(rates.output, rates.reasoning), rates.request)


def _in_nano(yocto: int) -> int:
    return -(-yocto // YOCTO_PER_NANO)
