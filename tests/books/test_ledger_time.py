"""Seconds: one stopwatch an account, overlaps counted once, waiting for a person not at all."""

from __future__ import annotations

from decimal import Decimal

import pytest

from budgetkit import BudgetExceeded, MemoryLedger, Spend
from budgetkit.testing import ManualClock

ONE = Spend(llm_calls=1)
ROOT, CHILD = ("root",), ("root", "child")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(start=1000)


def timed(clock: ManualClock, root: int = 60, child: int | None = None, *, keep: Spend = Spend()) -> MemoryLedger:  # noqa: B008 - immutable
    ledger = MemoryLedger(clock=clock)
    ledger.open(ROOT, {"seconds": root * 1000}, keep=keep)
    ledger.open(CHILD, {} if child is None else {"seconds": child * 1000})
    return ledger


def used(ledger: MemoryLedger) -> object:
    return ledger.states(ROOT)[-1].spent["seconds"]


def test_the_clock_stands_still_while_nothing_runs(clock: ManualClock) -> None:
    ledger = timed(clock)
    clock.advance(3600)
    assert used(ledger) == 0


def test_calls_at_the_same_time_are_counted_once(clock: ManualClock) -> None:
    ledger = timed(clock)
    first = ledger.reserve(CHILD, ONE)
    clock.advance(2)
    second = ledger.reserve(ROOT, ONE)
    clock.advance(3)
    ledger.settle(first, ONE)
    clock.advance(4)
    ledger.settle(second, ONE)
    clock.advance(5)
    assert used(ledger) == 9


def test_a_started_account_runs_with_all_above_it(clock: ManualClock) -> None:
    ledger = timed(clock)
    presence = ledger.start(CHILD)
    clock.advance(7)
    ledger.stop(presence)
    clock.advance(1)
    assert [state.spent["seconds"] for state in ledger.states(CHILD)] == [7, 7]


def test_stopping_twice_is_stopping_once(clock: ManualClock) -> None:
    ledger = timed(clock)
    presence = ledger.start(CHILD)
    ledger.reserve(CHILD, ONE)
    for _ in range(2):
        ledger.stop(presence)
    clock.advance(3)
    assert used(ledger) == 3


def test_a_presence_with_a_lease_ends_by_itself_unless_it_is_renewed(clock: ManualClock) -> None:
    ledger = timed(clock)
    presence = ledger.start(CHILD, lease=5)
    clock.advance(4)
    ledger.renew(presence, lease=5)
    clock.advance(9)
    assert used(ledger) == 9
    assert presence.lapsed
    ledger.renew(presence, lease=5)
    clock.advance(1)
    assert used(ledger) == 9


def test_a_call_is_told_the_time_to_the_nearest_limit(clock: ManualClock) -> None:
    ledger = timed(clock, 60, 10)
    call = ledger.reserve(CHILD, ONE)
    clock.advance(4.25)
    assert call.time_left == 10
    assert ledger.reserve(CHILD, ONE).time_left == 5.75
    assert ledger.reserve(ROOT, ONE).time_left == 55.75


def test_without_a_limit_on_time_there_is_no_time_left_to_tell() -> None:
    ledger = MemoryLedger()
    ledger.open(ROOT, {})
    assert ledger.reserve(ROOT, ONE).time_left is None


def test_no_call_begins_once_the_time_is_up(clock: ManualClock) -> None:
    ledger = timed(clock, 5)
    ledger.start(ROOT)
    clock.advance(4.9999)
    ledger.release(ledger.reserve(CHILD, ONE))
    clock.advance(0.0001)
    with pytest.raises(BudgetExceeded, match="budget 'root' is out of seconds: limit 5, spent 5, reserved 0, asked 0"):
        ledger.reserve(CHILD, ONE)


def test_a_call_that_names_its_longest_time_must_fit_into_what_is_left(clock: ManualClock) -> None:
    ledger = timed(clock, 5)
    with pytest.raises(BudgetExceeded, match="out of seconds: limit 5, spent 0, reserved 0, asked 6"):
        ledger.reserve(CHILD, Spend(seconds=6))
    call = ledger.reserve(CHILD, Spend(llm_calls=1, seconds=5))
    ledger.settle(call, Spend(llm_calls=1, seconds=3))
    assert (call.spend, used(ledger)) == (Spend(llm_calls=1, seconds=3), 0)


def test_only_the_final_call_uses_the_time_that_is_kept(clock: ManualClock) -> None:
    ledger = timed(clock, 60, keep=Spend(seconds=6))
    ledger.start(ROOT)
    clock.advance(54)
    with pytest.raises(BudgetExceeded, match="limit 60, spent 54, reserved 6, asked 0"):
        ledger.reserve(ROOT, ONE)
    assert ledger.reserve(ROOT, ONE, final=True).time_left == 6


def test_the_outermost_budget_that_is_out_of_anything_is_the_one_reported(clock: ManualClock) -> None:
    ledger = MemoryLedger(clock=clock)
    ledger.open(ROOT, {"llm_calls": 0})
    ledger.open(CHILD, {"seconds": 0, "llm_calls": 5})
    with pytest.raises(BudgetExceeded, match="budget 'root' is out of llm_calls"):
        ledger.reserve(CHILD, ONE)
    ledger.top_up(ROOT, ONE, id="more")
    with pytest.raises(BudgetExceeded, match="budget 'root/child' is out of seconds"):
        ledger.reserve(CHILD, ONE)
    assert ledger.states(ROOT)[-1].reserved == Spend()


def test_a_lapsed_call_stops_the_clock_when_it_lapses_whenever_anybody_looks(clock: ManualClock) -> None:
    """A call that died must not eat the time of those that come after it."""
    ledger = timed(clock)
    dead = ledger.reserve(CHILD, ONE, lease=10)
    clock.advance(30)
    live = ledger.reserve(CHILD, ONE)
    clock.advance(5)
    ledger.settle(live, ONE)
    assert used(ledger) == 15
    ledger.settle(dead, ONE)
    assert used(ledger) == 15


def test_a_dead_call_among_live_ones_takes_nothing_from_their_time(clock: ManualClock) -> None:
    ledger = timed(clock)
    ledger.reserve(CHILD, ONE, lease=10)
    clock.advance(8)
    live = ledger.reserve(CHILD, ONE)
    clock.advance(12)
    ledger.settle(live, ONE)
    assert used(ledger) == 20


def test_waiting_for_a_person_does_not_count(clock: ManualClock) -> None:
    """The call stays reserved for a night, and costs the seconds before and after it."""
    ledger = timed(clock, 60)
    ledger.top_up(ROOT, ONE, id="none")
    call = ledger.reserve(CHILD, ONE, id="tool")
    clock.advance(2)
    ledger.pause(call)
    ledger.pause(call)
    clock.advance(12 * 3600)
    assert ledger.states(ROOT)[-1].reserved == ONE
    resumed = ledger.reserve(CHILD, ONE, id="tool")
    assert (resumed is call, resumed.paused, resumed.time_left) == (True, False, 58)
    clock.advance(3)
    ledger.settle(resumed, ONE)
    assert used(ledger) == 5


def test_a_person_who_never_comes_back_leaves_spend_and_no_time(clock: ManualClock) -> None:
    ledger = timed(clock)
    ledger.pause(ledger.reserve(CHILD, ONE, id="tool"))
    clock.advance(8 * 24 * 3600)
    assert (ledger.states(ROOT)[-1].spent["llm_calls"], used(ledger)) == (1, 0)


def test_a_paused_call_can_be_settled_and_released_as_it_stands(clock: ManualClock) -> None:
    ledger = timed(clock)
    for end in (ledger.settle, ledger.release):
        call = ledger.reserve(CHILD, ONE)
        ledger.pause(call)
        clock.advance(5)
        end(call)
    assert used(ledger) == 0


def test_reserving_again_renews_the_lease_of_a_long_call(clock: ManualClock) -> None:
    ledger = timed(clock, 3600)
    call = ledger.reserve(CHILD, ONE, id="long", lease=10)
    for _ in range(5):
        clock.advance(9)
        ledger.reserve(CHILD, ONE, id="long", lease=10)
    assert not call.lapsed
    clock.advance(10)
    ledger.states(ROOT)
    assert call.lapsed


def test_many_short_calls_lose_nothing_to_rounding(clock: ManualClock) -> None:
    ledger = timed(clock)
    for _ in range(1000):
        call = ledger.reserve(CHILD, ONE)
        clock.advance(0.0004)
        ledger.settle(call, ONE)
    assert used(ledger) == Decimal("0.4")


def test_time_over_the_limit_is_an_overshoot_like_any_other(clock: ManualClock) -> None:
    ledger = timed(clock, 5)
    ledger.start(ROOT)
    clock.advance(7)
    assert ledger.states(ROOT)[-1].overshoot == Spend(seconds=2)


def test_the_estimate_of_a_lost_call_does_not_claim_to_estimate_time(clock: ManualClock) -> None:
    ledger = timed(clock)
    ledger.settle(ledger.reserve(CHILD, Spend(llm_calls=1, seconds=30)))
    assert ledger.states(ROOT)[-1].spent.estimated == {"llm_calls"}
