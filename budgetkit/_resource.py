"""Resources: the named things that run out, and how each is counted.

Every amount is a whole number of units inside the books: US dollars as nano-dollars, time as milliseconds, everything
else one by one. Nothing is rounded in anybody's favour and no float is ever added up.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Final

__all__ = ["BUILT_IN", "TOOL", "Amount", "Resource", "from_units", "nearest", "resource", "to_units"]

Amount = int | Decimal
"""What users see: ``int`` for counts, ``Decimal`` for ``usd`` and ``seconds``."""

TOOL: Final = "tool:"
_LONGEST_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class Resource:
    """A named thing that runs out.

    Attributes:
        name: ``usd``, ``llm_calls``, ``tool:search``, or a name of the user's own.
        unit: what one unit inside the books is.
        scale: units in one of what the user writes (1 dollar is 10**9 nano-dollars).
    """

    name: str
    unit: str = "count"
    scale: int = 1

    @property
    def fractional(self) -> bool:
        """Whether the user sees a ``Decimal`` rather than an ``int``."""
        return self.scale != 1


BUILT_IN: Final = {
    r.name: r
    for r in (
        Resource("usd", "nano-dollar", 10**9),
        Resource("input_tokens", "token"),
        Resource("output_tokens", "token"),
        Resource("total_tokens", "token"),
        Resource("llm_calls", "call"),
        Resource("tool_calls", "call"),
        Resource("seconds", "millisecond", 1000),
    )
}


@lru_cache(maxsize=4096)
def resource(name: str) -> Resource:
    """The resource of that name.

    Raises:
        ValueError: the name is empty, too long, or holds control characters.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise ValueError(
            f"{name[:40]!r} cannot name a resource: use 1 to {_LONGEST_NAME} printable characters"
        )
    return Resource(name, "call" if name.startswith(TOOL) else "count")


def nearest(name: str, among: object = None) -> str | None:
    """The known name that ``name`` was probably meant to be, or None."""
    known = list(BUILT_IN) if among is None else [str(n) for n in among]  # type: ignore[attr-defined]
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.75)), None)


def to_units(name: str, amount: object, *, argument: str | None = None) -> int:
    """``amount`` of resource ``name`` in whole units.

    Args:
        name: the resource.
        amount: a count (``int``), dollars (``int``, ``str``, ``Decimal`` or a literal ``float``), or seconds
            (the same, or a ``timedelta``).
        argument: what the user called it, for the message; the resource's name if left out.

    Raises:
        TypeError: the type cannot be an amount of this resource.
        ValueError: negative, NaN, infinite, or finer than one unit.
    """
    what, argument = resource(name), argument or name
    if not what.fractional:
        return _count(amount, argument)
    if isinstance(amount, timedelta) and name == "seconds":
        amount = Decimal(amount // timedelta(microseconds=1)) / 10**6
    return _fraction(amount, what, argument)


def _count(amount: object, argument: str) -> int:
    if isinstance(amount, bool) or not isinstance(amount, int):
        raise TypeError(f"{argument}={amount!r} must be a whole number (int), not {type(amount).__name__}")
    if amount < 0:
        raise ValueError(f"{argument}={amount!r} is negative: a limit or an amount is 0 or more")
    return amount


def _fraction(amount: object, what: Resource, argument: str) -> int:
    if isinstance(amount, bool) or not isinstance(amount, (int, float, str, Decimal)):
        raise TypeError(f"{argument}={amount!r} must be a number or a string like '0.05', not {type(amount).__name__}")
    try:
        exact = Decimal(str(amount))
    except InvalidOperation:
        raise ValueError(f"{argument}={amount!r} is not a number: write it like '0.05'") from None
    if not exact.is_finite():
        raise ValueError(f"{argument}={amount!r} is not finite: leave {argument} out for no limit")
    if exact < 0:
        raise ValueError(f"{argument}={amount!r} is negative: a limit or an amount is 0 or more")
    units = exact * what.scale
    if units != int(units):
        raise ValueError(f"{argument}={amount!r} is finer than one {what.unit}: round it to {Decimal(1) / what.scale}")
    return int(units)


def from_units(name: str, units: int) -> Amount:
    """Units as the user sees them: ``int`` for counts, ``Decimal`` for dollars and seconds."""
    scale = resource(name).scale
    return units if scale == 1 else Decimal(units) / scale
