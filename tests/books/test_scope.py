from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from budgetkit import Budget, BudgetExceeded, MemoryLedger, Scope, Spend, current_scope
from budgetkit.testing import ManualClock

ONE = Spend(llm_calls=1)
BUDGET = Budget(llm_calls=10)


# -- the acceptance list of stacked limits --------------------------------------------------------------------------


def test_can_create_with_no_limit() -> None:
    with Budget().open() as run:
        run.charge(Spend(llm_calls=10**6))
    assert (run.spent["llm_calls"], run.remaining["llm_calls"]) == (10**6, None)


def test_can_create_with_a_limit_of_zero() -> None:
    with (
        Budget(llm_calls=0).open() as run,
        pytest.raises(BudgetExceeded, match="limit 0, spent 0, reserved 0, asked 1"),
    ):
        run.reserve(ONE)


def test_does_not_raise_when_the_limit_is_not_exceeded() -> None:
    with Budget(llm_calls=10).open() as run:
        run.charge(Spend(llm_calls=10))
    assert not run.overshoot


def test_raises_when_the_limit_is_exceeded_at_once() -> None:
    with Budget(llm_calls=10).open() as run, pytest.raises(BudgetExceeded, match="asked 11"):
        run.charge(Spend(llm_calls=11))


def test_raises_when_the_limit_is_exceeded_incrementally() -> None:
    with Budget(llm_calls=10).open() as run:
        run.charge(Spend(llm_calls=5))
        run.charge(Spend(llm_calls=5))
        with pytest.raises(BudgetExceeded, match="limit 10, spent 10, reserved 0, asked 1"):
            run.charge(ONE)


def test_stacked_limits_raise_for_the_inner_when_it_is_exceeded() -> None:
    with Budget(llm_calls=10).open("outer"), Budget(llm_calls=5).open("inner") as inner:
        with pytest.raises(BudgetExceeded) as refused:
            inner.charge(Spend(llm_calls=6))
        assert refused.value.account == inner.account


def test_stacked_limits_raise_for_the_outer_when_it_is_exceeded() -> None:
    with Budget(llm_calls=10).open("outer") as outer, Budget(llm_calls=11).open("inner") as inner:
        with pytest.raises(BudgetExceeded) as refused:
            inner.charge(Spend(llm_calls=11))
        assert refused.value.account == outer.account


def test_stacked_limits_raise_for_the_outermost_when_both_are_exceeded() -> None:
    with Budget(llm_calls=5).open("outer") as outer, Budget(llm_calls=5).open("inner") as inner:
        with pytest.raises(BudgetExceeded) as refused:
            inner.reserve(Spend(llm_calls=6))
        assert refused.value.account == outer.account


def test_out_of_scope_limits_are_not_checked() -> None:
    with Budget(llm_calls=10).open("outer") as outer:
        with Budget(llm_calls=5).open("inner") as inner:
            inner.charge(Spend(llm_calls=5))
        outer.charge(Spend(llm_calls=5))
    assert outer.spent["llm_calls"] == 10


def test_siblings_each_have_their_own_limit() -> None:
    with Budget(llm_calls=10).open("outer") as outer:
        for _ in range(2):
            with Budget(llm_calls=5).open("inner") as inner:
                inner.charge(Spend(llm_calls=5))
    assert outer.spent["llm_calls"] == 10


def test_cannot_reuse_a_scope_after_it_was_left() -> None:
    run = BUDGET.open("run")
    with run:
        pass
    with (
        pytest.raises(RuntimeError, match=r"scope 'run' was entered before: call budget.open\(\) again for a new one"),
        run,
    ):
        pass


def test_cannot_reuse_a_scope_in_a_stack() -> None:
    with BUDGET.open("run") as run, pytest.raises(RuntimeError, match="scope 'run' was entered before"), run:
        pass
    assert current_scope() is None


async def test_cannot_reuse_a_scope_asynchronously() -> None:
    async with BUDGET.open("run") as run:
        with pytest.raises(RuntimeError, match="scope 'run' was entered before"):
            async with run:
                pass
    assert current_scope() is None


def test_one_budget_opens_as_many_accounts_as_are_asked_for() -> None:
    for _ in range(3):
        with BUDGET.open("run") as run:
            run.charge(Spend(llm_calls=10))
            assert run.spent["llm_calls"] == 10


# -- where the code inside spends from ------------------------------------------------------------------------------


def test_the_innermost_open_scope_is_the_current_one() -> None:
    assert current_scope() is None
    with BUDGET.open("outer") as outer:
        with BUDGET.open("inner") as inner:
            assert current_scope() is inner
            assert inner.parent is outer
        assert current_scope() is outer
    assert current_scope() is None


def test_an_exception_passes_out_of_the_scope_and_closes_it() -> None:
    with pytest.raises(ZeroDivisionError), BUDGET.open("run"):
        _ = 1 / 0
    assert current_scope() is None


def test_the_account_can_be_read_after_the_end() -> None:
    with Budget(llm_calls=4, usd="0.10").open("nightly-report") as run:
        run.settle(run.reserve(ONE, label="model:x"), Spend(llm_calls=1, usd="0.01"))
    assert (run.name, run.spent["usd"], run.remaining["llm_calls"], run.level) == (
        "nightly-report",
        Decimal("0.01"),
        3,
        "high",
    )
    assert [(c.label, c.spend) for c in run.charges] == [("model:x", Spend(llm_calls=1, usd="0.01"))]


async def test_tasks_inherit_the_scope_and_their_own_do_not_leak() -> None:
    async def branch(n: int) -> Scope:
        async with BUDGET.open(f"branch-{n}") as own:
            await asyncio.sleep(0)
            assert current_scope() is own
            own.charge(ONE)
            await asyncio.sleep(0)
        return own

    async with BUDGET.open("run") as run:
        branches = await asyncio.gather(*(branch(n) for n in range(4)))
        assert current_scope() is run
    assert {b.parent for b in branches} == {run}
    assert (run.spent["llm_calls"], len({b.account for b in branches})) == (4, 4)


def test_a_thread_with_a_copied_context_spends_from_the_scope_and_a_bare_one_does_not() -> None:
    def where() -> Scope | None:
        return current_scope()

    with BUDGET.open("run") as run, ThreadPoolExecutor(1) as pool:
        assert pool.submit(contextvars.copy_context().run, where).result() is run
        assert pool.submit(where).result() is None


async def test_work_sent_to_a_thread_by_asyncio_spends_from_the_scope() -> None:
    async with BUDGET.open("run") as run:
        assert await asyncio.to_thread(current_scope) is run


def test_a_host_enters_and_leaves_an_account_as_often_as_it_likes_also_at_the_same_time() -> None:
    run = BUDGET.open("thread-1")
    run.join()
    gate = threading.Barrier(2)

    def step() -> None:
        with run.entered():
            gate.wait()
            assert current_scope() is run
            run.charge(ONE)
            gate.wait()
        assert current_scope() is None

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(step) for _ in range(2)]:
            future.result()
    assert run.spent["llm_calls"] == 2


def test_leaving_in_the_wrong_order_is_said_and_stops_the_clock() -> None:
    clock = ManualClock()
    outer = BUDGET.open("outer", id="outer", ledger=MemoryLedger(clock=clock))

    def crossed() -> None:
        outer.__enter__()
        inner = BUDGET.open("inner", id="inner")
        inner.__enter__()
        with pytest.raises(RuntimeError) as wrong:
            outer.__exit__(None, None, None)
        assert str(wrong.value) == (
            "scope 'outer' is left while 'inner' is the innermost: leave scopes in the order opposite to entering"
        )
        inner.__exit__(None, None, None)

    contextvars.copy_context().run(crossed)
    clock.advance(60)
    assert outer.spent["seconds"] == 0


def test_a_task_that_outlives_its_scope_still_spends_from_it() -> None:
    """Work that was begun under a limit does not slip out of it by being late."""
    with Budget(llm_calls=1).open("run") as run:
        late = contextvars.copy_context()
    assert late.run(current_scope) is run
    run.charge(ONE)
    with pytest.raises(BudgetExceeded):
        run.reserve(ONE)


def test_leaving_twice_is_said() -> None:
    with BUDGET.open("run") as run:
        pass
    with pytest.raises(RuntimeError, match="scope 'run' is left without having been entered"):
        run.__exit__(None, None, None)


def test_leaving_in_another_context_is_said() -> None:
    run = BUDGET.open("run")
    here = contextvars.copy_context()
    here.run(run.__enter__)
    there = here.copy()
    with pytest.raises(RuntimeError, match="scope 'run' is left in another context than it was entered in"):
        there.run(run.__exit__, None, None, None)


# -- accounts -------------------------------------------------------------------------------------------------------


def test_a_child_keeps_its_books_where_its_parent_does() -> None:
    with BUDGET.open("outer") as outer, BUDGET.open("inner") as inner:
        assert inner.ledger is outer.ledger
        assert inner.account[:-1] == outer.account


def test_a_parent_can_be_named_where_the_context_does_not_reach() -> None:
    with BUDGET.open("outer") as outer:
        pass
    with BUDGET.open("inner", parent=outer) as inner:
        inner.charge(ONE)
    assert outer.spent["llm_calls"] == 1


def test_no_id_is_a_new_account_each_time_also_on_given_books() -> None:
    ledger = MemoryLedger()
    accounts = set[tuple[str, ...]]()
    for _ in range(3):
        with Budget(llm_calls=1).open("nightly", ledger=ledger) as run:
            run.charge(ONE)
            accounts.add(run.account)
    assert len(accounts) == 3


def test_an_id_joins_the_account_that_is_there() -> None:
    ledger = MemoryLedger()
    for _ in range(2):
        with Budget(llm_calls=2).open(id="thread-1", ledger=ledger) as run:
            run.charge(ONE)
    with Budget(llm_calls=2).open(id="thread-1", ledger=ledger) as run:
        assert (run.account, run.remaining["llm_calls"]) == (("thread-1",), 0)


def test_a_scope_cannot_slip_out_of_the_one_it_is_in_by_another_ledger() -> None:
    """Limits that hold: an outer budget that would silently not be asked is an error."""
    with BUDGET.open("outer"), pytest.raises(ValueError, match="cannot hold the limits of scope 'outer'"):
        BUDGET.open("inner", ledger=MemoryLedger())


def test_prepaid_takes_out_and_gives_back() -> None:
    with Budget(llm_calls=5).open("outer") as outer:
        with Budget(llm_calls=3).open("inner", prepaid=True) as inner:
            assert (outer.remaining["llm_calls"], inner.remaining["llm_calls"]) == (2, 3)
            inner.charge(ONE)
        assert outer.remaining["llm_calls"] == 4


def test_a_prepaid_scope_that_cannot_be_paid_is_not_entered() -> None:
    with Budget(llm_calls=2).open("outer") as outer:
        with pytest.raises(BudgetExceeded), Budget(llm_calls=3).open("inner", prepaid=True):
            pytest.fail("entered")
        assert current_scope() is outer


@pytest.mark.parametrize("amounts", [{"llm_calls": 5}, Spend(llm_calls=5)])
def test_a_person_tops_up(amounts: dict[str, object] | Spend) -> None:
    with Budget(llm_calls=1).open() as run:
        run.charge(ONE)
        run.top_up(amounts)
        assert run.remaining["llm_calls"] == 5


async def test_the_async_twins_do_what_the_sync_ones_do() -> None:
    async with Budget(llm_calls=9).open() as run:
        call = await run.areserve(Spend(llm_calls=3), id="a", label="x", keep=ONE)
        await run.apause(call)
        await run.asettle(await run.areserve(Spend(llm_calls=3), id="a"), ONE)
        await run.ledger.arelease(await run.areserve(ONE, final=True))
        await run.acharge(ONE, label="y")
        await run.atop_up({"llm_calls": 1})
        state = (await run.astates())[-1]
        assert (state.limits, state.spent, state.reserved, state.kept) == (
            {"llm_calls": 10},
            Spend(llm_calls=2),
            Spend(),
            ONE,
        )
        assert [c.label for c in await run.ledger.acharges(run.account)] == ["x", "y"]
        with pytest.raises(BudgetExceeded):
            await run.acharge(Spend(llm_calls=9))


# -- reading --------------------------------------------------------------------------------------------------------


def test_what_remains_is_the_least_of_all_above() -> None:
    with (
        Budget(llm_calls=10, usd="1").open("outer") as outer,
        Budget(llm_calls=5, custom={"pages": 2}).open("inner") as inner,
    ):
        outer.charge(Spend(llm_calls=7, usd="0.25"))
        assert dict(inner.remaining) == {"llm_calls": 3, "usd": Decimal("0.75"), "pages": 2}
        assert inner.remaining["output_tokens"] is None
        assert ("usd" in inner.remaining, "output_tokens" in inner.remaining) == (True, False)
        assert repr(inner.remaining) == "Remaining(usd=0.75, llm_calls=3, pages=2)"


def test_a_slip_of_the_pen_is_not_read_as_no_limit() -> None:
    with BUDGET.open() as run, pytest.raises(KeyError, match="did you mean 'llm_calls'"):
        run.remaining["llm_call"]  # pyright: ignore[reportUnusedExpression]  # reading raises


def test_a_scope_prints_where_it_is_and_what_it_may() -> None:
    with BUDGET.open("run") as run:
        assert repr(run) == "Scope('run', Budget(llm_calls=10))"


def test_time_is_used_while_the_scope_is_open() -> None:
    clock = ManualClock()
    with Budget(seconds=60).open(ledger=MemoryLedger(clock=clock)) as run:
        clock.advance(1.5)
        assert (run.spent["seconds"], run.remaining["seconds"]) == (Decimal("1.5"), Decimal("58.5"))
    clock.advance(60)
    assert run.spent["seconds"] == Decimal("1.5")
