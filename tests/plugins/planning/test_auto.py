"""`Auto` goes by the size of the budget."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetkit.plugins import Auto, Bats, Bavt, Left, React, Strategy, UniformTree, Voi, settled
from budgetkit.testing import play


def budget(**caps: int) -> Left:
    return Left(caps, caps)


@pytest.mark.parametrize(
    ("caps", "kind"),
    [
        ({"tool_calls": 0}, Voi),
        ({"tool_calls": 3}, Voi),
        ({"tool_calls": 4}, Bavt),
        ({"tool_calls": 20}, Bavt),
        ({"tool_calls": 21}, Bats),
        ({"tool:search": 3, "tool_calls": 50}, Voi),
        ({"tool_calls": 50, "output_tokens": 100}, Bats),
        ({"llm_calls": 6}, Voi),
        ({"llm_calls": 40}, Bavt),
        ({"output_tokens": 500}, Voi),
        ({"output_tokens": 8_000}, Bavt),
        ({"output_tokens": 100_000, "llm_calls": 8}, Bavt),
        ({"total_tokens": 1_000_000}, Bats),
        ({"usd": 5}, Bats),
        ({}, Bats),
    ],
)
def test_the_choice_follows_from_the_limits(caps: Mapping[str, int], kind: type[Strategy]) -> None:
    papers = Auto(choices=((3, Voi()), (20, Bavt()), (None, Bats())))
    assert type(papers.choose(Left(caps, caps))) is kind


@pytest.mark.parametrize(("calls", "choice"), [(1, Voi(stops=False)), (20, Voi(stops=False)), (21, Bats())])
def test_by_default_it_takes_what_was_measured_best(calls: int, choice: Strategy) -> None:
    assert Auto().choose(Left({"tool_calls": calls}, {"tool_calls": calls})) == choice


@given(st.integers(0, 100), st.integers(0, 100))
def test_the_choice_does_not_follow_from_what_is_left(cap: int, left: int) -> None:
    assert Auto().choose(Left({"tool_calls": min(left, cap)}, {"tool_calls": cap})) == Auto().choose(
        budget(tool_calls=cap)
    )


def test_thresholds_and_strategies_can_be_set() -> None:
    auto = Auto(choices=((1, React()), (None, UniformTree(width=2))))
    assert [auto.choose(budget(tool_calls=calls)) for calls in (1, 2)] == [React(), UniformTree(width=2)]


def test_a_search_is_settled_on_the_choice_and_named_after_it() -> None:
    auto = Auto(choices=((1, React(tracker=True)), (None, Bats())))
    assert (settled(auto, budget(tool_calls=1)), settled(auto, budget(tool_calls=9))) == (React(tracker=True), Bats())
    assert play(auto, limits={"tool_calls": 9}).tree.strategy == "bats"


def test_a_choice_may_choose_itself_and_others_stay_what_they_are() -> None:
    inner = Auto(choices=((5, React()), (None, Bats())))
    assert settled(Auto(choices=((9, inner), (None, UniformTree()))), budget(tool_calls=5)) == React()
    assert settled(React(), budget(tool_calls=99)) == React()


def test_asked_directly_it_asks_its_choice() -> None:
    auto = Auto(choices=((None, React()),))
    run = play(React(), limits={"tool_calls": 2})
    left = budget(tool_calls=2)
    assert auto.ask(run.tree, left) == React().ask(run.tree, left) == []
    assert (auto.name, auto.tracker, auto.newest_only) == ("auto", False, False)


@pytest.mark.parametrize("bounds", [(), (3,), (3, 2, None), (None, 3), (3, 3, None)])
def test_a_table_that_leaves_budgets_out_is_refused(bounds: tuple[int | None, ...]) -> None:
    with pytest.raises(ValueError, match=r"tool calls: begin with the smallest, end with \(None, strategy\)$"):
        Auto(choices=tuple((upto, React()) for upto in bounds))


def test_a_need_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^per_call\['llm_calls'\]=0 is no amount: use 1 or more$"):
        Auto(per_call={"llm_calls": 0})
