from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetkit import EstimateCounter, ModelPrice, PriceBook, PriceUnknown, Spend, Usage

# Private, so that type checkers, who see the package through its door, cannot follow an import.
COSTING: Any = import_module("budgetkit.plugins._costing")
MONEY: Any = import_module("budgetkit.plugins._in_flight").Money

BOOK = PriceBook(models={"mock": ModelPrice(input="1", output="2", cached_input="0.1")})
counts = st.integers(min_value=0, max_value=10**6)


def costing(model: str = "mock", prices: PriceBook = BOOK) -> Any:
    return COSTING.Costing(model, None, MONEY.of(prices, EstimateCounter()))


@given(counts, counts, st.data())
def test_what_is_asked_covers_whatever_is_used_within_it(read: int, cap: int, data: st.DataObject) -> None:
    written = data.draw(st.integers(min_value=0, max_value=cap))
    cached = data.draw(st.integers(min_value=0, max_value=read))
    spend = costing().spend(Usage(input_tokens=read, output_tokens=written, cache_read=cached))
    assert spend <= costing().asked(read, cap)


@given(counts, counts, counts)
def test_the_most_output_is_the_most_that_the_money_pays(money: int, read: int, cap: int) -> None:
    most = costing().most_output(money, read, cap)
    assert most == -1 or costing().worst(read, most) <= money
    assert most == cap or costing().worst(read, most + 1) > money


def test_a_call_is_asked_for_by_its_parts() -> None:
    assert costing().asked(10, 5) == Spend(
        llm_calls=1, input_tokens=10, output_tokens=5, total_tokens=15, usd="0.00002"
    )


def test_without_a_cap_only_what_is_known_is_set_aside() -> None:
    assert costing().asked(10, None) == Spend(llm_calls=1, input_tokens=10)


def test_a_model_without_a_price_costs_an_unknown_amount() -> None:
    unpriced = costing("nobody")
    assert not unpriced.priced
    assert unpriced.spend(Usage(input_tokens=3, output_tokens=2))["usd"] is None
    assert (unpriced.worst(10, 5), unpriced.most_output(0, 10, 5)) == (0, 5)


def test_a_model_without_a_price_is_refused_unless_that_is_allowed() -> None:
    with pytest.raises(PriceUnknown) as refused:
        costing("nobody").require_price()
    assert str(refused.value) == (
        'no price for model \'nobody\': put a line like models."nobody" = { input = "0.10", output = "0.40" } '
        "(dollars per million tokens) at the top of your price file"
    )
    costing("nobody", PriceBook(allow_unpriced=True)).require_price()
    costing().require_price()


PROMPT = [{"role": "user", "content": "Who wrote Middlemarch?"}]
ANSWER = [{"role": "assistant", "content": "George Eliot wrote it, under a name that is not her own."}]
TOOLS = [{"type": "function", "function": {"name": "search", "description": "Search a corpus of a million passages."}}]


def test_an_estimate_says_that_it_is_one() -> None:
    spend = costing().estimate(PROMPT, (), ANSWER)
    assert spend.estimated == {"input_tokens", "output_tokens", "total_tokens", "usd"}
    assert spend["llm_calls"] == 1
    assert spend.in_units("total_tokens") == spend.in_units("input_tokens") + spend.in_units("output_tokens")


def test_an_estimate_counts_the_tools_that_were_sent() -> None:
    with_tools, without = costing().estimate(PROMPT, TOOLS, ANSWER), costing().estimate(PROMPT, (), ANSWER)
    assert with_tools.in_units("input_tokens") > without.in_units("input_tokens")


@pytest.mark.parametrize("nothing", [[], [{"role": "assistant", "content": ""}]])
def test_an_answer_that_never_came_costs_no_output(nothing: list[Any]) -> None:
    assert costing().estimate(PROMPT, (), nothing)["output_tokens"] == 0


def test_an_answer_of_tool_calls_alone_costs_output() -> None:
    asks = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "search", "arguments": "{}"}}]}
    assert costing().estimate(PROMPT, (), [asks]).in_units("output_tokens") > 0


def answered(status: int) -> BaseException:
    error = RuntimeError("no")
    error.status_code = status  # type: ignore[attr-defined]
    return error


def with_response(status: int) -> BaseException:
    error = RuntimeError("no")
    error.response = SimpleNamespace(status_code=status)  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize("make", [answered, with_response])
@pytest.mark.parametrize(("status", "free"), [(400, True), (404, True), (429, True), (500, False), (503, False)])
def test_only_a_client_error_surely_costs_no_tokens(
    make: Callable[[int], BaseException], status: int, free: bool
) -> None:
    assert COSTING.unsent(make(status)) is free


@pytest.mark.parametrize("error", [None, ConnectionError("cut"), TimeoutError(), KeyboardInterrupt()])
def test_any_other_failure_may_have_been_billed(error: BaseException | None) -> None:
    assert not COSTING.unsent(error)
