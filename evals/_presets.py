"""Budgets by name, as the papers set them, and budgets as people type them."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from budgetkit import Budget

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

__all__ = ["PRESETS", "Preset", "budget_name", "budget_words", "read_budget", "read_budgets"]

_BAVT: Final = "BAVT, arXiv 2603.12634"
_VOI: Final = "VOI, arXiv 2605.05701"


@dataclass(frozen=True, slots=True)
class Preset:
    """A budget for one question that has a name, and the paper that it is from."""

    calls: int
    tokens: int
    origin: str

    @property
    def budget(self) -> Budget:
        """Its limits."""
        return Budget(tool_calls=self.calls, output_tokens=self.tokens)

    def __str__(self) -> str:
        calls = "1 tool call" if self.calls == 1 else f"{self.calls} tool calls"
        return f"{calls}, {self.tokens:,} output tokens ({self.origin})"


PRESETS: Final[Mapping[str, Preset]] = {
    "low": Preset(5, 1_000, f"{_BAVT}, instruct models"),
    "mid": Preset(10, 2_000, f"{_BAVT}, instruct models"),
    "high": Preset(20, 4_000, f"{_BAVT}, instruct models"),
    "low-reasoning": Preset(5, 2_000, f"{_BAVT}, reasoning models"),
    "mid-reasoning": Preset(10, 4_000, f"{_BAVT}, reasoning models"),
    "high-reasoning": Preset(20, 8_000, f"{_BAVT}, reasoning models"),
    "voi-low": Preset(1, 100, _VOI),
    "voi-low-mid": Preset(2, 200, _VOI),
    "voi-high-mid": Preset(2, 300, _VOI),
    "voi-high": Preset(3, 500, _VOI),
}
"""Budgets for one question, by name.

Calls and token caps are the papers' (reported). VOI's paper caps output tokens; BAVT's says tokens only. They are read
as output tokens too (design): five passages of a single search fill the lower cap as input, so that as total tokens
they would leave one call out of five.
"""


def read_budget(text: str) -> Budget:
    """A budget from a preset's name, or from limits such as ``tool_calls=5,usd=0.05``.

    Raises:
        ValueError: neither of both (with the nearest name), or more than one preset.
    """
    first, *more = read_budgets(text)
    if more:
        raise ValueError(f"budget {text!r} names {1 + len(more)} presets, and one is wanted here")
    return first


def read_budgets(text: str) -> tuple[Budget, ...]:
    """Budgets from the names of presets, ``low,mid,high``, or one from limits, ``tool_calls=5,usd=0.05``.

    Raises:
        ValueError: neither of both (with the nearest name), or a mixture.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    limits = [part for part in parts if "=" in part]
    names = [part for part in parts if part in PRESETS]
    if limits and names:
        raise ValueError(
            f"budget {text!r} puts the preset {names[0]!r} beside limits: a comma joins limits to one budget; give "
            "each budget by itself"
        )
    if limits or not parts:
        return (Budget.parse(text),)
    return tuple(_find(name).budget for name in parts)


def _find(name: str) -> Preset:
    if name not in PRESETS:
        near = get_close_matches(name.lower(), PRESETS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(PRESETS)}"
        raise ValueError(f"budget {name!r} is neither a preset nor a limit like 'tool_calls=5': {hint}")
    return PRESETS[name]


def budget_name(limits: Mapping[str, float | Decimal]) -> str:
    """What a report calls a budget: the preset of these limits, else the limits."""
    return _preset_of(limits) or ", ".join(f"{name}={amount:g}" for name, amount in limits.items()) or "no limits"


def budget_words(limits: Mapping[str, float | Decimal]) -> str:
    """The same, and of a preset what is behind it: its limits, and its origin."""
    name = _preset_of(limits)
    return f"{name}: {PRESETS[name]}" if name else budget_name(limits)


def _preset_of(limits: Mapping[str, float | Decimal]) -> str:
    return next((name for name, preset in PRESETS.items() if preset.budget.limits == limits), "")
