"""The rules of the books where scopes and the ledger in memory have something of their own to say.

What every ledger does is in `budgetkit.testing.LEDGER_PROPERTIES`, and checked on all homes by tests/homes.
"""

from __future__ import annotations

import pytest

from budgetkit import Budget, BudgetExceeded, LedgerError, Level, MemoryLedger, Spend
from budgetkit.testing import ManualClock

ONE = Spend(llm_calls=1)
RUN = ("tenant", "run")


def tree(limits: dict[str, int], clock: ManualClock | None = None) -> MemoryLedger:
    """A tenant and a run below it."""
    ledger = MemoryLedger(clock=clock or ManualClock())
    ledger.open(("tenant",), limits)
    ledger.open(RUN, {})
    return ledger


def test_rule_3_a_charge_is_recorded_before_it_is_judged() -> None:
    with Budget(llm_calls=2).open("run") as run:
        with pytest.raises(
            BudgetExceeded, match="budget 'run' is out of llm_calls: limit 2, spent 0, reserved 0, asked 5"
        ):
            run.charge(Spend(llm_calls=5))
        assert run.spent["llm_calls"] == 5
        assert run.overshoot == Spend(llm_calls=3)


def test_rule_3_a_charge_that_breaks_into_a_reservation_names_it() -> None:
    with Budget(llm_calls=2).open("run") as run:
        run.reserve(Spend(llm_calls=2))
        with pytest.raises(
            BudgetExceeded, match="budget 'run' is out of llm_calls: limit 2, spent 0, reserved 2, asked 1"
        ):
            run.charge(ONE)


def test_rule_3_a_charge_reports_the_outermost_budget_that_it_broke() -> None:
    with Budget(llm_calls=1).open("outer") as outer, Budget(llm_calls=0).open("inner") as inner:
        with pytest.raises(BudgetExceeded) as refused:
            inner.charge(Spend(llm_calls=2))
        assert refused.value.account == outer.account


def test_rule_6_a_refusal_passes_through_every_scope() -> None:
    with Budget(llm_calls=0).open("outer") as outer:
        with pytest.raises(BudgetExceeded) as refused, Budget(llm_calls=5).open("inner") as inner:
            inner.reserve(ONE)
        assert refused.value.account == outer.account


def test_rule_7_what_the_share_leaves_is_what_the_child_sees() -> None:
    """The parent's pool is empty, and the child is not poor: its share is there to be spent."""
    with Budget(llm_calls=4).open("outer") as outer, Budget(llm_calls=4).open("inner", prepaid=True) as inner:
        assert (outer.remaining["llm_calls"], outer.level) == (0, Level.CRITICAL)
        assert (inner.remaining["llm_calls"], inner.level) == (4, Level.HIGH)
        inner.charge(Spend(llm_calls=2))
        assert inner.remaining["llm_calls"] == 2


def test_the_ledger_in_memory_hands_out_its_own_record_of_a_call() -> None:
    """Whoever holds a reservation sees what becomes of it."""
    clock = ManualClock()
    ledger = tree({"llm_calls": 9}, clock)
    call = ledger.reserve(RUN, ONE, id="node", lease=10)
    assert ledger.reserve(RUN, ONE, id="node") is call
    assert ledger.charge(RUN, ONE, id="charge") is ledger.charge(RUN, ONE, id="charge")
    clock.advance(700)
    assert ledger.charges(RUN) == (ledger.charges(RUN)[0], call)
    assert call.lapsed
    presence = ledger.start(RUN, lease=1)
    clock.advance(2)
    ledger.states(RUN)
    assert presence.lapsed


def test_a_presence_without_a_lease_lasts_as_long_as_the_process() -> None:
    clock = ManualClock()
    ledger = MemoryLedger(clock=clock)
    ledger.open(RUN[:1], {"seconds": 10**9})
    presence = ledger.start(RUN[:1])
    clock.advance(10**5)
    ledger.stop(presence)
    assert ledger.states(RUN[:1])[-1].spent["seconds"] == 10**5


@pytest.mark.parametrize("size", [2**63, 2**80])
def test_in_memory_amounts_of_any_size_are_exact(size: int) -> None:
    ledger = tree({"pages": size})
    ledger.settle(ledger.reserve(RUN, Spend.from_units({"pages": size})), Spend.from_units({"pages": size}))
    with pytest.raises(BudgetExceeded):
        ledger.reserve(RUN, Spend.from_units({"pages": 1}))
    assert ledger.charge(RUN, Spend.from_units({"pages": size})).overshoot.in_units("pages") == size


def test_the_messages_say_what_to_do() -> None:
    ledger = tree({"llm_calls": 3, "usd": 1})
    with pytest.raises(BudgetExceeded) as refused:
        ledger.reserve(RUN, Spend(llm_calls=4))
    assert str(refused.value) == "budget 'tenant' is out of llm_calls: limit 3, spent 0, reserved 0, asked 4"
    with pytest.raises(LedgerError) as unknown:
        ledger.reserve(RUN, Spend(usd=None))
    assert str(unknown.value) == (
        "account 'tenant' limits usd, and how much of it is asked is unknown: reserve with a worst case of usd"
    )
    with pytest.raises(LedgerError) as nobody:
        ledger.states(("tenant", "nobody"))
    assert str(nobody.value) == "account 'tenant/nobody' is not open: open it before it spends"
    with pytest.raises(LedgerError) as nameless:
        ledger.open((), {})
    assert str(nameless.value) == ("the account () has no name: an account is a path such as ('tenant', 'run')")
    with pytest.raises(LedgerError) as top_up:
        ledger.top_up(RUN, Spend(usd=None), id="x")
    assert str(top_up.value) == "cannot top up by an unknown amount of usd"
    with pytest.raises(
        ValueError, match="lease=0 must be a finite number of seconds above 0: nothing is reserved for ever"
    ):
        ledger.reserve(RUN, ONE, lease=0)
