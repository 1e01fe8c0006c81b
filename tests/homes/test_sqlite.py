"""What is special to the books in SQLite: one file, many processes, and all that can happen to a file."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import PIPE

import pytest

from budgetkit import (
    Account,
    BudgetExceeded,
    Ledger,
    LedgerError,
    Reservation,
    Spend,
    SqliteLedger,
    Window,
)
from budgetkit._homes._sqlite_schema import MIGRATIONS
from budgetkit._homes._verify import verify
from budgetkit.testing import ManualClock

ONE = Spend(llm_calls=1)
ROOT, RUN = ("tenant",), ("tenant", "run")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "books.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[SqliteLedger]:
    with SqliteLedger(path, timeout=0.05) as ledger:
        ledger.open(ROOT, {"llm_calls": 100})
        ledger.open(RUN, {})
        yield ledger


@contextlib.contextmanager
def other(path: Path) -> Generator[sqlite3.Connection]:
    """Another program with the same file."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        yield db


def inside(ledger: SqliteLedger) -> sqlite3.Connection:
    """The connection that the ledger writes with."""
    db = ledger._desk()._writing[0]._db
    assert db is not None
    return db


def used(ledger: Ledger, account: Account = ROOT) -> tuple[int, int]:
    """Model calls spent and reserved."""
    state = ledger.states(account)[-1]
    return state.spent.in_units("llm_calls"), state.reserved.in_units("llm_calls")


# -- many processes ---------------------------------------------------------------------------------------------------

CROWD = """
import sys
from budgetkit import BudgetExceeded, Ledger, Spend
ledger, one, made = Ledger.from_url(sys.argv[1]), Spend(llm_calls=1), 0
print("ready", flush=True)
input()
try:
    while True:
        ledger.settle(ledger.reserve(("tenant", "run"), one), one)
        made += 1
except BudgetExceeded:
    print(made)
"""


def test_processes_together_spend_exactly_the_limit(ledger: SqliteLedger, path: Path) -> None:
    command = [sys.executable, "-c", CROWD, f"sqlite:///{path}?timeout=30"]
    with contextlib.ExitStack() as running:
        crowd = [running.enter_context(subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True)) for _ in range(4)]  # noqa: S603 - our own interpreter
        for process in crowd:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        made = [int(process.communicate("go\n")[0]) for process in crowd]
    assert sum(made) == 100
    assert used(ledger) == (100, 0)
    assert verify(ledger).differences == ()


def test_processes_that_are_first_at_the_same_time_make_one_file(path: Path) -> None:
    code = "import sys; from budgetkit import Ledger; Ledger.from_url(sys.argv[1]).open(('tenant',), {'llm_calls': 3})"
    command = [sys.executable, "-c", code, f"sqlite:///{path}?timeout=30"]
    with contextlib.ExitStack() as running:
        crowd = [running.enter_context(subprocess.Popen(command)) for _ in range(6)]  # noqa: S603 - our own interpreter
        assert [process.wait() for process in crowd] == [0] * 6
    with SqliteLedger(path) as ledger:
        assert ledger.children() == (ROOT,)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_a_connection_of_its_own(path: Path) -> None:
    with SqliteLedger(path, clock=time.time) as ledger:
        ledger.open(ROOT, {"llm_calls": 3})
        ledger.charge(ROOT, ONE)
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                ledger.charge(ROOT, ONE)
                ledger.disconnect()
                os._exit(0)
            os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        ledger.charge(ROOT, ONE)
        assert used(ledger) == (3, 0)


KILLED = """
import os, signal, sys
from budgetkit import Ledger, Spend
ledger, deadly = Ledger.from_url(sys.argv[1]), int(sys.argv[3])
ledger.states(("tenant",))
call = ledger.reserve(("tenant", "run"), Spend(llm_calls=1), id="call") if sys.argv[2] == "settle" else None
ledger.charge(("tenant", "run"), Spend(llm_calls=0), id="warm")

def count(_):
    global deadly
    deadly -= 1
    if deadly == 0:
        os.kill(os.getpid(), signal.SIGKILL)

ledger._desk()._writing[0]._db.set_trace_callback(count)
if call is None:
    ledger.reserve(("tenant", "run"), Spend(llm_calls=1), id="call")
else:
    ledger.settle(call, Spend(llm_calls=1))
print("survived")
os._exit(0)
"""
"""Dies as it begins the statement of that number."""


@pytest.mark.parametrize(("op", "before", "after"), [("reserve", (0, 0), (0, 1)), ("settle", (0, 1), (1, 0))])
def test_a_process_killed_at_any_statement_leaves_the_whole_operation_or_nothing(
    op: str, before: tuple[int, int], after: tuple[int, int], path: Path
) -> None:
    found: list[tuple[int, int]] = []
    for deadly in range(1, 99):
        with SqliteLedger(path, clock=time.time) as ledger:
            ledger.open(ROOT, {"llm_calls": 100})
            ledger.open(RUN, {})
        command = [sys.executable, "-c", KILLED, f"sqlite:///{path}", op, str(deadly)]
        survived = subprocess.run(command, stdout=PIPE, check=False).stdout  # noqa: S603 - our own interpreter
        with SqliteLedger(path, clock=time.time) as ledger:
            found.append(used(ledger))
            assert verify(ledger).differences == ()
        for file in path.parent.iterdir():
            file.unlink()
        if survived:
            break
    assert len(found) > 5
    assert found == [before] * (len(found) - 1) + [after]


def test_a_ledger_that_comes_back_knows_it_all(path: Path) -> None:
    clock = ManualClock(start=1_000_000)
    with SqliteLedger(path, clock=clock) as ledger:
        ledger.open(ROOT, {"llm_calls": 3}, keep=ONE)
        ledger.reserve(ROOT, ONE, id="open", lease=60)
        ledger.charge(ROOT, ONE, id="settled")
    with SqliteLedger(path, clock=clock) as again:
        assert used(again) == (1, 1)
        with pytest.raises(BudgetExceeded, match="limit 3, spent 1, reserved 2, asked 1"):
            again.reserve(ROOT, ONE)
        clock.advance(61)
        assert used(again) == (2, 0)
        assert [call.id for call in again.charges(ROOT)] == ["settled", "open"]


# -- threads and tasks ------------------------------------------------------------------------------------------------


def test_threads_together_spend_exactly_the_limit(path: Path) -> None:
    with SqliteLedger(path, timeout=60) as ledger:
        ledger.open(ROOT, {"llm_calls": 100})

        def work(_: int) -> int:
            made = 0
            with contextlib.suppress(BudgetExceeded):
                while True:
                    ledger.settle(ledger.reserve(ROOT, ONE), ONE)
                    made += 1
            return made

        with ThreadPoolExecutor(16) as pool:
            assert sum(pool.map(work, range(16))) == 100
        assert used(ledger) == (100, 0)


async def test_the_event_loop_goes_on_while_the_file_is_locked(path: Path) -> None:
    with SqliteLedger(path, timeout=60) as ledger, other(path) as db:
        await ledger.aopen(ROOT, {"llm_calls": 1})
        db.execute("BEGIN IMMEDIATE")
        waiting = asyncio.ensure_future(ledger.areserve(ROOT, ONE))
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert not waiting.done()
        db.execute("COMMIT")
        assert (await waiting).asked == ONE
        await ledger.adisconnect()


def settle_in_the_middle(ledger: SqliteLedger, call: Reservation) -> None:
    """At the next statement settle the call, in the same thread, as a stream does that the garbage collector ends."""
    db = inside(ledger)

    def settle(_: str) -> None:
        db.set_trace_callback(None)
        ledger.settle(call, ONE)

    db.set_trace_callback(settle)


def all_settled() -> None:
    for thread in threading.enumerate():
        if thread.name == "budgetkit-settle":
            thread.join()


async def test_a_call_that_the_garbage_collector_ends_in_the_middle_of_an_operation_is_settled(path: Path) -> None:
    with SqliteLedger(path, timeout=60) as ledger:
        ledger.open(ROOT, {})
        settle_in_the_middle(ledger, ledger.reserve(ROOT, ONE))
        ledger.charge(ROOT, ONE)
        all_settled()
        assert used(ledger) == (2, 0)
        settle_in_the_middle(ledger, ledger.reserve(ROOT, ONE))
        await ledger.acharge(ROOT, ONE)
        all_settled()
        assert used(ledger) == (4, 0)


def test_a_ledger_that_is_forgotten_closes_its_file(path: Path) -> None:
    ledger = SqliteLedger(path)
    ledger.open(ROOT, {})
    db = inside(ledger)
    del ledger
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        db.execute("SELECT 1")


# -- locks ------------------------------------------------------------------------------------------------------------


def test_a_file_that_another_process_has_locked_admits_nothing_until_it_is_free(
    ledger: SqliteLedger, path: Path
) -> None:
    with other(path) as db:
        db.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError) as locked:
            ledger.reserve(RUN, ONE)
        db.execute("ROLLBACK")
    assert str(locked.value) == (
        f"the ledger {str(path)!r} cannot be used: another process has locked it for 0.05 s: try again, or raise "
        "timeout="
    )
    ledger.reserve(RUN, ONE)
    assert used(ledger) == (0, 1)


def test_who_reads_waits_for_nobody_who_writes(ledger: SqliteLedger, path: Path) -> None:
    with other(path) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("DELETE FROM accounts")
        assert used(ledger) == (0, 0)
        assert ledger.children(ROOT) == (RUN,)
        assert ledger.charges(ROOT) == ()


def test_reading_and_what_changes_nothing_write_nothing(ledger: SqliteLedger, path: Path) -> None:
    ledger.settle(ledger.reserve(RUN, ONE, id="call"), ONE)
    with other(path) as db:
        before = db.execute("PRAGMA data_version").fetchone()
        assert (used(ledger), len(ledger.charges(RUN)), ledger.children()) == ((1, 0), 1, (ROOT,))
        assert len(ledger.dump("tenant")["journal"]) == 4
        ledger.open(ROOT, {"llm_calls": 7})
        ledger.reserve(RUN, ONE, id="call")
        with pytest.raises(LedgerError):
            ledger.reserve(("nobody",), ONE)
        assert db.execute("PRAGMA data_version").fetchone() == before


# -- the schema -------------------------------------------------------------------------------------------------------

VERSION_1 = {
    "path": ["tenant"], "limits": {"llm_calls": "3"}, "kept": {"llm_calls": "1"}, "prepaid": False,
    "watch": [0, 0, 0], "cells": {"llm_calls": ["1", "1", False]}, "marks": {"estimated": {}, "unmeasured": {}},
}  # fmt: skip


def test_a_file_of_version_1_goes_on_as_version_2(path: Path) -> None:
    with other(path) as db:
        for statement in MIGRATIONS[0]:
            db.execute(statement)
        db.execute("UPDATE meta SET value = '1' WHERE name = 'version'")
        db.execute("INSERT INTO accounts (path, doc) VALUES (?, ?)", ('["tenant"]', json.dumps(VERSION_1)))
    with SqliteLedger(path) as ledger:
        ledger.reserve(ROOT, ONE)
        with pytest.raises(BudgetExceeded, match="limit 3, spent 1, reserved 2, asked 1"):
            ledger.reserve(ROOT, ONE)
        ledger.freeze(ROOT)
        assert ledger.states(ROOT)[-1].frozen
    with other(path) as db:
        assert db.execute("SELECT value FROM meta WHERE name = 'version'").fetchone() == ("2",)


def test_the_journal_is_append_only(ledger: SqliteLedger, path: Path) -> None:
    ledger.charge(RUN, ONE)
    with other(path) as db:
        for change in ("UPDATE journal SET at = 0", "DELETE FROM journal"):
            with pytest.raises(sqlite3.IntegrityError, match="the journal is append-only"):
                db.execute(change)


def test_people_read_balances_and_spends_in_plain_sql(ledger: SqliteLedger, path: Path) -> None:
    ledger.charge(RUN, ONE, id="a", label="model:gpt")
    ledger.reserve(ROOT, Spend(llm_calls=2))
    with other(path) as db:
        assert db.execute("SELECT * FROM balances").fetchall() == [
            ('["tenant"]', "llm_calls", 100, 1, 2, 97),
            ('["tenant","run"]', "llm_calls", None, 1, 0, None),
        ]
        assert db.execute("SELECT * FROM spends").fetchall() == [
            ('["tenant","run"]', "a", "model:gpt", "settled", "llm_calls", 1)
        ]


@pytest.mark.parametrize("name", ["'; DROP TABLE calls; --", "a\x00b", "\ud800", '["x"]', "%s{}?:/\\\n", "é" * 500_000])
def test_any_text_is_a_name(name: str, path: Path) -> None:
    account = (name, name)
    with SqliteLedger(path) as ledger:
        ledger.open(account[:1], {"llm_calls": 2**63 - 1})
        ledger.open(account, {})
        ledger.settle(ledger.reserve(account, Spend(llm_calls=2**63 - 2), id=name, label=name))
        ledger.top_up(account, ONE, id=name)
    with SqliteLedger(path) as again:
        (call,) = again.charges(account)
        assert (call.id, call.label, call.account, again.children(account[:1])) == (name, name, account, (account,))
        assert again.states(account)[0].left("llm_calls") == 1


# -- the clock --------------------------------------------------------------------------------------------------------


def test_a_clock_that_is_set_back_stands_still(path: Path) -> None:
    now = [1_000_000.0]
    with SqliteLedger(path, clock=lambda: now[0]) as ledger:
        ledger.open(ROOT, {}, window=Window.hour())
        now[0] += 3600
        ledger.charge(ROOT, ONE)
        now[0] -= 3600
        ledger.charge(ROOT, ONE)
        call = ledger.reserve(ROOT, ONE, lease=10)
        assert call.expires == 1_003_610
        assert used(ledger) == (2, 1)
