"""Crowds: never one unit over, and never a unit left that somebody could have spent."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from budgetkit import Account, Budget, BudgetExceeded, MemoryLedger, Spend

ONE = Spend(llm_calls=1)
ROOT: Account = ("root",)
THREADS = 8


def crowd(work: Callable[[int], int]) -> int:
    """The sum of what each of eight threads brings home; all begin at once."""
    gate = Barrier(THREADS)

    def begin(i: int) -> int:
        gate.wait()
        return work(i)

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(begin, range(THREADS)))


def test_eight_threads_spend_one_budget_to_the_last_unit_and_not_beyond() -> None:
    ledger = MemoryLedger()
    ledger.open(ROOT, {"llm_calls": 1_000})

    def spend(i: int) -> int:
        account = (*ROOT, f"branch-{i}")
        ledger.open(account, {})
        made = 0
        for _ in range(400):
            try:
                call = ledger.reserve(account, ONE)
            except BudgetExceeded:
                break
            ledger.settle(call, ONE)
            made += 1
        return made

    assert crowd(spend) == 1_000
    state = ledger.states(ROOT)[-1]
    assert (state.spent["llm_calls"], state.reserved, state.left("llm_calls")) == (1_000, Spend(), 0)


def test_what_threads_give_back_the_others_can_spend() -> None:
    """Each reserves three and needs one: all is spent once everybody came back for the rest."""
    ledger = MemoryLedger()
    ledger.open(ROOT, {"llm_calls": 300})

    def spend(i: int) -> int:
        made, chance = 0, random.Random(i)
        while True:
            try:
                call = ledger.reserve(ROOT, Spend(llm_calls=3))
            except BudgetExceeded as refused:
                if refused.limit - refused.spent < 3:
                    return made
                continue
            if chance.random() < 0.2:
                ledger.release(call)
            else:
                ledger.settle(call, ONE)
                made += 1

    made = crowd(spend)
    assert 298 <= made <= 300
    assert ledger.states(ROOT)[-1].spent["llm_calls"] == made


def test_one_id_reserved_by_everybody_is_one_call() -> None:
    ledger = MemoryLedger()
    ledger.open(ROOT, {"llm_calls": 1})

    def spend(_: int) -> int:
        call = ledger.reserve(ROOT, ONE, id="same")
        ledger.settle(call, ONE)
        return call.attempt

    assert crowd(spend) == THREADS
    assert len(ledger.charges(ROOT)) == 1


def test_prepaid_shares_of_a_crowd_add_up() -> None:
    ledger = MemoryLedger()
    ledger.open(ROOT, {"llm_calls": 20})

    def spend(i: int) -> int:
        account, made = (*ROOT, f"branch-{i}"), 0
        for _ in range(50):
            try:
                ledger.open(account, {"llm_calls": 3}, prepaid=True)
            except BudgetExceeded:
                continue
            ledger.charge(account, ONE)
            ledger.close(account)
            made += 1
        return made

    made = crowd(spend)
    state = ledger.states(ROOT)[-1]
    assert state.spent["llm_calls"] == made
    assert state.reserved == Spend()


async def test_a_thousand_tasks_spend_one_budget_to_the_last_unit() -> None:
    refusing = set[Account]()
    async with Budget(llm_calls=250).open("run") as run:

        async def branch() -> bool:
            try:
                async with Budget(llm_calls=1).open("branch") as own:
                    call = await own.areserve(ONE)
                    await asyncio.sleep(0)
                    await own.asettle(call, ONE)
            except BudgetExceeded as refused:
                refusing.add(refused.account)
                return False
            return True

        assert sum(await asyncio.gather(*(branch() for _ in range(1_000)))) == 250
        assert (run.spent["llm_calls"], run.remaining["llm_calls"], refusing) == (250, 0, {run.account})


async def test_a_task_that_is_cancelled_leaves_its_reservation_to_be_settled() -> None:
    async with Budget(llm_calls=5).open("run") as run:

        async def call() -> None:
            held = await run.areserve(Spend(llm_calls=2))
            try:
                await asyncio.Event().wait()
            finally:
                await run.asettle(held)

        task = asyncio.create_task(call())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert run.spent == Spend.from_units({"llm_calls": 2}, estimated=["llm_calls"])


def test_a_stream_that_the_garbage_collector_ends_settles_inside_of_another_operation() -> None:
    """Its `finally` runs wherever the collector does, also while this thread holds the ledger's lock."""
    ledger = MemoryLedger(clock=lambda: float(gc.collect() * 0))
    ledger.open(ROOT, {"llm_calls": 5})

    def stream() -> Iterator[None]:
        call = ledger.reserve(ROOT, ONE)
        try:
            yield
        finally:
            ledger.settle(call, ONE)

    broken_off = stream()
    next(broken_off)
    cycle: list[object] = [broken_off]
    cycle.append(cycle)
    del broken_off, cycle
    ledger.reserve(ROOT, ONE)
    state = ledger.states(ROOT)[-1]
    assert (state.spent, state.reserved) == (ONE, ONE)
