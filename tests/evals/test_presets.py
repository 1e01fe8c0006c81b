from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import pytest

from budgetkit import Budget
from budgetkit.evals import PRESETS, read_budget

NAMES: Any = import_module("budgetkit.evals._presets")
read_budgets, budget_name, budget_words = NAMES.read_budgets, NAMES.budget_name, NAMES.budget_words

MIXED = "a comma joins limits to one budget; give each budget by itself"


def test_names_apart_by_commas_are_budgets_of_their_own() -> None:
    assert read_budgets("low, mid,high") == (
        Budget(tool_calls=5, output_tokens=1_000),
        Budget(tool_calls=10, output_tokens=2_000),
        Budget(tool_calls=20, output_tokens=4_000),
    )


def test_limits_apart_by_commas_are_one_budget() -> None:
    assert read_budgets("tool_calls=5,usd=0.05") == (Budget(tool_calls=5, usd="0.05"),)
    assert read_budget("voi-high") == Budget(tool_calls=3, output_tokens=500)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lo", "budget 'lo' is neither a preset nor a limit like 'tool_calls=5': did you mean 'low'?"),
        (
            "?",
            "budget '?' is neither a preset nor a limit like 'tool_calls=5': use one of " + ", ".join(PRESETS),
        ),
        ("low,usd=1", "budget 'low,usd=1' puts the preset 'low' beside limits: " + MIXED),
        ("tool_call=5", "unknown resource 'tool_call': did you mean 'tool_calls'?"),
        ("usd=1,calls", "'calls' is not a limit: write it like 'tool_calls=5'"),
        ("", "budget '' names no limit: write it like 'tool_calls=5,usd=0.05'"),
    ],
)
def test_what_is_no_budget_is_told_with_the_way_out(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        read_budgets(text)


def test_one_budget_is_not_two() -> None:
    with pytest.raises(ValueError, match=r"^budget 'low,mid' names 2 presets, and one is wanted here$"):
        read_budget("low,mid")


def test_every_preset_names_its_paper_and_is_known_again_by_its_limits() -> None:
    for name, preset in PRESETS.items():
        limits = {key: float(n) for key, n in preset.budget.limits.items()}
        assert re.search(r"arXiv \d{4}\.\d{5}", preset.origin)
        assert budget_name(limits) == name
        assert budget_words(limits) == f"{name}: {preset}"


def test_other_limits_are_shown_as_they_are() -> None:
    assert budget_words({"tool_calls": 5, "usd": 0.05}) == "tool_calls=5, usd=0.05"
    assert budget_name({}) == "no limits"
