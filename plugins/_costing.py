"""What a model call costs: its worst case before, its spend after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from budgetkit import PriceUnknown, Spend, Usage

from ._in_flight import Money

__all__ = ["Costing", "unknown", "unsent"]

_CLIENT_ERROR: Final = range(400, 500)
_BILLED: Final = ("input_tokens", "output_tokens", "total_tokens", "usd")


@dataclass(frozen=True, slots=True)
class Costing:
    """One model at its price."""

    model: str
    provider: str | None
    money: Money
    priced: bool = field(init=False)
    """Whether dollars can be told."""

    def __post_init__(self) -> None:
        """Look the price up, once."""
        object.__setattr__(self, "priced", self.money.prices.has(self.model, provider=self.provider))

    def require_price(self) -> None:
        """Refuse a model without a price under a dollar limit, unless the user allows it.

        Raises:
            PriceUnknown: the message names the line that gives the model a price.
        """
        if not self.priced and not self.money.prices.allow_unpriced:
            raise PriceUnknown(self.model)

    def worst(self, tokens_in: int, tokens_out: int) -> int:
        """The dearest way to bill these tokens, in nano-dollars; 0 for a model that the user allows without a price."""
        if not self.priced:
            return 0
        return self.money.prices.worst(self.model, tokens_in, tokens_out, provider=self.provider)

    def most_output(self, nanodollars: int, tokens_in: int, cap: int) -> int:
        """The most output tokens, up to ``cap``, that the money pays; -1 if not even the input is paid."""
        if not self.priced:
            return cap
        return self.money.prices.affordable_output(self.model, nanodollars, tokens_in, cap, provider=self.provider)

    def asked(self, tokens_in: int, cap: int | None) -> Spend:
        """The worst case of a call; without an output cap it has none, and only what is known is set aside."""
        units = {"llm_calls": 1, "input_tokens": tokens_in}
        if cap is not None:
            units |= {"output_tokens": cap, "total_tokens": tokens_in + cap, "usd": self.worst(tokens_in, cap)}
        return Spend.from_units(units)

    def spend(self, usage: Usage) -> Spend:
        """What a call cost, by the provider's own usage."""
        units = {
            "llm_calls": 1,
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "total_tokens": usage.total_tokens,
        }
        if not self.priced:
            return Spend.from_units(units, unmeasured=("usd",))
        return Spend.from_units({**units, "usd": self.money.prices.cost(self.model, usage, provider=self.provider)})

    def estimate(
        self,
        prompt: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        answer: Sequence[Mapping[str, Any]],
    ) -> Spend:
        """What a call probably cost that nobody reserved and no usage was told of; marked as an estimate."""
        count = self.money.counter.count
        tokens_in = count(prompt, tools=tools, model=self.model).tokens
        tokens_out = count(answer, model=self.model).tokens if any(map(_said, answer)) else 0
        spend = self.spend(Usage(input_tokens=tokens_in, output_tokens=tokens_out))
        return Spend.from_units(
            spend.as_units(), estimated=set(spend.names) - {"llm_calls"}, unmeasured=spend.unmeasured
        )

    def unsent(self) -> Spend:
        """A call that the provider turned away before it worked on it: a call, but no tokens."""
        return Spend.from_units({"llm_calls": 1})


def unknown(calls: int = 1) -> Spend:
    """What nobody was told of: the ledger keeps what was reserved of it, and the rest stays unknown, not zero."""
    return Spend.from_units({"llm_calls": calls}, unmeasured=_BILLED)


def unsent(error: BaseException | None) -> bool:
    """Whether the provider surely billed nothing: it answered with a client error (bad request, rate limit)."""
    response = getattr(error, "response", None)
    return any(getattr(told, "status_code", None) in _CLIENT_ERROR for told in (error, response))


def _said(message: Mapping[str, Any]) -> bool:
    return bool(message.get("content") or message.get("tool_calls"))
