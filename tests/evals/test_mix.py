"""The mixture of two budgets, against brute force over all the ways in which questions can be split."""

from __future__ import annotations

from importlib import import_module
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgetkit.evals import Estimate

estimates: Any = import_module("budgetkit.evals._estimate").estimates
MIX: Any = import_module("budgetkit.evals._mix")
Point, at_cost = MIX.Point, MIX.at_cost

shares = st.floats(0, 1)
costs = st.integers(0, 9).map(float)
FEW = 6
columns = st.lists(st.tuples(shares, shares, costs, costs), min_size=2, max_size=FEW)


def point(name: str, cost: float, quality: float) -> Any:
    return Point(name, level(cost), level(quality))


def level(value: float) -> Estimate:
    """What is the same for every question."""
    made: Estimate = estimates({"x": np.full(4, value)})["x"]
    return made


@settings(deadline=None, max_examples=60)
@given(columns, st.floats(0, 1))
def test_a_mixture_is_what_a_draw_per_question_comes_to_on_average(
    rows: list[tuple[float, float, float, float]], share: float
) -> None:
    cheap, dear, cheap_cost, dear_cost = np.array(rows).T
    dear_cost = dear_cost + cheap_cost + 1
    wanted = (1 - share) * cheap_cost.mean() + share * dear_cost.mean()
    found = estimates({"cheap": cheap, "dear": dear, "low": cheap_cost, "high": dear_cost})
    mixed = at_cost(
        [Point("cheap", found["low"], found["cheap"]), Point("dear", found["high"], found["dear"])], level(wanted)
    )
    assert mixed is not None
    weight = dict(mixed.shares).get("dear", 0.0)

    quality = cost = 0.0
    for draw in product((False, True), repeat=len(rows)):
        chance = np.prod([weight if taken else 1 - weight for taken in draw])
        quality += chance * np.where(draw, dear, cheap).mean()
        cost += chance * np.where(draw, dear_cost, cheap_cost).mean()
    assert mixed.quality.mean == pytest.approx(quality, abs=1e-9)
    assert cost == pytest.approx(wanted, abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(columns, st.floats(0.05, 0.95))
def test_each_resample_is_mixed_anew(rows: list[tuple[float, float, float, float]], share: float) -> None:
    cheap, dear, cheap_cost, more = np.array(rows).T
    dear_cost = cheap_cost + more + 1
    own_cost = (1 - share) * cheap_cost + share * dear_cost
    found = estimates({"cheap": cheap, "dear": dear, "low": cheap_cost, "high": dear_cost, "own": own_cost})
    mixed = at_cost(
        [Point("cheap", found["low"], found["cheap"]), Point("dear", found["high"], found["dear"])], found["own"]
    )
    assert mixed is not None
    for i in (0, 7, 1_999):
        low, high, own, worse, better = (
            float(found[name].resampled[i]) for name in ("low", "high", "own", "cheap", "dear")
        )
        weight = (own - low) / (high - low)
        assert mixed.quality.resampled[i] == pytest.approx((1 - weight) * worse + weight * better, abs=1e-9)


def test_the_neighbours_in_cost_are_mixed_whatever_the_order_of_the_budgets() -> None:
    curve = [point("ten", 10, 0.9), point("one", 1, 0.1), point("five", 5, 0.5), point("two", 2, 0.2)]
    mixed = at_cost(curve, level(3))

    assert mixed is not None
    assert mixed.quality.mean == pytest.approx(0.3)
    assert str(mixed) == "67% two + 33% five"


def test_a_cost_that_a_budget_has_needs_no_mixture() -> None:
    mixed = at_cost([point("one", 1, 0.1), point("five", 5, 0.5), point("same", 5, 0.9)], level(5))

    assert mixed is not None
    assert mixed.shares == (("five", 1.0),)
    assert mixed.quality.mean == 0.5


@pytest.mark.parametrize("wanted", [0.5, 5.5])
def test_a_cost_outside_of_all_budgets_is_not_reachable(wanted: float) -> None:
    assert at_cost([point("one", 1, 0.1), point("five", 5, 0.5)], level(wanted)) is None


def test_without_a_budget_nothing_is_reachable() -> None:
    assert at_cost([], level(1)) is None


@given(st.floats(1, 5))
def test_what_lies_between_two_budgets_is_between_their_scores(wanted: float) -> None:
    mixed = at_cost([point("one", 1, 0.1), point("five", 5, 0.5)], level(wanted))

    assert mixed is not None
    assert mixed.quality.mean == pytest.approx(wanted / 10)
