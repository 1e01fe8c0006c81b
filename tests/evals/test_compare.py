"""Agents against a base: at equal limit, at equal cost, and over suites; all results are made up."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from budgetkit.evals import Comparison, Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .conftest import WriteRun


def one(found: Sequence[Comparison], at: str, suite: str = "towns", budget: str = "tool_calls=5") -> Comparison:
    return next(each for each in found if (each.at, each.suite, each.cell.budget) == (at, suite, budget))


def test_the_verdict_is_the_intervals(write_run: WriteRun) -> None:
    base = [0.5] * 40
    paths = [
        write_run("base", f1=base),
        write_run("up", f1=[0.6] * 40),
        write_run("down", f1=[0.4] * 40),
        write_run("even", f1=[0.0, 1.0] * 20),
    ]
    found = Report.read(paths).compare("base", metric="f1")

    assert {each.cell.agent: each.verdict for each in found if each.at == "limit"} == {
        "up": "better",
        "down": "worse",
        "even": "no difference",
    }


def test_pairing_takes_out_what_questions_have_in_common(write_run: WriteRun) -> None:
    hard = np.linspace(0, 0.9, 50)
    found = Report.read([write_run("base", f1=hard), write_run("new", f1=hard + 0.01)]).compare("base", metric="f1")
    difference = one(found, "limit").difference

    assert difference is not None
    assert (difference.low, difference.high) == pytest.approx((0.01, 0.01), abs=1e-9)


def test_at_equal_cost_the_base_is_mixed_of_its_budgets_to_what_was_really_spent(write_run: WriteRun) -> None:
    paths = [
        write_run("base", calls=2, f1=[0.2] * 20, tool_calls=[2] * 20),
        write_run("base", calls=5, f1=[0.8] * 20, tool_calls=[4] * 20),
        write_run("thrifty", calls=5, f1=[0.7] * 20, tool_calls=[3] * 20),
    ]
    found = Report.read(paths).compare("base", metric="f1")
    limit, cost = one(found, "limit"), one(found, "cost")

    assert limit.difference is not None
    assert cost.difference is not None
    assert limit.difference.mean == pytest.approx(-0.1)  # the base at its five calls
    assert cost.difference.mean == pytest.approx(0.7 - 0.5)  # the base halfway between 2 and 4 calls
    assert (limit.verdict, cost.verdict, cost.spent) == ("worse", "better", 3)
    assert str(cost) == (
        "towns: thrifty at tool_calls=5 against base at equal cost: F1 0.200 [0.200, 0.200], better "
        "(50% tool_calls=2 + 50% tool_calls=5)"
    )


def test_the_chance_in_what_was_spent_is_in_the_interval(write_run: WriteRun) -> None:
    calls = [2, 4] * 30
    paths = [
        write_run("base", calls=2, f1=[0.0] * 60, tool_calls=[1] * 60),
        write_run("base", calls=5, f1=[1.0] * 60, tool_calls=[5] * 60),
        write_run("new", calls=5, f1=[0.5] * 60, tool_calls=calls),
    ]
    difference = one(Report.read(paths).compare("base", metric="f1"), "cost").difference

    assert difference is not None
    assert difference.mean == pytest.approx(0)
    assert difference.high - difference.low == pytest.approx(2 * 1.96 * (1 / 4) / 60**0.5, rel=0.15)


@pytest.mark.parametrize(("spent", "told"), [(9, "not reachable"), (1, "not reachable"), (4, "no difference")])
def test_a_cost_that_the_base_never_has_is_not_reachable(write_run: WriteRun, spent: int, told: str) -> None:
    paths = [
        write_run("base", calls=2, f1=[0.5] * 9, tool_calls=[2] * 9),
        write_run("base", f1=[0.5] * 9, tool_calls=[5] * 9),
        write_run("new", f1=[0.5] * 9, tool_calls=[spent] * 9),
    ]
    found = one(Report.read(paths).compare("base", metric="f1"), "cost")

    assert found.verdict == told
    if told == "not reachable":
        assert found.note == "base spends from 2 to 5 tool_calls, as far as it was run"


def test_an_unknown_cost_is_unknown_and_not_zero(write_run: WriteRun) -> None:
    paths = [write_run("base", f1=[0.5] * 9, usd=[0.1] * 9), write_run("new", f1=[0.5] * 9, usd=[None] * 9)]
    found = one(Report.read(paths).compare("base", metric="f1", cost="usd"), "cost")

    assert (found.verdict, found.note, found.spent) == ("unknown", "new has no usd", None)


def test_a_budget_that_the_base_was_not_run_at_is_compared_at_equal_cost_alone(write_run: WriteRun) -> None:
    paths = [
        write_run("base", calls=3, f1=[0.5] * 9, tool_calls=[3] * 9),
        write_run("new", calls=5, f1=[0.6] * 9, tool_calls=[3] * 9),
    ]
    found = Report.read(paths).compare("base", metric="f1")

    assert (one(found, "limit").verdict, one(found, "limit").note) == ("unknown", "base has no f1 at tool_calls=5")
    assert one(found, "cost").verdict == "better"


def test_the_mean_over_suites_weighs_suites_alike_and_resamples_each_by_itself(write_run: WriteRun) -> None:
    rng = np.random.default_rng(5)
    paths = []
    for suite, n in (("small", 50), ("large", 450)):
        base = rng.random(n)
        gain = (0.3 if suite == "small" else 0.1) + rng.normal(0, 0.5, n)
        paths += [write_run("base", suite=suite, f1=base), write_run("new", suite=suite, f1=base + gain)]
    found = Report.read(paths).compare("base", metric="f1")
    small, large = (one(found, "limit", suite) for suite in ("small", "large"))
    both = one(found, "limit", "mean of small, large")

    assert small.gain
    assert large.gain
    assert both.gain
    assert both.gain.mean == pytest.approx((small.gain.mean + large.gain.mean) / 2)
    expected = (small.gain.resampled.var() + large.gain.resampled.var()) ** 0.5 / 2
    assert both.gain.resampled.std() == pytest.approx(expected, rel=0.1)


def test_the_mean_is_unreachable_if_one_suite_is(write_run: WriteRun) -> None:
    paths = []
    for suite, spent in (("a", 3), ("b", 9)):
        paths += [
            write_run("base", suite=suite, calls=2, f1=[0.5] * 9, tool_calls=[2] * 9),
            write_run("base", suite=suite, f1=[0.5] * 9, tool_calls=[5] * 9),
            write_run("new", suite=suite, f1=[0.5] * 9, tool_calls=[spent] * 9),
        ]
    mean = one(Report.read(paths).compare("base", metric="f1"), "cost", "mean of a, b")

    assert (mean.verdict, mean.spent) == ("not reachable", 6)
    assert mean.note == "b: base spends from 2 to 5 tool_calls, as far as it was run"


def test_without_a_metric_it_is_kept_recall_where_that_is_known(write_run: WriteRun) -> None:
    known: dict[str, list[float]] = {"kept_recall": [0.5] * 9, "f1": [0.1] * 9}
    paths = [
        *(write_run(agent, suite=suite, **known) for suite in ("a", "b") for agent in ("base", "new")),
        *(write_run(agent, suite="blind", f1=[0.1] * 9) for agent in ("base", "new")),
    ]
    found = Report.read(paths).compare("base")

    assert {each.suite: each.metric for each in found} == {
        "a": "kept_recall",
        "b": "kept_recall",
        "blind": "f1",
        "mean of a, b": "kept_recall",
    }


@pytest.mark.parametrize(
    ("base", "metric", "cost", "told"),
    [
        ("bse", None, "usd", "cannot compare with 'bse', which is not run: it runs base, new"),
        ("base", "f2", "usd", "unknown metric 'f2': use one of kept_recall, recall, em, f1"),
        (
            "base",
            None,
            "euro",
            "unknown cost 'euro': use one of llm_calls, tool_calls, input_tokens, output_tokens, total_tokens, ...",
        ),
    ],
)
def test_what_there_is_not_to_compare_is_named(
    write_run: WriteRun, base: str, metric: str | None, cost: str, told: str
) -> None:
    report = Report.read([write_run("base", f1=[0.5]), write_run("new", f1=[0.5])])
    with pytest.raises(ValueError, match=f"^{re.escape(told.removesuffix('...'))}"):
        report.compare(base, metric=metric, cost=cost)


def test_an_agent_is_not_compared_with_itself_alone(write_run: WriteRun) -> None:
    told = "nothing to compare with 'base': name another agent beside it"
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        Report.read([write_run("base", f1=[0.5])]).compare("base")
