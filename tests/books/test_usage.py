"""Usage: one normal form for what every provider reports."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetkit._usage import Usage

ANYTHING: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([None, True, "7", 2.5, float("nan"), float("inf"), []]),
    st.integers(-50, 500),
)


def test_a_usage_counts_its_wholes_once() -> None:
    usage = Usage(input_tokens=100, output_tokens=20, cache_read=60, cache_write=40, reasoning=20)
    assert usage.total_tokens == 120


def test_usages_add_up_field_by_field() -> None:
    one = Usage(input_tokens=10, output_tokens=4, cache_read=3, cache_write=2, cache_write_1h=1, reasoning=4)
    two = Usage(input_tokens=1, output_tokens=1)
    assert one + two == Usage(
        input_tokens=11, output_tokens=5, cache_read=3, cache_write=2, cache_write_1h=1, reasoning=4
    )


def test_a_usage_adds_to_nothing_else() -> None:
    with pytest.raises(TypeError, match="unsupported operand"):
        Usage(input_tokens=1, output_tokens=1) + 1  # type: ignore[operator]  # the refusal is what is tested


@pytest.mark.parametrize("name", ["input_tokens", "output_tokens", "cache_read", "cache_write", "reasoning"])
@pytest.mark.parametrize("bad", [-1, True, 1.0, "1", None])
def test_a_count_that_is_no_integer_from_zero_up_is_refused_by_name(name: str, bad: Any) -> None:
    message = f"{name} must be an integer >= 0, not {bad!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Usage(**{"input_tokens": 1, "output_tokens": 1, name: bad})


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (
            {"cache_read": 6, "cache_write": 5},
            "cache_read + cache_write is a part of input_tokens and cannot be more: 11 > 10",
        ),
        ({"cache_write_1h": 1}, "cache_write_1h is a part of cache_write and cannot be more: 1 > 0"),
        ({"reasoning": 11}, "reasoning is a part of output_tokens and cannot be more: 11 > 10"),
    ],
)
def test_parts_beyond_their_whole_are_refused(counts: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Usage(input_tokens=10, output_tokens=10, **counts)


def test_an_openai_usage_object_is_read_whole() -> None:
    reported = {
        "prompt_tokens": 50,
        "completion_tokens": 20,
        "total_tokens": 70,
        "prompt_tokens_details": {"cached_tokens": 32, "created_cache_tokens": 5},
        "completion_tokens_details": {"reasoning_tokens": 7},
    }
    assert Usage.from_openai(reported) == Usage(
        input_tokens=50, output_tokens=20, cache_read=32, cache_write=5, reasoning=7
    )


def test_an_openai_usage_without_details_has_no_parts() -> None:
    reported = {"prompt_tokens": 50, "completion_tokens": 20, "prompt_tokens_details": None}
    assert Usage.from_openai(reported) == Usage(input_tokens=50, output_tokens=20)


def test_langchain_usage_metadata_is_read_whole() -> None:
    reported = {
        "input_tokens": 350,
        "output_tokens": 240,
        "total_tokens": 590,
        "input_token_details": {"audio": 10, "cache_creation": 200, "cache_read": 100},
        "output_token_details": {"audio": 10, "reasoning": 200},
    }
    assert Usage.from_langchain(reported) == Usage(
        input_tokens=350, output_tokens=240, cache_read=100, cache_write=200, reasoning=200
    )


def test_cache_writes_by_lifetime_are_told_apart() -> None:
    details = {"cache_creation": 0, "ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 20}
    usage = Usage.from_langchain({"input_tokens": 60, "output_tokens": 1, "input_token_details": details})
    assert (usage.cache_write, usage.cache_write_1h) == (50, 20)


def test_cache_writes_by_lifetime_are_not_added_to_their_sum() -> None:
    details = {"cache_creation": 50, "ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 20}
    usage = Usage.from_langchain({"input_tokens": 60, "output_tokens": 1, "input_token_details": details})
    assert (usage.cache_write, usage.cache_write_1h) == (50, 20)


@pytest.mark.parametrize("tier", ["priority", "flex"])
def test_the_keys_of_a_service_tier_are_read(tier: str) -> None:
    reported = {
        "input_tokens": 100,
        "output_tokens": 50,
        "input_token_details": {tier: 70, f"{tier}_cache_read": 30},
        "output_token_details": {tier: 40, f"{tier}_reasoning": 10},
    }
    assert Usage.from_langchain(reported) == Usage(input_tokens=100, output_tokens=50, cache_read=30, reasoning=10)


def test_cached_tokens_beyond_the_prompt_come_on_top_of_it() -> None:
    """Row 34 of the LangGraph traps: some providers report cached tokens beside the input, not inside."""
    reported = {"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 50}}
    assert Usage.from_openai(reported) == Usage(input_tokens=60, output_tokens=1, cache_read=50)


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 40}, (10, 30)),
        ({"prompt_tokens": None, "completion_tokens": 5, "total_tokens": 40}, (35, 5)),
        ({"prompt_tokens": 10, "total_tokens": 40}, (10, 30)),
        ({"total_tokens": 40}, (0, 40)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 3}, (10, 5)),
        ({}, (0, 0)),
    ],
)
def test_a_total_beyond_its_parts_is_never_lost(reported: dict[str, Any], expected: tuple[int, int]) -> None:
    usage = Usage.from_openai(reported)
    assert (usage.input_tokens, usage.output_tokens) == expected


@pytest.mark.parametrize(("value", "expected"), [(-3, 0), (None, 0), ("7", 0), (True, 0), (6.2, 7), (float("nan"), 0)])
def test_a_number_that_cannot_be_right_is_read_without_an_error(value: Any, expected: int) -> None:
    assert Usage.from_openai({"prompt_tokens": value, "completion_tokens": 0}).input_tokens == expected


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "prompt_tokens": ANYTHING,
            "completion_tokens": ANYTHING,
            "total_tokens": ANYTHING,
            "prompt_tokens_details": st.one_of(ANYTHING, st.fixed_dictionaries({"cached_tokens": ANYTHING})),
            "completion_tokens_details": st.one_of(ANYTHING, st.fixed_dictionaries({"reasoning_tokens": ANYTHING})),
        },
    )
)
def test_no_report_is_counted_at_less_than_it_says(reported: dict[str, Any]) -> None:
    usage = Usage.from_openai(reported)
    said = [value for name, value in reported.items() if name.endswith("_tokens")]
    assert usage.total_tokens >= max((n for n in said if type(n) is int), default=0)
