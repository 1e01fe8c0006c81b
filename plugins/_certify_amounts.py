"""Amounts that may have no bound: the arithmetic of worst cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

__all__ = ["FREE", "MODEL_CALL", "UNKNOWN", "Cost", "Most", "is_metered", "least", "plus", "times"]

Most = int | None
"""At most so many; None: nothing bounds it."""

_TOKENS: Final = ("input_tokens", "output_tokens", "total_tokens")
_METERED: Final = frozenset({"llm_calls", "usd", *_TOKENS})


def times(amount: Most, count: Most) -> Most:
    """``amount``, so many times; nothing for ever is still nothing."""
    if amount == 0 or count == 0:
        return 0
    return None if amount is None or count is None else amount * count


def plus(*amounts: Most) -> Most:
    """All of them together."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None


def least(*amounts: Most) -> Most:
    """The bound that binds."""
    return min((amount for amount in amounts if amount is not None), default=None)


def is_metered(resource: str) -> bool:
    """Whether an open scope books it by itself, as it does with what model calls cost."""
    return resource in _METERED


@dataclass(frozen=True, slots=True)
class Cost:
    """What something may cost at most.

    Attributes:
        named: the resources that are known apart, in whole units.
        rest: all others.
    """

    named: Mapping[str, Most]
    rest: Most = 0

    def of(self, resource: str) -> Most:
        """The most of one resource, in whole units."""
        return self.named.get(resource, self.rest)

    def __add__(self, other: Cost) -> Cost:
        names = {*self.named, *other.named}
        return Cost({name: plus(self.of(name), other.of(name)) for name in names}, plus(self.rest, other.rest))

    def times(self, count: Most) -> Cost:
        """The same, so many times."""
        return Cost({name: times(n, count) for name, n in self.named.items()}, times(self.rest, count))


FREE: Final = Cost(MappingProxyType({}))
UNKNOWN: Final = Cost(MappingProxyType({}), None)
MODEL_CALL: Final = Cost(MappingProxyType({"llm_calls": 1, **dict.fromkeys((*_TOKENS, "usd", "seconds"))}))
"""One model call that nothing holds: how long its prompt and its answer are, nobody knows."""
