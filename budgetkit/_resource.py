"""Resources: the named things that run out, and how each is counted.

Every amount is a whole number of units inside the books: US dollars as nano-dollars, time as milliseconds, everything
else one by one. Nothing is rounded in anybody's favour and no float is ever added up.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import timedelta
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "BUILT_IN",
    "TOOL",
    "Amount",
    "Resource",
    "check_units",
    "from_units",
    "limits_from",
    "nearest",
    "refuse_built_in",
    "resource",
    "to_units",
]

Amount = int | Decimal
"""What users see: ``int`` for counts, ``Decimal`` for ``usd`` and ``seconds``."""

TOOL: Final = "tool:"
_LONGEST_NAME: Final = 200
_SLIP: Final = 0.85
"""A name this like a built-in one is a slip of the pen, which would open a resource that nothing limits."""
_LARGEST: Final = 2**63 - 1
"""Units in one amount: what every home of the books can hold."""
_EXACT: Final = Context(prec=100, traps=[Inexact, InvalidOperation, Overflow])


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
        ValueError: the name is empty, too long, holds control characters, or is a built-in name misspelt.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    if not 0 < len(name.removeprefix(TOOL)) <= _LONGEST_NAME or not name.isprintable():
        raise ValueError(f"{name[:40]!r} cannot name a resource: use 1 to {_LONGEST_NAME} printable characters")
    if name.startswith(TOOL):
        return Resource(name, "call")
    if meant := next(iter(difflib.get_close_matches(name, BUILT_IN, n=1, cutoff=_SLIP)), None):
        raise ValueError(f"no resource {name!r}: did you mean {meant!r}? A resource of your own needs another name")
    return Resource(name)


def nearest(name: str, among: Iterable[str] = BUILT_IN) -> str | None:
    """The known name that ``name`` was probably meant to be, or None."""
    return next(iter(difflib.get_close_matches(name, list(among), n=1, cutoff=0.75)), None)


def to_units(name: str, amount: object, *, argument: str | None = None) -> int:
    """``amount`` of resource ``name`` in whole units.

    Args:
        name: the resource.
        amount: a count (``int``), dollars (``int``, ``str``, ``Decimal`` or a literal ``float``), or seconds
            (the same, or a ``timedelta``).
        argument: what the user called it, for the message; the resource's name if left out.

    Raises:
        TypeError: the type cannot be an amount of this resource.
        ValueError: negative, NaN, infinite, finer than one unit, or more than 2**63 - 1 units.
    """
    what, argument = resource(name), argument or name
    if not what.fractional:
        return _count(amount, argument)
    if isinstance(amount, timedelta) and name == "seconds":
        amount = _EXACT.divide(Decimal(amount // timedelta(microseconds=1)), Decimal(10**6))
    return _fraction(amount, what, argument)


def _count(amount: object, argument: str) -> int:
    if isinstance(amount, bool) or not isinstance(amount, int):
        raise TypeError(f"{argument}={amount!r} must be a whole number (int), not {type(amount).__name__}")
    if amount < 0:
        raise ValueError(f"{argument}={amount!r} is negative: a limit or an amount is 0 or more")
    if amount > _LARGEST:
        raise ValueError(f"{argument} is more than the books hold: at most {_LARGEST}")
    return amount


def _fraction(amount: object, what: Resource, argument: str) -> int:
    exact = _decimal(amount, argument)
    if not exact.is_finite():
        raise ValueError(f"{argument}={amount!r} is not finite: leave {argument} out for no limit")
    if exact < 0:
        raise ValueError(f"{argument}={amount!r} is negative: a limit or an amount is 0 or more")
    most = from_units(what.name, _LARGEST)
    if exact > most:
        raise ValueError(f"{argument}={amount!r} is more than the books hold: at most {most}")
    try:
        units = _EXACT.to_integral_exact(_EXACT.multiply(exact, Decimal(what.scale)))
    except Inexact:
        finest = f"{from_units(what.name, 1):f}"
        raise ValueError(f"{argument}={amount!r} is finer than one {what.unit}: round it to {finest}") from None
    return int(units)


def _decimal(amount: object, argument: str) -> Decimal:
    if isinstance(amount, bool) or not isinstance(amount, int | float | str | Decimal):
        raise TypeError(f"{argument}={amount!r} must be a number or a string like '0.05', not {type(amount).__name__}")
    try:
        return Decimal(str(amount) if isinstance(amount, float) else amount)
    except InvalidOperation:
        raise ValueError(f"{argument}={amount!r} is not a number: write it like '0.05'") from None


def refuse_built_in(custom: Mapping[str, int | None]) -> Mapping[str, int | None]:
    """The user's own resources, none of which may be a built-in one.

    Raises:
        ValueError: one is.
    """
    for name in custom:
        if name in BUILT_IN or name.startswith(TOOL):
            raise ValueError(f"custom[{name!r}] is built in: pass it as its own argument")
    return custom


def limits_from(limits: Mapping[str, object]) -> dict[str, int | None]:
    """Limits in whole units from what a user writes (``{"usd": "2", "llm_calls": None}``); None is no limit.

    Raises:
        TypeError, ValueError: an amount that cannot be a limit; the message names it.
    """
    return {resource(name).name: None if n is None else to_units(name, n) for name, n in limits.items()}


def check_units(units: Mapping[str, int]) -> None:
    """Refuse amounts that are no whole units: they would pass every comparison, or give money back.

    Raises:
        ValueError: an amount that is not an integer of 0 or more.
    """
    for name, n in units.items():
        if not isinstance(n, int) or n < 0:  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise ValueError(f"{name}={n!r} is no amount in whole units: it must be an integer of 0 or more")


def from_units(name: str, units: int) -> Amount:
    """Units as the user sees them: ``int`` for counts, ``Decimal`` for dollars and seconds. Shows any name."""
    known = BUILT_IN.get(name)
    if known is None or not known.fractional:
        return units
    return _EXACT.divide(Decimal(units), Decimal(known.scale))
