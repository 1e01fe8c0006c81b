"""Crowds in one process: scopes, and the garbage collector in the middle of an operation.

Threads and tasks on any ledger are in `budgetkit.testing.LEDGER_PROPERTIES`.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import pytest

from budgetkit import Account, Budget, BudgetExceeded, MemoryLedger, Spend

ONE = Spend(llm_calls=1)
ROOT: Account = ("root",)


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
