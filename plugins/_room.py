"""What is left for one call, over a chain of accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from budgetkit import AccountState, Spend

__all__ = ["Room"]


class Room:
    """The least that is left over a chain of accounts, net of what others keep for their own answers.

    Args:
        states: the accounts from the root down.
        own: the one whose own answer reserve is not subtracted.
        above: what agents further out keep of the same account.
    """

    def __init__(self, states: tuple[AccountState, ...], own: AccountState, above: Spend) -> None:
        self.own = own
        self.above = above
        self._left: dict[str, int] = {}
        for state in states:
            kept = above if state is own else state.kept
            for name in state.limits:
                left = max(0, (state.left(name) or 0) - kept.in_units(name))
                self._left[name] = min(left, self._left.get(name, left))

    def __getitem__(self, name: str) -> int | None:
        return self._left.get(name)

    def less(self, keep: Spend) -> dict[str, int]:
        """What is left once ``keep`` is set aside."""
        return {name: max(0, left - keep.in_units(name)) for name, left in self._left.items()}

    def empty_tools(self) -> set[str]:
        """Names of the tools that have no call left."""
        return {
            name.removeprefix("tool:") for name, left in self._left.items() if name.startswith("tool:") and not left
        }
