"""`Budget`: an immutable set of limits, and the part of it that is kept for the answer."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self, final

from ._level import Levels
from ._resource import BUILT_IN, TOOL, Amount, from_units, nearest, refuse_built_in, resource, to_units
from ._spend import Spend
from ._window import Window, check_window

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta
    from decimal import Decimal

    from ._ledger import Ledger
    from ._scope import Scope

__all__ = ["Budget"]


@final
class Budget:
    """Limits per resource. What is left out has no limit.

    ```python
    budget = Budget(usd="0.05", llm_calls=20, tool_calls=10, tools={"search": 5}, seconds=60)
    with budget.open("nightly-report") as run:
        ...
        run.spent["llm_calls"], run.remaining["usd"], run.level
    ```

    Args:
        usd: US dollars, as ``"0.05"``, ``Decimal`` or a number; counted in nano-dollars.
        input_tokens: prompt tokens of all model calls, cached ones included.
        output_tokens: completion tokens of all model calls, reasoning included.
        total_tokens: input plus output.
        llm_calls: model calls, retries included.
        tool_calls: tool calls, in units (a batch of four queries is four).
        seconds: wall-clock time in which the budget is in use; waiting for a person does not count.
        tools: limits per tool, ``{"search": 5}``.
        custom: limits on any other named resource, counted one by one.
        answer_reserve: the part that only the final answer may use, as a mapping of resource to amount
            (``{"output_tokens": 200}``). None: worked out from the final call's own worst case.
        levels: where the levels begin.
        window: the stretch of time that the limits are for, such as `Window.day`; None: for ever.

    Raises:
        TypeError: an amount of the wrong type.
        ValueError: negative, NaN, or contradictory limits; the message names the argument.
    """

    __slots__ = ("_levels", "_limits", "_reserve", "_window")

    def __init__(
        self,
        *,
        usd: str | Decimal | float | None = None,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        total_tokens: int | None = None,
        llm_calls: int | None = None,
        tool_calls: int | None = None,
        seconds: str | Decimal | float | timedelta | None = None,
        tools: Mapping[str, int] | None = None,
        custom: Mapping[str, int] | None = None,
        answer_reserve: Mapping[str, object] | None = None,
        levels: Levels | None = None,
        window: Window | None = None,
    ) -> None:
        """See the class."""
        given: dict[str, object] = {
            "usd": usd,
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "total_tokens": total_tokens,
            "llm_calls": llm_calls,
            "tool_calls": tool_calls,
            "seconds": seconds,
        }
        limits = {name: to_units(name, amount) for name, amount in given.items() if amount is not None}
        limits |= _named(tools or {}, "tools", TOOL) | _named(refuse_built_in(custom or {}), "custom", "")
        _refuse_contradictions(limits)
        check_window(window, limits, prepaid=False)
        self._window = window
        self._limits = limits
        self._reserve = None if answer_reserve is None else _reserve(answer_reserve, limits)
        self._levels = levels or Levels()

    @classmethod
    def parse(cls, text: str) -> Self:
        """A budget from ``"tool_calls=5,usd=0.05,tool:search=3"``, as commands take it.

        Raises:
            ValueError: a part that is not ``name=amount``, an unknown resource (with the nearest name), or a limit
                that `Budget` refuses.
        """
        limits: dict[str, Any] = {}
        tools: dict[str, int] = {}
        for name, amount in _pairs(text):
            if name.startswith(TOOL):
                tools[name.removeprefix(TOOL)] = _whole(name, amount)
            else:
                limits[name] = amount if resource(name).fractional else _whole(name, amount)
        return cls(**limits, tools=tools)

    @property
    def limits(self) -> Mapping[str, Amount]:
        """The limits by resource name, as the user wrote them (``int`` or ``Decimal``)."""
        return MappingProxyType({name: from_units(name, n) for name, n in self._limits.items()})

    @property
    def limits_in_units(self) -> Mapping[str, int]:
        """The limits in whole units, as the ledger counts them."""
        return MappingProxyType(self._limits)

    @property
    def answer_reserve(self) -> Spend | None:
        """What is kept for the final answer; None if it is to be worked out from the final call."""
        return self._reserve

    @property
    def levels(self) -> Levels:
        """Where the levels begin."""
        return self._levels

    @property
    def window(self) -> Window | None:
        """The stretch of time that the limits are for; None: for ever."""
        return self._window

    def open(
        self,
        name: str = "run",
        *,
        id: str | None = None,  # noqa: A002 - the field's own word, keyword-only
        ledger: Ledger | None = None,
        parent: Scope | None = None,
        prepaid: bool = False,
    ) -> Scope:
        """A scope that spends from this budget, for ``with`` or ``async with``.

        Args:
            name: what people read.
            id: join the account of this id under the parent, or make it; None makes a new account each time.
            ledger: where the spend is recorded; None: the parent's ledger, or a new one in memory.
            parent: the scope to spend from as well; None: the innermost open scope of this context.
            prepaid: take the limits out of the parent now and give back at the end what was not spent, instead of
                drawing on the parent's pool.
        """
        from ._open_scope import open_scope  # noqa: PLC0415 - a scope holds a budget: one of the two imports late

        return open_scope(self, name, id=id, ledger=ledger, parent=parent, prepaid=prepaid)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Budget) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        return frozenset(self._limits.items()), self._reserve, self._levels, self._window

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __repr__(self) -> str:
        shown = [f"{name}={amount}" for name, amount in self.limits.items()]
        if self._reserve is not None:
            shown.append(f"answer_reserve={self._reserve!r}")
        if self._window is not None:
            shown.append(f"window={self._window}")
        return f"Budget({', '.join(shown) or 'no limits'})"


def _named(amounts: Mapping[str, int | None], argument: str, prefix: str) -> dict[str, int]:
    return {
        resource(prefix + name).name: to_units(prefix + name, n, argument=f"{argument}[{name!r}]")
        for name, n in amounts.items()
        if n is not None
    }


def _reserve(amounts: Mapping[str, object], limits: Mapping[str, int]) -> Spend:
    kept = {name: to_units(name, amount, argument=f"answer_reserve[{name!r}]") for name, amount in amounts.items()}
    for name, n in kept.items():
        if n > limits.get(name, n):
            raise ValueError(
                f"answer_reserve[{name!r}]={amounts[name]!r} is more than the limit {from_units(name, limits[name])}: "
                f"lower it or raise {name}"
            )
    return Spend.from_units(kept)


def _refuse_contradictions(limits: Mapping[str, int]) -> None:
    """A limit that can never be reached is a slip of the pen: say so rather than ignore it."""
    pairs = [("input_tokens", "total_tokens"), ("output_tokens", "total_tokens")]
    pairs += [(name, "tool_calls") for name in limits if name.startswith(TOOL)]
    for part, whole in pairs:
        if whole in limits and limits.get(part, 0) > limits[whole]:
            shown = f"tools[{part.removeprefix(TOOL)!r}]" if part.startswith(TOOL) else part
            raise ValueError(
                f"{shown}={limits[part]} contradicts {whole}={limits[whole]}: it can never be reached; "
                f"lower {shown} or raise {whole}"
            )


def _pairs(text: str) -> list[tuple[str, str]]:
    pairs = [_pair(part.strip()) for part in text.split(",") if part.strip()]
    if not pairs:
        raise ValueError(f"budget {text!r} names no limit: write it like 'tool_calls=5,usd=0.05'")
    names = [name for name, _ in pairs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"budget {text!r} names {twice} twice: give each limit once")
    return pairs


def _pair(part: str) -> tuple[str, str]:
    name, equals, amount = (text.strip() for text in part.partition("="))
    if not (name and equals and amount):
        raise ValueError(f"{part!r} is not a limit: write it like 'tool_calls=5'")
    if name not in BUILT_IN and not name.startswith(TOOL):
        meant = nearest(name)
        hint = f"did you mean {meant!r}?" if meant else f"use one of {', '.join(BUILT_IN)} or tool:NAME"
        raise ValueError(f"unknown resource {name!r}: {hint}")
    return name, amount


def _whole(name: str, text: str) -> int:
    try:
        return int(text.replace("_", ""))
    except ValueError:
        raise ValueError(f"{name}={text!r} must be a whole number") from None
