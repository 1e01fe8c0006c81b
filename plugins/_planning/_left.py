"""What is left, as a strategy sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from budgetkit import AccountState

__all__ = ["Left"]

_CALLS: Final = "tool_calls"
_TOOL: Final = "tool:"
_TOKENS: Final = ("output_tokens", "total_tokens", "input_tokens")


@dataclass(frozen=True, slots=True)
class Left(Mapping[str, int]):
    """What is left of each limited resource, in whole units, and how large its limit was.

    A snapshot: a strategy decides on it, the ledger holds the limit.

    Attributes:
        left: units left per resource, never negative (calls, tokens; dollars in nano-dollars, time in milliseconds).
        caps: the limit of each.
    """

    left: Mapping[str, int]
    caps: Mapping[str, int]

    @classmethod
    def of(cls, states: tuple[AccountState, ...], *, net: bool = True) -> Left:
        """The least that is left over a chain of accounts, and the limit that it is left of.

        Args:
            states: from the root down.
            net: take off what is kept for the answer.
        """
        left: dict[str, int] = {}
        caps: dict[str, int] = {}
        for state in states:
            for name, cap in state.limits.items():
                kept = state.kept.in_units(name) if net else 0
                here = max(0, (state.left(name) or 0) - kept)
                if name not in left or here < left[name]:
                    left[name], caps[name] = here, cap
        return cls(left, caps)

    def __getitem__(self, name: str) -> int:
        return self.left[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.left)

    def __len__(self) -> int:
        return len(self.left)

    @property
    def tools(self) -> int | None:
        """Tool calls left: the tightest of their limits; None if nothing limits them.

        A tool that was forbidden from the start counts only where every tool was.
        """
        return _tightest(self.left, self.caps)

    @property
    def tool_cap(self) -> int | None:
        """The tightest limit on tool calls: how large the budget was; None if nothing limits them."""
        return _tightest(self.caps, self.caps)

    def can_act(self, calls: int = 1) -> bool:
        """Whether so many further tool calls are left."""
        return self.tools is None or self.tools >= calls

    def ratio_of(self, name: str) -> float:
        """Left over limit of one resource, 0 to 1; 1 if it is not limited."""
        cap = self.caps.get(name, 0)
        return self.left[name] / cap if cap > 0 else 1.0

    @property
    def ratio(self) -> float:
        """The remaining ratio ``r``: the least of left over limit; 1 when nothing is limited (arXiv 2603.12634)."""
        return min(map(self.ratio_of, self.left), default=1.0)

    @property
    def token_ratio(self) -> float:
        """The least of left over limit among the token limits."""
        return min((self.ratio_of(name) for name in _TOKENS if name in self.left), default=1.0)

    @property
    def pressure(self) -> float:
        """The budget pressure, ``1 - ratio`` (arXiv 2605.05701)."""
        return 1 - self.ratio


def _tightest(units: Mapping[str, int], caps: Mapping[str, int]) -> int | None:
    limits = [name for name in units if name == _CALLS or name.startswith(_TOOL)]
    allowed = [name for name in limits if name == _CALLS or caps.get(name, 1) > 0] or limits
    return min((units[name] for name in allowed), default=None)
