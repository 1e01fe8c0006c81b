"""Rule 7: a child draws on its parent's pool, or takes its share out at the start and gives the rest back."""

from __future__ import annotations

import pytest

from budgetkit import AccountState, Budget, BudgetExceeded, Level, MemoryLedger, Spend

ONE = Spend(llm_calls=1)
ROOT, CHILD, GRANDCHILD = ("root",), ("root", "child"), ("root", "child", "grandchild")


def calls(n: int) -> Spend:
    return Spend(llm_calls=n)


def root(ledger: MemoryLedger) -> tuple[int, int, int | None]:
    state = ledger.states(ROOT)[-1]
    return state.spent.in_units("llm_calls"), state.reserved.in_units("llm_calls"), state.left("llm_calls")


def shared_out(limit: int = 10, share: int = 4) -> MemoryLedger:
    ledger = MemoryLedger()
    ledger.open(ROOT, {"llm_calls": limit})
    ledger.open(CHILD, {"llm_calls": share}, prepaid=True)
    return ledger


def test_rule_7_a_shared_child_draws_on_the_pool_up_to_its_own_limit() -> None:
    ledger = MemoryLedger()
    ledger.open(ROOT, {"llm_calls": 3})
    ledger.open(CHILD, {"llm_calls": 2})
    assert root(ledger) == (0, 0, 3)
    ledger.reserve(CHILD, calls(2))
    assert root(ledger) == (0, 2, 1)
    with pytest.raises(BudgetExceeded, match="budget 'root/child' is out"):
        ledger.reserve(CHILD, ONE)


def test_rule_7_a_prepaid_child_takes_its_share_out_at_the_start() -> None:
    ledger = shared_out(10, 4)
    assert root(ledger) == (0, 4, 6)
    with pytest.raises(
        BudgetExceeded, match="budget 'root' is out of llm_calls: limit 10, spent 0, reserved 4, asked 7"
    ):
        ledger.reserve(ROOT, calls(7))


def test_rule_7_a_prepaid_child_spends_its_share_even_when_the_parent_has_nothing_left() -> None:
    ledger = shared_out(10, 4)
    ledger.settle(ledger.reserve(ROOT, calls(6)), calls(6))
    ledger.settle(ledger.reserve(CHILD, calls(4)), calls(4))
    assert root(ledger) == (10, 0, 0)


def test_rule_7_what_the_share_leaves_is_what_the_child_sees() -> None:
    """The parent's pool is empty, and the child is not poor: its share is there to be spent."""
    with Budget(llm_calls=4).open("outer") as outer, Budget(llm_calls=4).open("inner", prepaid=True) as inner:
        assert (outer.remaining["llm_calls"], outer.level) == (0, Level.CRITICAL)
        assert (inner.remaining["llm_calls"], inner.level) == (4, Level.HIGH)
        inner.charge(calls(2))
        assert inner.remaining["llm_calls"] == 2


def test_rule_7_a_child_below_a_prepaid_one_sees_and_spends_the_share() -> None:
    ledger = shared_out(4, 4)
    ledger.open(GRANDCHILD, {"llm_calls": 9})
    assert [state.left("llm_calls") for state in ledger.states(GRANDCHILD)] == [4, 4, 9]
    ledger.reserve(GRANDCHILD, calls(4))
    with pytest.raises(
        BudgetExceeded, match="budget 'root/child' is out of llm_calls: limit 4, spent 0, reserved 4, asked 1"
    ):
        ledger.reserve(GRANDCHILD, ONE)


def test_rule_7_the_rest_goes_back_at_the_end() -> None:
    ledger = shared_out(10, 4)
    ledger.settle(ledger.reserve(CHILD, ONE), ONE)
    ledger.close(CHILD)
    ledger.close(CHILD)
    assert root(ledger) == (1, 0, 9)


def test_rule_7_a_call_in_flight_at_the_end_gives_its_rest_back_when_it_is_settled() -> None:
    ledger = shared_out(10, 4)
    call = ledger.reserve(CHILD, calls(3))
    ledger.close(CHILD)
    assert root(ledger) == (0, 3, 7)
    ledger.settle(call, ONE)
    assert root(ledger) == (1, 0, 9)


def test_rule_7_after_the_end_a_child_draws_on_the_pool_and_its_own_limit_holds() -> None:
    ledger = shared_out(10, 4)
    ledger.close(CHILD)
    ledger.reserve(CHILD, calls(4))
    assert root(ledger) == (0, 4, 6)
    with pytest.raises(
        BudgetExceeded, match="budget 'root/child' is out of llm_calls: limit 4, spent 0, reserved 4, asked 1"
    ):
        ledger.reserve(CHILD, ONE)


def test_rule_7_a_share_that_is_opened_again_is_what_was_not_used() -> None:
    ledger = shared_out(10, 4)
    ledger.charge(CHILD, ONE)
    ledger.close(CHILD)
    ledger.open(CHILD, {"llm_calls": 4}, prepaid=True)
    assert root(ledger) == (1, 3, 6)


def test_rule_7_a_share_that_the_parent_cannot_pay_is_refused_and_opens_nothing() -> None:
    ledger = MemoryLedger()
    ledger.open(ROOT, {"llm_calls": 3}, keep=ONE)
    with pytest.raises(
        BudgetExceeded, match="budget 'root' is out of llm_calls: limit 3, spent 0, reserved 1, asked 3"
    ):
        ledger.open(CHILD, {"llm_calls": 3}, prepaid=True)
    assert root(ledger) == (0, 0, 3)
    ledger.open(CHILD, {"llm_calls": 2}, prepaid=True)


def test_rule_7_an_overshoot_of_the_share_is_the_parents_too_and_comes_back_with_a_later_truth() -> None:
    ledger = shared_out(10, 4)
    first, second = ledger.reserve(CHILD, calls(2)), ledger.reserve(CHILD, calls(2))
    assert ledger.settle(first, calls(5)).overshoot == calls(3)
    assert root(ledger) == (5, 2, 3)
    ledger.settle(second, Spend())
    assert root(ledger) == (5, 0, 5)


def test_rule_7_a_top_up_of_a_share_comes_out_of_the_parent() -> None:
    ledger = shared_out(10, 4)
    ledger.top_up(CHILD, calls(5), id="more")
    assert root(ledger) == (0, 9, 1)
    with pytest.raises(
        BudgetExceeded, match="budget 'root' is out of llm_calls: limit 10, spent 0, reserved 9, asked 2"
    ):
        ledger.top_up(CHILD, calls(2), id="too much")
    assert ledger.states(CHILD)[-1].limits == {"llm_calls": 9}
    ledger.top_up(ROOT, ONE, id="root")
    ledger.top_up(CHILD, calls(2), id="too much")
    assert root(ledger) == (0, 11, 0)


def test_rule_7_a_top_up_first_pays_what_the_share_overshot() -> None:
    ledger = shared_out(10, 4)
    ledger.charge(CHILD, calls(6))
    ledger.top_up(CHILD, calls(3), id="more")
    assert root(ledger) == (6, 1, 3)


def test_rule_7_a_share_within_a_share() -> None:
    ledger = shared_out(10, 6)
    ledger.open(GRANDCHILD, {"llm_calls": 4}, prepaid=True)
    assert root(ledger) == (0, 6, 4)
    ledger.charge(GRANDCHILD, calls(7))
    assert root(ledger) == (7, 0, 3), "four of its own share, two of the child's, one of the pool"
    assert ledger.states(CHILD)[-1].overshoot == ONE


def test_rule_7_what_a_prepaid_child_does_not_limit_it_draws_from_the_pool() -> None:
    ledger = MemoryLedger()
    ledger.open(ROOT, {"llm_calls": 9, "usd": 5})
    ledger.open(CHILD, {"llm_calls": 4}, prepaid=True)
    with pytest.raises(BudgetExceeded, match="budget 'root' is out of usd"):
        ledger.reserve(CHILD, Spend.from_units({"usd": 6}))


def test_rule_7_time_cannot_be_taken_out() -> None:
    ledger = MemoryLedger()
    ledger.open(ROOT, {"seconds": 10_000})
    ledger.open(CHILD, {"seconds": 20_000}, prepaid=True)
    states: tuple[AccountState, ...] = ledger.states(CHILD)
    assert [state.left("seconds") for state in states] == [10_000, 20_000]


def test_a_child_cannot_touch_the_answer_reserve_of_its_parent() -> None:
    """The reserve is for the owner's last call alone, whoever below calls its own call final."""
    ledger = MemoryLedger()
    ledger.open(ROOT, {"llm_calls": 2}, keep=ONE)
    ledger.open(CHILD, {"llm_calls": 2}, keep=ONE)
    ledger.reserve(CHILD, ONE, final=True)
    with pytest.raises(BudgetExceeded) as refused:
        ledger.reserve(CHILD, ONE, final=True)
    assert refused.value.account == ROOT
    assert ledger.reserve(ROOT, ONE, final=True).asked == ONE
