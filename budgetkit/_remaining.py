"""What is left over a chain of accounts: the least of each resource, and its level."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from ._level import Level, Levels, worst
from ._resource import Amount, from_units
from ._spend import Spend

if TYPE_CHECKING:
    from ._account import AccountState

__all__ = ["Remaining", "levels_of"]


class Remaining(Mapping[str, Amount | None]):
    """What is left per resource, over a chain of accounts; None where nothing limits it."""

    def __init__(self, states: tuple[AccountState, ...]) -> None:
        self._left: dict[str, int] = {}
        for state in states:
            for name in state.limits:
                left = state.left(name) or 0
                self._left[name] = min(left, self._left.get(name, left))

    def __getitem__(self, name: str) -> Amount | None:
        if name in self._left:
            return from_units(name, self._left[name])
        Spend()[name]  # refuses what is surely a slip of the pen
        return None

    def __contains__(self, name: object) -> bool:
        return name in self._left

    def __iter__(self) -> Iterator[str]:
        return iter(self._left)

    def __len__(self) -> int:
        return len(self._left)

    def __repr__(self) -> str:
        return f"Remaining({', '.join(f'{name}={self[name]}' for name in self)})"


def levels_of(levels: Levels, states: tuple[AccountState, ...]) -> Mapping[str, Level]:
    """The level of each resource that is limited here or above: the worst over the chain."""
    found: dict[str, Level] = {}
    for state in states:
        for name, cap in state.limits.items():
            level = levels.of(state.left(name) or 0, cap)
            found[name] = worst((level, found.get(name, Level.HIGH)))
    return MappingProxyType(found)
