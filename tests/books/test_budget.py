from __future__ import annotations

import copy
import pickle
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from budgetkit import Budget, Level, Levels, Spend

FULL = Budget(
    usd="0.05", llm_calls=20, tool_calls=10, tools={"search": 5}, input_tokens=50_000, output_tokens=2_000,
    total_tokens=51_000, seconds=60, custom={"pages": 3}, answer_reserve={"output_tokens": 200},
)  # fmt: skip


def test_limits_are_read_as_they_were_written() -> None:
    assert FULL.limits == {
        "usd": Decimal("0.05"), "llm_calls": 20, "tool_calls": 10, "tool:search": 5, "input_tokens": 50_000,
        "output_tokens": 2_000, "total_tokens": 51_000, "seconds": 60, "pages": 3,
    }  # fmt: skip
    assert FULL.limits_in_units["usd"] == 50_000_000
    assert FULL.answer_reserve == Spend(output_tokens=200)


def test_what_is_left_out_has_no_limit() -> None:
    assert "usd" not in Budget(llm_calls=1).limits
    with Budget(llm_calls=1).open() as run:
        assert run.remaining["usd"] is None


def test_a_limit_of_zero_is_a_limit() -> None:
    assert Budget(llm_calls=0).limits == {"llm_calls": 0}


def test_time_may_be_a_timedelta() -> None:
    assert Budget(seconds=timedelta(minutes=2)).limits_in_units == {"seconds": 120_000}


@pytest.mark.parametrize(
    ("limits", "error", "message"),
    [
        ({"usd": "-1"}, ValueError, "usd='-1' is negative: a limit or an amount is 0 or more"),
        ({"usd": float("nan")}, ValueError, "usd=nan is not finite: leave usd out for no limit"),
        ({"llm_calls": 1.5}, TypeError, "llm_calls=1.5 must be a whole number (int), not float"),
        ({"tools": {"search": -2}}, ValueError, "tools['search']=-2 is negative: a limit or an amount is 0 or more"),
        ({"tools": {"": 1}}, ValueError, "'tool:' cannot name a resource: use 1 to 200 printable characters"),
        ({"custom": {"usd": 1}}, ValueError, "custom['usd'] is built in: pass it as its own argument"),
        ({"custom": {"tool:x": 1}}, ValueError, "custom['tool:x'] is built in: pass it as its own argument"),
        ({"custom": {"pages": "3"}}, TypeError, "custom['pages']='3' must be a whole number (int), not str"),
        (
            {"custom": {"llm_call": 1}},
            ValueError,
            "no resource 'llm_call': did you mean 'llm_calls'? A resource of your own needs another name",
        ),
        (
            {"output_tokens": 9, "total_tokens": 5},
            ValueError,
            (
                "output_tokens=9 contradicts total_tokens=5: it can never be reached; "
                "lower output_tokens or raise total_tokens"
            ),
        ),
        (
            {"tool_calls": 2, "tools": {"search": 3}},
            ValueError,
            (
                "tools['search']=3 contradicts tool_calls=2: it can never be reached; "
                "lower tools['search'] or raise tool_calls"
            ),
        ),
        (
            {"output_tokens": 100, "answer_reserve": {"output_tokens": 200}},
            ValueError,
            "answer_reserve['output_tokens']=200 is more than the limit 100: lower it or raise output_tokens",
        ),
        (
            {"answer_reserve": {"usd": "-1"}},
            ValueError,
            "answer_reserve['usd']='-1' is negative: a limit or an amount is 0 or more",
        ),
    ],
)
def test_a_limit_that_cannot_be_is_refused_by_its_argument(
    limits: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Rule 8: fail closed."""
    with pytest.raises(error) as refused:
        Budget(**limits)
    assert str(refused.value) == message


def test_an_unknown_argument_is_pythons_own_error() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'dollars'"):
        Budget(dollars=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # that is the test


def test_a_command_reads_a_budget_from_one_line() -> None:
    parsed = Budget.parse("tool_calls=5, usd=0.05,tool:search=3,seconds=1.5,input_tokens=50_000")
    assert parsed == Budget(tool_calls=5, usd="0.05", tools={"search": 3}, seconds="1.5", input_tokens=50_000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "budget '' names no limit: write it like 'tool_calls=5,usd=0.05'"),
        ("usd", "'usd' is not a limit: write it like 'tool_calls=5'"),
        ("usd=", "'usd=' is not a limit: write it like 'tool_calls=5'"),
        ("tool_cals=5", "unknown resource 'tool_cals': did you mean 'tool_calls'?"),
        ("tool_calls=2.5", "tool_calls='2.5' must be a whole number"),
        ("tool_calls=-1", "tool_calls=-1 is negative: a limit or an amount is 0 or more"),
        ("usd=1,usd=2", "budget 'usd=1,usd=2' names usd twice: give each limit once"),
        (
            "zzz=1",
            (
                "unknown resource 'zzz': use one of usd, input_tokens, output_tokens, total_tokens, llm_calls, "
                "tool_calls, seconds or tool:NAME"
            ),
        ),
    ],
)
def test_a_line_that_names_no_budget_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the whole message is compared
        Budget.parse(text)
    assert str(refused.value) == message


def test_a_budget_cannot_be_changed() -> None:
    with pytest.raises(TypeError, match="does not support item assignment"):
        FULL.limits_in_units["usd"] = 1  # type: ignore[index]  # pyright: ignore[reportIndexIssue]  # that is the test
    with pytest.raises(AttributeError, match="levels"):
        FULL.levels = Levels()  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]  # that is the test


def test_a_budget_is_a_value_and_copies_are_itself() -> None:
    """A graph that deep-copies its parts keeps the very budget that a scope was opened with."""
    twin = pickle.loads(pickle.dumps(FULL))  # noqa: S301 - made here
    assert (twin, hash(twin), repr(twin)) == (FULL, hash(FULL), repr(FULL))
    assert copy.deepcopy(FULL) is FULL
    assert copy.copy(FULL) is FULL
    assert Budget(llm_calls=1) != Budget(llm_calls=2)
    assert Budget(llm_calls=1) != Budget(llm_calls=1, levels=Levels(high="0.9"))


def test_it_prints_its_limits() -> None:
    assert repr(Budget(usd="0.05", tools={"search": 5})) == "Budget(usd=0.05, tool:search=5)"
    assert repr(Budget()) == "Budget(no limits)"
    assert (
        repr(Budget(llm_calls=2, answer_reserve={"llm_calls": 1}))
        == "Budget(llm_calls=2, answer_reserve=Spend(llm_calls=1))"
    )


def test_the_reserve_is_for_the_answer_alone() -> None:
    with Budget(llm_calls=3, answer_reserve={"llm_calls": 1}).open() as run:
        for _ in range(2):
            run.settle(run.reserve(Spend(llm_calls=1)), Spend(llm_calls=1))
        assert run.level is Level.MEDIUM
        with pytest.raises(Exception, match="limit 3, spent 2, reserved 1, asked 1"):
            run.reserve(Spend(llm_calls=1))
        answer = run.settle(run.reserve(Spend(llm_calls=1), final=True), Spend(llm_calls=1))
    assert (answer.spend, run.overshoot) == (Spend(llm_calls=1), Spend())
