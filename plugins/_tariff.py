"""What a tool call costs, before it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, final

from budgetkit import Spend

if TYPE_CHECKING:
    from budgetkit import PriceBook

__all__ = ["Tariff", "ToolUnits"]

ToolUnits = Mapping[str, Callable[[Mapping[str, Any]], int]]
"""Per tool, how many units a call with these arguments is: ``{"search": lambda args: len(args["queries"])}``."""


@final
class Tariff:
    """Counts the units of tool calls and prices them.

    Args:
        prices: what a unit of each tool costs.
        units: per tool, how many units a call is; one if not given.
    """

    def __init__(self, prices: PriceBook, units: ToolUnits | None = None) -> None:
        self._prices = prices
        self._units = dict(units or {})

    def counts(self, name: str) -> bool:
        """Whether the user gave a function for the tool's units."""
        return name in self._units

    def of(self, name: str, args: Mapping[str, Any]) -> Spend:
        """What a call of the tool with these arguments is to be charged.

        Raises:
            ValueError: the user's function for the tool's units gives no whole number of 0 or more.
        """
        units = self._units_of(name, args)
        price = self._prices.tool(name) * units
        return Spend.from_units({"tool_calls": units, f"tool:{name}": units, "usd": price})

    def _units_of(self, name: str, args: Mapping[str, Any]) -> int:
        """Units of a call; arguments that the user's function cannot read are one: the tool will refuse them."""
        if name not in self._units:
            return 1
        try:
            units = self._units[name](args)
        except (LookupError, TypeError, AttributeError):
            return 1
        if not isinstance(units, int) or units < 0:  # pyright: ignore[reportUnnecessaryIsInstance]  # the user's own
            raise ValueError(f"tool_units[{name!r}] returned {units!r}: it must be a whole number of 0 or more")
        return units
