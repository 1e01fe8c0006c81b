"""What is left, as a strategy sees it: held against real accounts, and exact where a threshold may be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetkit import Budget, MemoryLedger, Spend
from budgetkit.plugins import Left

NAMES = ("tool_calls", "llm_calls", "output_tokens", "total_tokens")


def left(**amounts: tuple[int, int]) -> Left:
    """From left and limit of each."""
    return Left({name: n for name, (n, _) in amounts.items()}, {name: cap for name, (_, cap) in amounts.items()})


# -- ratios ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cap", [10, 20, 30, 50, 100, 200])
@pytest.mark.parametrize("tenths", range(11))
def test_a_ratio_is_left_over_limit_to_the_last_bit(cap: int, tenths: int) -> None:
    """One less what is used over the limit would be 0.09999… at 10 of 100."""
    here = left(tool_calls=(cap * tenths // 10, cap))
    assert here.ratio == here.ratio_of("tool_calls") == tenths / 10


def test_the_ratio_is_the_least_of_all_resources() -> None:
    here = left(tool_calls=(5, 5), total_tokens=(250, 1_000), usd=(3, 4))
    assert (here.ratio, here.pressure, here.token_ratio) == (0.25, 0.75, 0.25)


@given(st.dictionaries(st.sampled_from(NAMES), st.tuples(st.integers(0, 99), st.integers(1, 99))))
def test_no_resource_has_less_than_the_ratio_and_one_has_as_much(amounts: dict[str, tuple[int, int]]) -> None:
    here = left(**amounts)
    ratios = [n / cap for n, cap in amounts.values()]
    tokens = [n / cap for name, (n, cap) in amounts.items() if name.endswith("tokens")]
    assert here.ratio == min(ratios, default=1.0)
    assert here.token_ratio == min(tokens, default=1.0)


def test_nothing_is_short_where_nothing_is_limited() -> None:
    free = Left({}, {})
    assert (free.ratio, free.token_ratio, free.pressure, free.tools, free.tool_cap) == (1.0, 1.0, 0.0, None, None)
    assert free.can_act(10**9)
    assert free.ratio_of("usd") == 1.0


def test_a_limit_of_nothing_was_never_there_to_plan_with() -> None:
    """As for levels: a budget of no dollars is no reason to be greedy with tool calls."""
    assert left(usd=(0, 0), tool_calls=(4, 5)).ratio == 0.8


@pytest.mark.parametrize(("name", "ratio"), [("input_tokens", 0.5), ("output_tokens", 0.5), ("llm_calls", 1.0)])
def test_only_tokens_count_among_tokens(name: str, ratio: float) -> None:
    assert left(**{name: (1, 2)}).token_ratio == ratio


# -- tool calls -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amounts", "tools", "cap"),
    [
        ({"tool_calls": (3, 5)}, 3, 5),
        ({"tool_calls": (3, 5), "tool:search": (1, 9)}, 1, 5),
        ({"tool:search": (4, 4), "tool:browse": (2, 6)}, 2, 4),
        ({"tool:search": (4, 4), "tool:browse": (0, 0)}, 4, 4),
        ({"tool:search": (0, 0), "tool:browse": (0, 0)}, 0, 0),
        ({"tool_calls": (0, 0), "tool:search": (4, 4)}, 0, 0),
        ({"llm_calls": (1, 1), "usd": (0, 1)}, None, None),
        ({"toolbox": (0, 1), "tools": (0, 1)}, None, None),
    ],
)
def test_tool_calls_left_are_the_least_of_what_limits_them(amounts: Any, tools: int | None, cap: int | None) -> None:
    here = left(**amounts)
    assert (here.tools, here.tool_cap) == (tools, cap)


def test_whether_calls_are_left_is_asked_for_as_many_as_are_to_be_made() -> None:
    here = left(tool_calls=(2, 5))
    assert [here.can_act(n) for n in (0, 1, 2, 3)] == [True, True, True, False]


def test_it_is_a_mapping_of_what_is_left() -> None:
    here = left(tool_calls=(2, 5), usd=(7, 9))
    assert (dict(here), len(here), "usd" in here, here.get("seconds")) == ({"tool_calls": 2, "usd": 7}, 2, True, None)


# -- of accounts ----------------------------------------------------------------------------------------------------

amounts = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 50))


@given(
    st.lists(st.tuples(amounts, st.integers(0, 9), amounts), min_size=1, max_size=3),
    st.dictionaries(st.sampled_from(NAMES), st.integers(0, 30)),
    st.booleans(),
)
def test_over_a_chain_of_accounts_it_is_the_least_of_each_net_of_what_is_kept(
    chain: list[tuple[dict[str, int], int, dict[str, int]]], reserved: dict[str, int], net: bool
) -> None:
    """By hand: limit less what is spent here and below, less what is reserved, less what is kept."""
    ledger = MemoryLedger()
    account: tuple[str, ...] = ()
    keeps: list[dict[str, int]] = []
    for i, (limits, keep, _) in enumerate(chain):
        account = (*account, f"a{i}")
        kept = {name: min(keep, limit) for name, limit in limits.items()}
        keeps.append(kept)
        ledger.open(account, limits, keep=Spend.from_units(kept))
    for i, (_, _, spent) in enumerate(chain):
        ledger.charge(account[: i + 1], Spend.from_units(spent))
    held = {name: n for name, n in reserved.items() if _fits(ledger, account, name, n)}
    ledger.reserve(account, Spend.from_units(held))

    expected: dict[str, int] = {}
    for i, (limits, _, _) in enumerate(chain):
        for name, limit in limits.items():
            used = sum(spent.get(name, 0) for _, _, spent in chain[i:]) + held.get(name, 0)
            here = max(0, max(0, limit - used) - (keeps[i][name] if net else 0))
            expected[name] = min(expected.get(name, here), here)
    found = Left.of(ledger.states(account), net=net)
    assert dict(found) == expected
    assert all(found.caps[name] in [limits.get(name) for limits, _, _ in chain] for name in found)


def _fits(ledger: MemoryLedger, account: tuple[str, ...], name: str, n: int) -> bool:
    return all(
        state.left(name) is None or (state.left(name) or 0) - state.kept.in_units(name) >= n
        for state in ledger.states(account)
    )


def test_the_limit_is_that_of_the_account_which_has_least() -> None:
    outer, inner = Budget(tool_calls=100, total_tokens=1_000), Budget(tool_calls=5, usd="0.01")
    with outer.open("job") as job:
        job.charge(Spend(tool_calls=10, total_tokens=900))
        with inner.open("search") as search:
            search.charge(Spend(tool_calls=2))
            found = Left.of(search.states())

    assert dict(found) == {"tool_calls": 3, "total_tokens": 100, "usd": 10_000_000}
    assert found.caps == {"tool_calls": 5, "total_tokens": 1_000, "usd": 10_000_000}
    assert (found.ratio, found.token_ratio) == (0.1, 0.1)


def test_an_outer_account_that_has_less_is_the_one_that_counts() -> None:
    with Budget(tool_calls=10).open("job") as job:
        job.charge(Spend(tool_calls=8))
        with Budget(tool_calls=5).open("search") as search:
            found = Left.of(search.states())

    assert (found.tools, found.tool_cap, found.ratio) == (2, 10, 0.2)


def test_what_is_kept_for_the_answer_is_not_left_unless_it_is_asked_for() -> None:
    budget = Budget(output_tokens=500, answer_reserve={"output_tokens": 100})
    with budget.open("search") as search:
        search.charge(Spend(output_tokens=150))
        assert Left.of(search.states())["output_tokens"] == 250
        assert Left.of(search.states(), net=False)["output_tokens"] == 350
        search.charge(Spend(output_tokens=300))
        assert Left.of(search.states())["output_tokens"] == 0
