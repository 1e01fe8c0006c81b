"""Workers that are killed: forks spenders on one ledger and kills them with SIGKILL, wherever they happen to be.

Usage: ``python crash_worker.py URL ACCOUNT TRUTH KILLS SEED``. ``TRUTH`` is the provider's own record, a file to which
a spender writes ``sent ID`` before it makes a call and ``billed ID`` once its settlement came back. Prints where it
killed them, as JSON.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter

from budgetkit import BudgetExceeded, Ledger, Spend

LEASE = 1.0
ASKED = Spend(llm_calls=1, output_tokens=100)
COST = Spend(llm_calls=1, output_tokens=60)
STEPS = ("before the reservation", "after the reservation", "after the call", "after the settlement")
SPENDERS = 2


def spend(url: str, account: tuple[str, ...], truth: int, fate: tuple[int, str] | None) -> None:
    """Reserve, call, settle, until the budget ends or fate strikes."""
    ledger, rounds = Ledger.from_url(url), 0

    def at(step: str) -> None:
        if fate == (rounds, step):
            os.kill(os.getpid(), signal.SIGKILL)

    while True:
        at("before the reservation")
        try:
            call = ledger.reserve(account, ASKED, label="model:mock", lease=LEASE)
        except BudgetExceeded:
            os._exit(0)
        at("after the reservation")
        os.write(truth, f"sent {call.id}\n".encode())
        at("after the call")
        ledger.settle(call, COST)
        os.write(truth, f"billed {call.id}\n".encode())
        at("after the settlement")
        rounds += 1


def kill_one(random_: random.Random, url: str, account: tuple[str, ...], truth: int) -> str:
    """Let a few spend at once until the first of them dies, by its own fate or by ours; then kill them all."""
    step = random_.choice([*STEPS, "anywhere"])
    fate = None if step == "anywhere" else (random_.randrange(3), step)
    children = [_fork(url, account, truth, fate if n == 0 else None) for n in range(SPENDERS)]
    if fate is None:
        time.sleep(random_.uniform(0.0, 0.03))
        os.kill(children[0], signal.SIGKILL)
    os.waitpid(children[0], 0)
    for child in children[1:]:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return step


def _fork(url: str, account: tuple[str, ...], truth: int, fate: tuple[int, str] | None) -> int:
    child = os.fork()
    if child == 0:
        try:
            spend(url, account, truth, fate)
        finally:
            os._exit(1)
    return child


def main() -> None:
    """See the module."""
    url, account, truth_file, kills, seed = sys.argv[1:]
    Ledger.from_url(url)  # loads what it needs once; every child connects by itself
    random_ = random.Random(int(seed))
    truth = os.open(truth_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    killed = Counter(kill_one(random_, url, tuple(account.split("/")), truth) for _ in range(int(kills)))
    sys.stdout.write(json.dumps(killed))


if __name__ == "__main__":
    main()
