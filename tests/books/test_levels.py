"""Levels against the paper's table (arXiv 2511.17006): boundaries belong to the upper level, and are met exactly."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetkit import Budget, Level, Levels, Spend
from budgetkit._level import worst

SEVERITY = list(Level)


@pytest.mark.parametrize(
    ("left", "level"),
    [
        (100, "high"),
        (70, "high"),
        (69, "medium"),
        (30, "medium"),
        (29, "low"),
        (10, "low"),
        (9, "critical"),
        (0, "critical"),
    ],
)
def test_the_papers_boundaries_at_a_cap_of_100(left: int, level: str) -> None:
    assert Levels().of(left, 100) == level


@pytest.mark.parametrize("cap", [10, 20, 30, 50, 200])
@pytest.mark.parametrize(("tenths", "level"), [(7, Level.HIGH), (3, Level.MEDIUM), (1, Level.LOW)])
def test_exactly_at_a_boundary_is_the_upper_level_at_any_cap(cap: int, tenths: int, level: Level) -> None:
    """One minus used over cap, in floats, gets these wrong."""
    assert Levels().of(cap * tenths // 10, cap) is level


@pytest.mark.parametrize(
    ("queries", "urls", "level"), [((80, 100), (0, 100), Level.CRITICAL), ((80, 100), (25, 100), Level.LOW)]
)
def test_two_budgets_have_the_worse_level_of_the_two(
    queries: tuple[int, int], urls: tuple[int, int], level: Level
) -> None:
    assert worst(Levels().of(left, cap) for left, cap in (queries, urls)) is level


def test_nothing_left_is_critical_whatever_the_thresholds() -> None:
    assert Levels(high=0, medium=0, low=0).of(0, 10) is Level.CRITICAL


def test_a_limit_of_zero_was_never_there_to_plan_with() -> None:
    """A tool that is forbidden from the start does not put the whole run in a panic."""
    assert Levels().of(0, 0) is Level.HIGH
    with Budget(llm_calls=10, tools={"browse": 0}).open() as run:
        assert run.level is Level.HIGH


def test_no_limit_is_high() -> None:
    with Budget().open() as run:
        run.charge(Spend(llm_calls=1000))
        assert run.level is Level.HIGH


@given(st.integers(1, 10**12), st.data())
def test_less_left_is_never_a_better_level(cap: int, data: st.DataObject) -> None:
    more = data.draw(st.integers(0, cap))
    less = data.draw(st.integers(0, more))
    assert SEVERITY.index(Levels().of(less, cap)) >= SEVERITY.index(Levels().of(more, cap))


@pytest.mark.parametrize("tenth", ["0.1", 0.1, Decimal("0.1"), "1/10"])
def test_a_threshold_means_what_it_says(tenth: Any) -> None:
    """The float 0.1 is a little more than a tenth; a person who writes it means a tenth."""
    assert Levels(low=tenth).of(10, 100) is Level.LOW


@pytest.mark.parametrize("steps", [("0.3", "0.7", "0.1"), ("1.1", "0.3", "0.1"), ("0.7", "0.3", "-0.1")])
def test_thresholds_must_fall(steps: tuple[str, str, str]) -> None:
    with pytest.raises(ValueError, match="must fall: 1 >= high >= medium >= low >= 0"):
        Levels(*steps)


def test_the_user_sets_where_the_levels_begin() -> None:
    with Budget(llm_calls=10, levels=Levels(high="0.9", medium="0.5", low="0.2")).open() as run:
        seen = [run.level]
        for _ in range(9):
            run.charge(Spend(llm_calls=1))
            seen.append(run.level)
    assert seen == ["high"] * 2 + ["medium"] * 4 + ["low"] * 3 + ["critical"]


def test_the_level_is_the_worst_of_all_resources_here_and_above() -> None:
    with Budget(usd=1, llm_calls=10).open() as outer:
        outer.charge(Spend(usd="0.75"))
        with Budget(llm_calls=2).open() as inner:
            inner.charge(Spend(llm_calls=1))
            assert inner.levels == {"usd": Level.LOW, "llm_calls": Level.MEDIUM}
            assert inner.level is Level.LOW
