"""Crowds: never one unit over, and never a unit left that somebody could have spent."""

import asyncio
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from budgetkit import BudgetExceeded, Ledger, Spend

from ._ledger_checks import ONE, RUN, TENANT, balanced, calls, same, tree
from ._ledger_home import LedgerHome
from ._ledger_property import holds

THREADS = 8
_TRIES = 5000
_EACH = 3
_PATIENCE = 30.0
"""Seconds that a thread waits for the others to begin."""


def crowd(work: Callable[[int], int]) -> int:
    """The sum of what each of eight threads brings home; all begin at once."""
    gate = Barrier(THREADS)

    def begin(i: int) -> int:
        gate.wait(_PATIENCE)
        return work(i)

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(begin, range(THREADS)))


@holds("crowds", "eight threads spend one budget to the last unit, and not beyond", "crowds")
def threads_spend_to_the_last_unit(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 100})

    def spend(i: int) -> int:
        ledger.open((*RUN, f"branch-{i}"), {})
        made = 0
        for _ in range(20):
            try:
                call = ledger.reserve((*RUN, f"branch-{i}"), ONE)
            except BudgetExceeded:
                return made
            ledger.settle(call, ONE)
            made += 1
        return made

    same("calls made, with a limit of 100", crowd(spend), 100)
    balanced(ledger, (100, 0, 0), "eight threads")


@holds("crowds", "what one thread gives back the others can spend", "crowds")
def threads_spend_what_others_give_back(home: LedgerHome) -> None:
    """Each reserves three and needs one: all is spent once everybody came back for the rest."""
    ledger = tree(home, {"llm_calls": 60})

    def spend(i: int) -> int:
        made, chance = 0, random.Random(i)
        for _ in range(_TRIES):
            try:
                call = ledger.reserve(RUN, calls(_EACH))
            except BudgetExceeded as refusal:
                if refusal.limit - refusal.spent < _EACH:
                    break
                time.sleep(0.0002)
                continue
            if chance.choice("abcde") == "a":  # a fifth is never sent
                ledger.release(call)
            else:
                ledger.settle(call, ONE)
                made += 1
        return made

    made = crowd(spend)
    same("whether the calls left, of 60, are too few for another", 0 <= 60 - made < _EACH, True)
    balanced(ledger, (made, 0, 60 - made), "eight threads")


@holds("crowds", "one id reserved and settled by everybody is one call", "crowds")
def one_id_is_one_call(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 1})

    def spend(_: int) -> int:
        call = ledger.reserve(RUN, ONE, id="same")
        ledger.settle(call, ONE)
        return call.attempt

    same("attempts, added up", crowd(spend), THREADS)
    same("charges", len(ledger.charges(TENANT)), 1)
    balanced(ledger, (1, 0, 0), "eight threads")


@holds("crowds", "prepaid shares of a crowd add up", "crowds")
def shares_of_a_crowd(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 20})

    def spend(i: int) -> int:
        account, made = (*TENANT, f"branch-{i}"), 0
        for _ in range(10):
            try:
                ledger.open(account, {"llm_calls": 3}, prepaid=True)
            except BudgetExceeded:
                continue
            ledger.charge(account, ONE)
            ledger.close(account)
            made += 1
        return made

    made = crowd(spend)
    balanced(ledger, (made, 0, max(0, 20 - made)), "eight threads with shares of 3")


@holds("crowds", "an account that everybody opens at once is one account", "crowds")
def everybody_opens(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 100})

    def spend(i: int) -> int:
        account = (*TENANT, "one")
        ledger.open(account, {"llm_calls": i + 1})
        ledger.charge(account, ONE)
        return 1

    crowd(spend)
    same("children", ledger.children(TENANT), ((*TENANT, "one"), RUN))
    balanced(ledger, (THREADS, 0, 92), "eight threads")


@holds("crowds", "the limit holds for threads of two clients together", "shared", "crowds")
def threads_of_two_clients(home: LedgerHome) -> None:
    one = tree(home, {"llm_calls": 50})
    two = home.again() or one

    def spend(i: int) -> int:
        return _as_many_as_there_are((one, two)[i % 2])

    same("calls made, with a limit of 50", crowd(spend), 50)
    balanced(one, (50, 0, 0), "eight threads of two clients")


def _as_many_as_there_are(ledger: Ledger) -> int:
    for made in range(20):
        try:
            ledger.settle(ledger.reserve(RUN, ONE), ONE)
        except BudgetExceeded:
            return made
    return 20


@holds("crowds", "a hundred tasks spend one budget to the last unit, and not beyond", "crowds")
def tasks_spend_to_the_last_unit(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 60})

    async def branch() -> int:
        try:
            call = await ledger.areserve(RUN, ONE)
        except BudgetExceeded:
            return 0
        await asyncio.sleep(0)
        await ledger.asettle(call, Spend(llm_calls=1))
        return 1

    async def run() -> int:
        made = sum(await asyncio.gather(*(branch() for _ in range(100))))
        await home.aclose()
        return made

    same("calls made, with a limit of 60", asyncio.run(run()), 60)
    balanced(ledger, (60, 0, 0), "a hundred tasks")
