"""Bootstrap arithmetic, against scipy and against itself done by hand."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap

from budgetkit.evals import interval

ESTIMATE: Any = import_module("budgetkit.evals._estimate")
average, estimates = ESTIMATE.average, ESTIMATE.estimates

numbers = st.floats(-5, 5, allow_nan=False)
pairs = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=25)


def test_an_interval_is_the_one_that_scipy_finds() -> None:
    values = np.sort(np.random.default_rng(1).random(200))
    theirs = bootstrap(
        (values,), np.mean, n_resamples=2_000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    ours = interval(values.tolist())

    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@settings(deadline=None, max_examples=30)
@given(pairs)
def test_the_difference_of_two_estimates_is_the_estimate_of_the_differences(values: list[tuple[float, float]]) -> None:
    a, b = np.array(values).T
    found = estimates({"a": a, "b": b, "difference": a - b}, seed=3)
    apart = found["a"] - found["b"]

    assert apart.mean == pytest.approx(found["difference"].mean, abs=1e-9)
    assert apart.resampled == pytest.approx(found["difference"].resampled, abs=1e-9)


@settings(deadline=None, max_examples=30)
@given(pairs)
def test_every_resample_lies_within_the_values(values: list[tuple[float, float]]) -> None:
    a = np.array(values)[:, 0]
    found = estimates({"a": a})["a"]

    assert found.resampled.min() >= a.min() - 1e-9
    assert found.resampled.max() <= a.max() + 1e-9
    assert found.mean == pytest.approx(a.mean(), abs=1e-9)


def test_many_questions_are_drawn_in_blocks_and_give_the_same_kind_of_interval() -> None:
    values = np.random.default_rng(2).random(5_000)  # 100 resamples a block
    found = interval(values)

    assert found.n == 5_000
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 5_000**0.5, rel=0.1)


def test_the_average_of_two_suites_is_tighter_than_either() -> None:
    rng = np.random.default_rng(4)
    one, other = (estimates({"x": rng.random(300)}, seed=seed)["x"] for seed in ((1,), (2,)))
    both = average([one, other])

    assert both.mean == pytest.approx((one.mean + other.mean) / 2)
    assert both.n == 600
    assert both.resampled.std() == pytest.approx((one.resampled.var() + other.resampled.var()) ** 0.5 / 2, rel=0.1)


def test_an_interval_needs_a_value() -> None:
    with pytest.raises(ValueError, match=r"^an interval needs at least one value$"):
        interval([])
