"""Theorem 1 of BAVT: how many expansions a search needs, and what risk so many buy off."""

from __future__ import annotations

import random
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetkit.plugins import epsilon_of, expansions_needed

STEPS = st.integers(1, 30)
CHANCES = st.floats(0.01, 1)
RISKS = st.floats(1e-9, 0.999)


@pytest.mark.parametrize(
    ("steps", "p_min", "epsilon", "needed"), [(3, 0.5, 0.05, 27), (4, 0.5, 0.1, 26), (2, 0.25, 0.05, 46)]
)
def test_the_bound_has_the_values_that_its_formula_gives(steps: int, p_min: float, epsilon: float, needed: int) -> None:
    assert expansions_needed(steps, p_min, epsilon) == needed


@given(STEPS, CHANCES, RISKS)
def test_the_bound_is_no_weaker_than_the_truth(steps: int, p_min: float, epsilon: float) -> None:
    """The exact probability that so many independent expansions bring too few steps is at most epsilon."""
    n = expansions_needed(steps, p_min, epsilon)
    too_few = sum(comb(n, k) * p_min**k * (1 - p_min) ** (n - k) for k in range(steps))
    assert too_few <= epsilon


@pytest.mark.parametrize(("steps", "p_min", "epsilon"), [(3, 0.5, 0.05), (4, 0.5, 0.1), (2, 0.25, 0.05)])
def test_simulated_searches_end_as_often_as_promised(steps: int, p_min: float, epsilon: float) -> None:
    chance = random.Random(7)
    n = expansions_needed(steps, p_min, epsilon)
    ended = sum(sum(chance.random() < p_min for _ in range(n)) >= steps for _ in range(2000))
    assert ended / 2000 >= 1 - epsilon


@given(st.integers(0, 3000), STEPS, CHANCES)
def test_what_expansions_buy_costs_no_more_than_them(expansions: int, steps: int, p_min: float) -> None:
    epsilon = epsilon_of(expansions, steps, p_min)
    assert (epsilon == 1) == (expansions * p_min <= steps) or epsilon == pytest.approx(1)
    assert epsilon == 1 or expansions_needed(steps, p_min, epsilon) <= expansions


@given(st.integers(0, 300), STEPS, CHANCES)
def test_nothing_below_it_is_bought(expansions: int, steps: int, p_min: float) -> None:
    """Against brute force: of all risks on a fine grid the least that so many expansions pay for is no less."""
    epsilon = epsilon_of(expansions, steps, p_min)
    grid = [i / 500 for i in range(1, 500)]
    paid = [risk for risk in grid if expansions_needed(steps, p_min, risk) <= expansions]
    assert min(paid, default=1.0) >= epsilon
    assert min(paid, default=1.0) - epsilon <= 1 / 500 + 1e-9


@given(STEPS, CHANCES, RISKS)
def test_what_is_needed_for_a_risk_buys_it(steps: int, p_min: float, epsilon: float) -> None:
    assert epsilon_of(expansions_needed(steps, p_min, epsilon), steps, p_min) <= epsilon * (1 + 1e-9)


@given(STEPS, CHANCES, st.integers(0, 500), st.integers(0, 500))
def test_more_expansions_never_raise_the_risk(steps: int, p_min: float, one: int, more: int) -> None:
    assert epsilon_of(one + more, steps, p_min) <= epsilon_of(one, steps, p_min)


def test_the_largest_budget_still_has_a_risk() -> None:
    assert 0 < epsilon_of(10**9, steps=3, p_min=0.5) < 1e-300


@pytest.mark.parametrize(
    ("steps", "p_min", "epsilon", "message"),
    [
        (0, 0.5, 0.1, "steps=0 leaves nothing to find out: use 1 or more"),
        (3, 0.0, 0.1, "p_min=0.0 is no probability that a step succeeds: use more than 0 and at most 1"),
        (3, 1.1, 0.1, "p_min=1.1 is no probability that a step succeeds: use more than 0 and at most 1"),
        (3, float("nan"), 0.1, "p_min=nan is no probability that a step succeeds: use more than 0 and at most 1"),
        (3, 0.5, 0.0, "epsilon=0.0 is no risk that can be bought off: use more than 0 and less than 1"),
        (3, 0.5, 1.0, "epsilon=1.0 is no risk that can be bought off: use more than 0 and less than 1"),
    ],
)
def test_what_is_out_of_range_is_named(steps: int, p_min: float, epsilon: float, message: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the whole message is compared
        expansions_needed(steps, p_min, epsilon)
    assert str(raised.value) == message


def test_a_negative_number_of_expansions_is_named() -> None:
    with pytest.raises(ValueError, match=r"^expansions=-1 is no number of expansions: use 0 or more$"):
        epsilon_of(-1, 3, 0.5)
