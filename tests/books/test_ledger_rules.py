"""The eight rules of the books, each by its number."""

from __future__ import annotations

import copy
import itertools

import pytest

from budgetkit import Budget, BudgetExceeded, LedgerError, MemoryLedger, Reservation, Spend
from budgetkit.testing import ManualClock

ONE = Spend(llm_calls=1)
TENANT, RUN, BRANCH = ("tenant",), ("tenant", "run"), ("tenant", "run", "branch")


def tree(*limits: dict[str, int], clock: ManualClock | None = None) -> MemoryLedger:
    """A tenant, a run below it, a branch below that."""
    ledger = MemoryLedger(clock=clock or ManualClock())
    for account, its in zip((TENANT, RUN, BRANCH), itertools.chain(limits, [{}, {}, {}]), strict=False):
        ledger.open(account, its)
    return ledger


def own(ledger: MemoryLedger, account: tuple[str, ...] = TENANT) -> tuple[int, int, int | None]:
    """Model calls spent, reserved and left."""
    state = ledger.states(account)[-1]
    return state.spent.in_units("llm_calls"), state.reserved.in_units("llm_calls"), state.left("llm_calls")


# -- rule 1: reserve, call, settle ----------------------------------------------------------------------------------


def test_rule_1_the_worst_case_is_held_until_the_cost_is_known() -> None:
    ledger = tree({"llm_calls": 10})
    call = ledger.reserve(RUN, Spend(llm_calls=4))
    assert own(ledger) == (0, 4, 6)
    ledger.settle(call, ONE)
    assert own(ledger) == (1, 0, 9)


def test_rule_1_what_does_not_fit_is_refused_before_it_is_spent() -> None:
    ledger = tree({"llm_calls": 3})
    with pytest.raises(
        BudgetExceeded, match="budget 'tenant' is out of llm_calls: limit 3, spent 0, reserved 0, asked 4"
    ):
        ledger.reserve(RUN, Spend(llm_calls=4))
    assert own(ledger) == (0, 0, 3)


@pytest.mark.parametrize("inner", [{"llm_calls": 0}, {"llm_calls": 0, "seconds": 0}])
def test_rule_1_the_outermost_exhausted_budget_is_the_one_reported(inner: dict[str, int]) -> None:
    """Also when an inner one is out of time: a loop over inner budgets ends at the outer one."""
    ledger = tree({"llm_calls": 0}, inner, inner)
    with pytest.raises(BudgetExceeded) as refused:
        ledger.reserve(BRANCH, ONE)
    assert refused.value.account == TENANT


def test_rule_1_a_call_takes_what_is_left_to_the_last_unit() -> None:
    ledger = tree({"llm_calls": 3})
    ledger.settle(ledger.reserve(RUN, Spend(llm_calls=3)), Spend(llm_calls=3))
    assert own(ledger) == (3, 0, 0)


def test_rule_1_a_call_that_asks_for_nothing_is_admitted_at_the_limit() -> None:
    ledger = tree({"llm_calls": 0})
    assert ledger.reserve(RUN, Spend()).asked == Spend()


# -- rule 2: atomic over the tree -----------------------------------------------------------------------------------


def test_rule_2_a_refusal_anywhere_changes_nothing_anywhere() -> None:
    ledger = tree({"llm_calls": 9, "usd": 9}, {"llm_calls": 9}, {"usd": 1})
    before = ledger.states(BRANCH)
    with pytest.raises(BudgetExceeded):
        ledger.reserve(BRANCH, Spend.from_units({"llm_calls": 1, "usd": 2}), keep=Spend(llm_calls=3))
    assert ledger.states(BRANCH) == before


def test_rule_2_siblings_cannot_both_take_the_last_unit() -> None:
    ledger = tree({"llm_calls": 1})
    ledger.open(("tenant", "other"), {})
    ledger.reserve(RUN, ONE)
    with pytest.raises(BudgetExceeded):
        ledger.reserve(("tenant", "other"), ONE)


def test_rule_2_a_batch_is_reserved_as_its_units_or_not_at_all() -> None:
    """The paper's case: four queries with three left are refused whole."""
    ledger = tree({"tool:search": 3})
    with pytest.raises(BudgetExceeded, match="out of tool:search: limit 3, spent 0, reserved 0, asked 4"):
        ledger.reserve(RUN, Spend(tools={"search": 4}))
    assert ledger.reserve(RUN, Spend(tools={"search": 3})).asked["tool:search"] == 3


# -- rule 3: record always, then judge ------------------------------------------------------------------------------


def test_rule_3_spend_over_the_limit_is_on_the_books_with_the_overshoot_named() -> None:
    ledger = tree({"llm_calls": 3}, {"llm_calls": 2})
    call = ledger.settle(ledger.reserve(RUN, ONE), Spend(llm_calls=5))
    assert (call.spend, call.overshoot) == (Spend(llm_calls=5), Spend(llm_calls=3))
    assert [state.overshoot for state in ledger.states(RUN)] == [Spend(llm_calls=2), Spend(llm_calls=3)]


def test_rule_3_the_overshoot_is_named_to_the_call_that_cost_more_than_it_reserved() -> None:
    ledger = tree({"llm_calls": 10})
    greedy, honest = ledger.reserve(RUN, Spend(llm_calls=5)), ledger.reserve(RUN, Spend(llm_calls=5))
    assert ledger.settle(greedy, Spend(llm_calls=8)).overshoot == Spend(llm_calls=3)
    assert ledger.settle(honest, Spend(llm_calls=5)).overshoot == Spend()


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


# -- rule 4: missing usage keeps the reservation --------------------------------------------------------------------


def test_rule_4_no_usage_keeps_the_reservation_and_marks_it() -> None:
    ledger = tree({"llm_calls": 9})
    call = ledger.settle(ledger.reserve(RUN, Spend(llm_calls=1, output_tokens=500)))
    assert call.spend == Spend.from_units(
        {"llm_calls": 1, "output_tokens": 500}, estimated=["llm_calls", "output_tokens"]
    )
    assert ledger.states(TENANT)[-1].spent.estimated == {"llm_calls", "output_tokens"}


def test_rule_4_only_what_was_not_measured_is_estimated() -> None:
    ledger = tree({})
    call = ledger.reserve(RUN, Spend(llm_calls=1, output_tokens=500, usd="0.01"))
    done = ledger.settle(call, Spend(llm_calls=1, output_tokens=None, usd="0.002"))
    assert done.spend == Spend.from_units(
        {"llm_calls": 1, "output_tokens": 500, "usd": 2_000_000}, estimated=["output_tokens"]
    )


def test_rule_4_an_estimate_is_never_less_than_what_is_known() -> None:
    ledger = tree({})
    cost = Spend.from_units({"output_tokens": 700}, unmeasured=["output_tokens"])
    done = ledger.settle(ledger.reserve(RUN, Spend(output_tokens=500)), cost)
    assert done.spend == Spend.from_units({"output_tokens": 700}, estimated=["output_tokens"])


def test_rule_4_what_was_neither_measured_nor_reserved_stays_unknown_up_to_the_root() -> None:
    ledger = tree({})
    done = ledger.settle(ledger.reserve(BRANCH, ONE), Spend(llm_calls=1, usd=None))
    assert done.spend is not None
    assert done.spend["usd"] is None
    assert [state.spent["usd"] for state in ledger.states(BRANCH)] == [None, None, None]


def test_rule_4_a_late_answer_replaces_the_estimate_and_its_mark() -> None:
    clock = ManualClock()
    ledger = tree({"llm_calls": 9}, clock=clock)
    call = ledger.reserve(RUN, Spend(llm_calls=4), lease=10)
    clock.advance(11)
    assert ledger.charges(RUN)[0].lapsed
    assert ledger.states(TENANT)[-1].spent.estimated == {"llm_calls"}
    ledger.settle(call, ONE)
    assert own(ledger) == (1, 0, 8)
    assert ledger.states(TENANT)[-1].spent.estimated == frozenset()
    assert [c.lapsed for c in ledger.charges(RUN)] == [False]


# -- rule 5: idempotent ---------------------------------------------------------------------------------------------


def test_rule_5_settling_twice_is_settling_once_whatever_the_second_says() -> None:
    ledger = tree({"llm_calls": 9})
    call = ledger.reserve(RUN, Spend(llm_calls=3))
    ledger.settle(call, ONE)
    assert ledger.settle(call, Spend(llm_calls=7)).spend == ONE
    ledger.release(call)
    assert own(ledger) == (1, 0, 8)


@pytest.mark.parametrize("name", [None, "call"])
def test_rule_5_a_copy_of_a_reservation_settles_the_same_call_once(name: str | None) -> None:
    ledger = tree({"llm_calls": 9})
    call = ledger.reserve(RUN, Spend(llm_calls=3), id=name)
    ledger.settle(copy.deepcopy(call), ONE)
    ledger.settle(copy.deepcopy(call), ONE)
    ledger.settle(call, ONE)
    assert own(ledger) == (1, 0, 8)
    assert len(ledger.charges(TENANT)) == 1


def test_rule_5_a_charge_with_an_id_is_charged_once() -> None:
    ledger = tree({})
    first, second = (ledger.charge(RUN, ONE, id="c") for _ in range(2))
    assert first is second
    assert ledger.charge(TENANT, ONE, id="c") is not first
    assert own(ledger)[0] == 2


def test_rule_5_a_charge_with_the_id_of_a_reservation_settles_it() -> None:
    """Who reserves and who meters may be two; between them they count one call."""
    ledger = tree({"llm_calls": 9})
    call = ledger.reserve(RUN, Spend(llm_calls=3), id="c")
    ledger.charge(RUN, ONE, id="c")
    ledger.settle(call, Spend(llm_calls=2))
    assert own(ledger) == (1, 0, 8)


def test_rule_5_a_node_that_is_re_entered_finds_its_reservation() -> None:
    ledger = tree({"llm_calls": 3})
    first = ledger.reserve(RUN, Spend(llm_calls=3), id="node")
    assert ledger.reserve(RUN, Spend(llm_calls=3), id="node") is first
    assert own(ledger) == (0, 3, 0)


def test_rule_5_a_node_that_is_re_entered_and_needs_more_holds_more_or_is_refused() -> None:
    ledger = tree({"llm_calls": 5})
    ledger.reserve(RUN, Spend(llm_calls=2), id="node")
    assert ledger.reserve(RUN, Spend(llm_calls=4), id="node").asked == Spend(llm_calls=4)
    assert ledger.reserve(RUN, ONE, id="node").asked == Spend(llm_calls=4)
    with pytest.raises(BudgetExceeded, match="limit 5, spent 0, reserved 4, asked 2"):
        ledger.reserve(RUN, Spend(llm_calls=6), id="node")
    assert own(ledger) == (0, 4, 1)


def test_rule_5_a_call_that_is_made_again_is_paid_again() -> None:
    ledger = tree({"llm_calls": 2})
    first = ledger.settle(ledger.reserve(RUN, ONE, id="node"), ONE)
    assert ledger.reserve(RUN, ONE, id="node") is first
    second = ledger.reserve(RUN, ONE, id="node", again=True)
    assert (second.attempt, second.spend) == (2, None)
    ledger.settle(second, ONE)
    with pytest.raises(BudgetExceeded):
        ledger.reserve(RUN, ONE, id="node", again=True)
    assert [(c.id, c.attempt) for c in ledger.charges(RUN)] == [("node", 1), ("node", 2)]


def test_rule_5_a_late_settlement_of_an_earlier_attempt_is_that_attempts() -> None:
    clock = ManualClock()
    ledger = tree({"llm_calls": 9}, clock=clock)
    first = ledger.reserve(RUN, Spend(llm_calls=3), id="node", lease=1)
    stale = copy.copy(first)
    clock.advance(2)
    second = ledger.reserve(RUN, Spend(llm_calls=2), id="node", again=True)
    ledger.settle(stale, ONE)
    assert (first.spend, second.spend) == (ONE, None)
    assert own(ledger) == (1, 2, 6)


def test_rule_5_a_reservation_that_nobody_settles_expires_into_spend() -> None:
    clock = ManualClock()
    ledger = tree({"llm_calls": 9}, clock=clock)
    ledger.reserve(RUN, Spend(llm_calls=3), lease=10)
    clock.advance(9.9)
    assert own(ledger) == (0, 3, 6)
    clock.advance(0.1)
    assert own(ledger) == (3, 0, 6)


@pytest.mark.parametrize("lease", [0, -1, float("nan"), float("inf")])
def test_rule_5_no_reservation_is_immortal(lease: float) -> None:
    with pytest.raises(ValueError, match="must be a finite number of seconds above 0: nothing is reserved for ever"):
        tree({}).reserve(RUN, ONE, lease=lease)


def test_rule_5_what_was_certainly_never_sent_is_taken_back_and_may_be_reserved_again() -> None:
    ledger = tree({"llm_calls": 1})
    call = ledger.reserve(RUN, ONE, id="node")
    ledger.release(call)
    ledger.release(call)
    assert own(ledger) == (0, 0, 1)
    again = ledger.reserve(RUN, ONE, id="node")
    assert (again.spend, ledger.charges(TENANT)) == (None, ())
    ledger.settle(call, ONE)
    assert own(ledger) == (1, 1, 0), "a call that was sent after all is on the books, beside its successor"


def test_rule_5_what_lapsed_but_was_certainly_never_sent_costs_nothing() -> None:
    clock = ManualClock()
    ledger = tree({"llm_calls": 1}, clock=clock)
    call = ledger.reserve(RUN, ONE, lease=1)
    clock.advance(2)
    ledger.release(call)
    assert own(ledger) == (0, 0, 1)


def test_rule_5_a_call_that_the_books_have_never_seen_is_recorded_once() -> None:
    ledger = tree({"llm_calls": 9})
    stranger = Reservation("elsewhere", RUN, "model:x", Spend(llm_calls=3))
    ledger.settle(stranger, ONE)
    ledger.settle(stranger, ONE)
    assert own(ledger) == (1, 0, 8)


def test_rule_5_ids_are_an_accounts_own_and_cannot_be_guessed_from_outside() -> None:
    ledger = tree({})
    unnamed = ledger.reserve(RUN, ONE)
    ledger.settle(ledger.reserve(RUN, ONE, id="x"), ONE)
    ledger.reserve(RUN, ONE, id="x", again=True)
    for name in ("#1", "1", "x@1", "", unnamed.id.split("-")[0]):
        assert ledger.reserve(RUN, ONE, id=name).attempt == 1
    assert ledger.reserve(BRANCH, ONE, id="x").attempt == 1


def test_rule_5_topping_up_twice_with_one_id_is_topping_up_once() -> None:
    ledger = tree({"llm_calls": 1})
    for _ in range(2):
        ledger.top_up(TENANT, Spend(llm_calls=2, usd="1"), id="person-said-yes")
    assert ledger.states(TENANT)[-1].limits == {"llm_calls": 3}


# -- rule 6: only the owner swallows --------------------------------------------------------------------------------


@pytest.mark.parametrize("limits", list(itertools.product([0, 5], repeat=3)))
def test_rule_6_a_refusal_names_the_account_whose_limit_it_is(limits: tuple[int, ...]) -> None:
    ledger = tree(*({"llm_calls": n} for n in limits))
    accounts = [account for account, n in zip((TENANT, RUN, BRANCH), limits, strict=True) if n == 0]
    if not accounts:
        assert ledger.reserve(BRANCH, ONE)
        return
    with pytest.raises(BudgetExceeded) as refused:
        ledger.reserve(BRANCH, ONE)
    assert refused.value.account == accounts[0]


def test_rule_6_a_refusal_passes_through_every_scope() -> None:
    with Budget(llm_calls=0).open("outer") as outer:
        with pytest.raises(BudgetExceeded) as refused, Budget(llm_calls=5).open("inner") as inner:
            inner.reserve(ONE)
        assert refused.value.account == outer.account


# -- rule 8: fail closed --------------------------------------------------------------------------------------------


def test_rule_8_an_account_that_was_never_opened_cannot_spend() -> None:
    ledger = tree({})
    stranger = ("tenant", "nobody")
    message = "account 'tenant/nobody' is not open: open it before it spends"
    for act in (
        lambda: ledger.reserve(stranger, ONE),
        lambda: ledger.charge(stranger, ONE),
        lambda: ledger.settle(Reservation("x", stranger, "", ONE), ONE),
        lambda: ledger.states(stranger),
        lambda: ledger.charges(stranger),
        lambda: ledger.top_up(stranger, ONE, id="x"),
        lambda: ledger.open((*stranger, "child"), {}),
        lambda: ledger.start(stranger),
        lambda: ledger.close(stranger),
    ):
        with pytest.raises(LedgerError) as refused:
            act()
        assert str(refused.value) == message


@pytest.mark.parametrize("limit", [-1, float("nan"), 1.5, "3"])
def test_rule_8_a_limit_that_would_admit_everything_is_no_limit(limit: int) -> None:
    with pytest.raises(ValueError, match="is no amount in whole units"):
        MemoryLedger().open(TENANT, {"llm_calls": limit})


def test_rule_8_an_account_needs_a_name() -> None:
    with pytest.raises(LedgerError, match="an account is a path such as"):
        MemoryLedger().open((), {})


def test_rule_8_an_unknown_worst_case_is_refused_under_a_limit_and_only_there() -> None:
    ledger = tree({"usd": 10**9})
    with pytest.raises(LedgerError, match="account 'tenant' limits usd, and how much of it is asked is unknown"):
        ledger.reserve(BRANCH, Spend(llm_calls=1, usd=None))
    assert own(ledger) == (0, 0, None)
    assert tree({"llm_calls": 1}).reserve(BRANCH, Spend(llm_calls=1, usd=None)).spend is None


def test_rule_8_topping_up_by_an_unknown_amount_is_refused() -> None:
    with pytest.raises(LedgerError, match="cannot top up by an unknown amount of usd"):
        tree({"usd": 1}).top_up(TENANT, Spend(usd=None), id="x")


@pytest.mark.parametrize("size", [2**63 - 1, 2**63, 2**80])
def test_rule_8_huge_amounts_neither_wrap_around_nor_get_lost(size: int) -> None:
    ledger = tree({"pages": size})
    ledger.settle(ledger.reserve(RUN, Spend.from_units({"pages": size})), Spend.from_units({"pages": size}))
    with pytest.raises(BudgetExceeded):
        ledger.reserve(RUN, Spend.from_units({"pages": 1}))
    assert ledger.charge(RUN, Spend.from_units({"pages": size})).overshoot.in_units("pages") == size


@pytest.mark.parametrize("name", ["a/b", "a\nb", "'; drop table accounts; --", "\x00", "x" * 10**6, "", "ключ"])
def test_rule_8_hostile_names_are_names(name: str) -> None:
    ledger = tree({})
    ledger.open(("tenant", name), {"llm_calls": 1})
    ledger.settle(ledger.reserve(("tenant", name), ONE, id=name, label=name), ONE)
    with pytest.raises(BudgetExceeded):
        ledger.reserve(("tenant", name), ONE)
    assert [(c.id, c.label) for c in ledger.charges(("tenant", name))] == [(name, name)]
    assert ledger.states(("tenant",))[-1].spent == ONE


def test_rule_8_two_accounts_whose_paths_look_alike_are_two() -> None:
    ledger = tree({})
    ledger.open(("tenant", "a/b"), {"llm_calls": 0})
    ledger.open(("tenant", "a"), {})
    ledger.open(("tenant", "a", "b"), {"llm_calls": 1})
    assert ledger.reserve(("tenant", "a", "b"), ONE).spend is None
