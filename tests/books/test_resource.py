from __future__ import annotations

import decimal
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetkit import Spend, resource
from budgetkit._resource import from_units, nearest, to_units


@pytest.mark.parametrize(
    ("name", "amount", "units"),
    [
        ("usd", "0.05", 50_000_000),
        ("usd", Decimal("0.000000001"), 1),
        ("usd", 2, 2_000_000_000),
        ("usd", 0.1, 100_000_000),
        ("usd", "0.0500000000000000000000000000000000000000000000000000", 50_000_000),
        ("usd", "9223372036.854775807", 2**63 - 1),
        ("seconds", 1.5, 1_500),
        ("seconds", timedelta(minutes=1), 60_000),
        ("llm_calls", 7, 7),
        ("tool:search", 2**63 - 1, 2**63 - 1),
    ],
)
def test_an_amount_becomes_whole_units(name: str, amount: object, units: int) -> None:
    assert to_units(name, amount) == units


@pytest.mark.parametrize(
    ("name", "amount", "error", "message"),
    [
        ("usd", "-0.01", ValueError, "usd='-0.01' is negative: a limit or an amount is 0 or more"),
        ("usd", "NaN", ValueError, "usd='NaN' is not finite: leave usd out for no limit"),
        ("usd", float("inf"), ValueError, "usd=inf is not finite: leave usd out for no limit"),
        ("usd", "five", ValueError, "usd='five' is not a number: write it like '0.05'"),
        ("usd", "1e-10", ValueError, "usd='1e-10' is finer than one nano-dollar: round it to 0.000000001"),
        (
            "usd",
            "1e-999999999",
            ValueError,
            "usd='1e-999999999' is finer than one nano-dollar: round it to 0.000000001",
        ),
        (
            "usd",
            "1e999999999",
            ValueError,
            "usd='1e999999999' is more than the books hold: at most 9223372036.854775807",
        ),
        ("usd", True, TypeError, "usd=True must be a number or a string like '0.05', not bool"),
        ("usd", [1], TypeError, "usd=[1] must be a number or a string like '0.05', not list"),
        ("seconds", 0.0001, ValueError, "seconds=0.0001 is finer than one millisecond: round it to 0.001"),
        (
            "seconds",
            timedelta(seconds=-1),
            ValueError,
            "seconds=Decimal('-1') is negative: a limit or an amount is 0 or more",
        ),
        ("llm_calls", -1, ValueError, "llm_calls=-1 is negative: a limit or an amount is 0 or more"),
        ("llm_calls", 2.0, TypeError, "llm_calls=2.0 must be a whole number (int), not float"),
        ("llm_calls", "2", TypeError, "llm_calls='2' must be a whole number (int), not str"),
        ("llm_calls", True, TypeError, "llm_calls=True must be a whole number (int), not bool"),
        ("llm_calls", 2**63, ValueError, "llm_calls is more than the books hold: at most 9223372036854775807"),
        pytest.param(
            "llm_calls",
            10**5000,
            ValueError,
            "llm_calls is more than the books hold: at most 9223372036854775807",
            id="huge",
        ),
    ],
)
def test_an_amount_that_cannot_be_is_refused_by_name(
    name: str, amount: object, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as refused:
        to_units(name, amount)
    assert str(refused.value) == message


@given(st.integers(0, 2**63 - 1), st.sampled_from(["usd", "seconds", "llm_calls", "tool:x", "pages"]))
def test_units_survive_the_way_to_the_user_and_back(units: int, name: str) -> None:
    assert to_units(name, from_units(name, units)) == units


def test_the_users_decimal_context_does_not_round_the_books() -> None:
    with decimal.localcontext() as context:
        context.prec = 3
        assert from_units("usd", 1_234_567_891) == Decimal("1.234567891")
        assert to_units("usd", "1.234567891") == 1_234_567_891


@pytest.mark.parametrize("name", ["", "x" * 201, "a\nb", "a\x00", "tool:", "tool:a\tb"])
def test_a_name_that_cannot_be_printed_names_no_resource(name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a resource: use 1 to 200 printable characters"):
        resource(name)


@pytest.mark.parametrize(
    ("slip", "meant"), [("llm_call", "llm_calls"), ("output_token", "output_tokens"), ("tool_call", "tool_calls")]
)
def test_a_misspelt_resource_is_not_a_new_one_that_nothing_limits(slip: str, meant: str) -> None:
    with pytest.raises(ValueError, match=f"no resource '{slip}': did you mean '{meant}'"):
        Spend.of({slip: 1})


@pytest.mark.parametrize("name", ["pages", "gpu_seconds", "tool:llm_call", "emails", "Seiten übersetzt"])
def test_a_resource_may_have_a_name_of_its_own(name: str) -> None:
    assert resource(name).name == name
    assert Spend()[name] == 0


def test_the_nearest_name_is_found_among_any() -> None:
    found: list[Any] = [nearest("tool_cals"), nearest("reactt", ["react", "bats"]), nearest("zzz")]
    assert found == ["tool_calls", "react", None]
