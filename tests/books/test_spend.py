from __future__ import annotations

import copy
import pickle
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetkit import Spend

NAMES = ("usd", "llm_calls", "tool:search", "pages")
spends = st.builds(
    Spend.from_units,
    st.dictionaries(st.sampled_from(NAMES), st.integers(0, 2**70)),
    estimated=st.frozensets(st.sampled_from(NAMES)),
    unmeasured=st.frozensets(st.sampled_from(NAMES)),
)


def test_counts_are_int_and_money_is_decimal() -> None:
    spend = Spend(usd="0.10", llm_calls=2, tools={"search": 3}, seconds=1.5)
    assert (spend["usd"], spend["llm_calls"], spend["tool:search"], spend["seconds"]) == (
        Decimal("0.1"),
        2,
        3,
        Decimal("1.5"),
    )
    assert isinstance(spend["llm_calls"], int)


def test_what_was_not_touched_is_zero_in_its_own_type() -> None:
    assert (Spend()["llm_calls"], Spend()["usd"]) == (0, Decimal(0))
    assert isinstance(Spend()["usd"], Decimal)


def test_unknown_is_not_zero() -> None:
    unknown = Spend(usd=None, llm_calls=1)
    assert unknown["usd"] is None
    assert unknown.unmeasured == {"usd"}
    assert unknown != Spend(llm_calls=1)
    assert bool(Spend(usd=None))


def test_unknown_and_known_make_at_least() -> None:
    total = Spend(usd=None) + Spend(usd="0.2")
    assert total["usd"] == Decimal("0.2")
    assert total.unmeasured == {"usd"}
    assert repr(total) == "Spend(usd=≥0.2)"


def test_an_empty_spend_is_falsy_and_zero_is_empty() -> None:
    assert not Spend()
    assert Spend(llm_calls=0) == Spend()
    assert len(Spend(llm_calls=1, usd=None)) == 2


def test_it_prints_what_is_known_estimated_and_unknown() -> None:
    spend = Spend.from_units({"llm_calls": 2, "usd": 100_000_000}, estimated=["usd"], unmeasured=["pages"])
    assert repr(spend) == "Spend(llm_calls=2, usd=~0.1, pages=unknown)"


@given(spends, spends, spends)
def test_adding_is_commutative_and_associative_and_loses_nothing(a: Spend, b: Spend, c: Spend) -> None:
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert all((a + b).in_units(n) == a.in_units(n) + b.in_units(n) for n in NAMES)
    assert a + Spend() == a


@given(spends, spends)
def test_it_is_ordered_where_every_resource_is(a: Spend, b: Spend) -> None:
    assert a <= a + b
    assert (a <= b) == all(a.in_units(n) <= b.in_units(n) for n in NAMES)


@given(spends)
def test_it_is_a_value(spend: Spend) -> None:
    assert pickle.loads(pickle.dumps(spend)) == spend  # noqa: S301 - made here
    assert copy.deepcopy(spend) == spend
    assert hash(copy.copy(spend)) == hash(spend)


@given(spends)
def test_it_is_a_mapping_of_what_it_names(spend: Spend) -> None:
    assert set(dict(spend)) == {*spend.names, *spend.unmeasured}
    assert all(name in spend for name in spend)
    assert len(spend) == len(list(spend))


@given(st.dictionaries(st.sampled_from(NAMES), st.integers(0, 2**62)))
def test_it_is_read_back_from_what_it_shows(units: dict[str, int]) -> None:
    spend = Spend.from_units(units)
    assert Spend.of(spend) == spend


def test_it_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match="a Spend is immutable: make a new one instead of setting 'units'"):
        Spend(llm_calls=1).units = (0,)


def test_a_slip_of_the_pen_is_not_read_as_nothing_spent() -> None:
    with pytest.raises(KeyError, match="no resource 'llm_call': did you mean 'llm_calls'"):
        Spend(llm_calls=3)["llm_call"]  # pyright: ignore[reportUnusedExpression]  # reading raises


@pytest.mark.parametrize("units", [-1, 1.5, float("nan"), None, "3"])
def test_what_is_no_whole_unit_is_refused(units: Any) -> None:
    """Rule 8: an amount below zero would give money back, a NaN would pass every comparison."""
    with pytest.raises(
        ValueError, match=r"llm_calls=.* is no amount in whole units: it must be an integer of 0 or more"
    ):
        Spend.from_units({"llm_calls": units})


@pytest.mark.parametrize("name", ["usd", "tool:search"])
def test_a_built_in_resource_has_one_way_in(name: str) -> None:
    with pytest.raises(ValueError, match=f"custom\\['{name}'\\] is built in: pass it as its own argument"):
        Spend(custom={name: 1})


def test_adding_something_else_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="unsupported operand"):
        Spend() + 1  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]  # that is the test


def test_a_name_that_a_model_made_up_still_prints() -> None:
    assert repr(Spend.from_units({"tool:a\nb": 1})) == "Spend(tool:a\nb=1)"
