"""What is special about the home in PostgreSQL; what all homes do alike is in the other files here."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from budgetkit import BudgetExceeded, LedgerError, Spend, Window
from budgetkit._homes._postgres import PostgresLedger
from budgetkit._homes._postgres_requests import _keys
from budgetkit._homes._postgres_schema import VERSION
from budgetkit._homes._postgres_turns import Turns
from budgetkit._homes._postgres_url import place_of
from budgetkit._homes._verify import verify
from budgetkit.testing import ManualClock, PostgresServer, Server

ONE = Spend(llm_calls=1)
RUN = ("tenant", "run")


@pytest.fixture
def schema(postgres: Server) -> Iterator[str]:
    name = f"test_{uuid4().hex[:12]}"
    yield name
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))


@pytest.fixture
def ledger(postgres: Server, schema: str) -> Iterator[PostgresLedger]:
    with PostgresLedger(postgres.url, schema=schema) as opened:
        opened.open(("tenant",), {"llm_calls": 10})
        opened.open(RUN, {})
        yield opened


@pytest.fixture
def own() -> Iterator[PostgresServer]:
    """A server that a test may disturb."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def admin(postgres: Server, schema: str) -> Iterator[psycopg.Connection[Any]]:
    """Somebody else's connection, in the schema of the test."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))
        yield connection


def held(ledger: PostgresLedger) -> int:
    state = ledger.states(("tenant",))[0]
    return state.reserved.in_units("llm_calls") + state.spent.in_units("llm_calls")


# -- the schema -------------------------------------------------------------------------------------------------------


def test_processes_that_come_first_at_the_same_time_make_one_set_of_books(postgres: Server, schema: str) -> None:
    code = (
        "import sys; from budgetkit import Ledger, Spend; ledger = Ledger.from_url(sys.argv[1]);"
        "ledger.open(('tenant',), {'llm_calls': 10}); ledger.open(('tenant', 'run'), {});"
        "ledger.charge(('tenant', 'run'), Spend(llm_calls=1)); ledger.disconnect()"
    )
    url = f"{postgres.url}&schema={schema}" if "?" in postgres.url else f"{postgres.url}?schema={schema}"
    running = [subprocess.Popen([sys.executable, "-c", code, url]) for _ in range(4)]  # noqa: S603 - our own interpreter
    assert [process.wait() for process in running] == [0] * 4
    with PostgresLedger(postgres.url, schema=schema) as ledger:
        assert held(ledger) == 4
        assert verify(ledger)


def test_books_of_version_1_go_on_in_the_current_version(admin: Any, postgres: Server, schema: str) -> None:
    admin.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    admin.execute((files("budgetkit._homes") / "sql" / "v1.sql").read_text())
    admin.execute("INSERT INTO version VALUES (1)")
    [key] = _keys(["tenant"])
    admin.execute(
        "INSERT INTO accounts (key, lineage, path, limits, kept, prepaid, held, spent) "
        """VALUES (%s, ARRAY[%s::uuid], '["tenant"]', '{"llm_calls": 10}', '{}', false, '{"llm_calls": 4}', """
        """'{"llm_calls": 4}')""",
        (key, key),
    )
    with PostgresLedger(postgres.url, schema=schema) as ledger:
        assert ledger.states(("tenant",))[0].left("llm_calls") == 6
        ledger.freeze(("tenant",))
        ledger.open(RUN, {"llm_calls": 5}, window=Window.day())
        with pytest.raises(BudgetExceeded, match="frozen"):
            ledger.reserve(RUN, ONE)
        ledger.unfreeze(("tenant",))
        ledger.settle(ledger.reserve(RUN, ONE), ONE)
        assert ledger.states(RUN)[0].left("llm_calls") == 5
    assert admin.execute("SELECT number FROM version").fetchall() == [(VERSION,)]


@pytest.mark.usefixtures("ledger")
def test_books_of_a_later_version_are_left_alone(admin: Any, postgres: Server, schema: str) -> None:
    admin.execute("UPDATE version SET number = number + 1")
    later = PostgresLedger(postgres.url, schema=schema)
    with pytest.raises(LedgerError, match=rf"have version {VERSION + 1}, this budgetkit knows {VERSION}: upgrade"):
        later.states(("tenant",))
    later.disconnect()


@pytest.mark.usefixtures("ledger")
def test_who_may_not_change_the_schema_may_use_it(admin: Any, postgres: Server, schema: str) -> None:
    role, there = sql.Identifier(f"role_{schema}"), sql.Identifier(schema)
    admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
    for right in ("USAGE ON SCHEMA {}", "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {}"):
        admin.execute(sql.SQL("GRANT " + right + " TO {}").format(there, role))
    url = postgres.url.replace("postgres@", f"role_{schema}@")
    try:
        with PostgresLedger(url, schema=schema) as guest:
            guest.settle(guest.reserve(RUN, ONE), ONE)
            assert held(guest) == 1
        with (
            PostgresLedger(url, schema=f"{schema}_x") as stranger,
            pytest.raises(LedgerError, match="permission denied"),
        ):
            stranger.open(("tenant",), {})
    finally:
        admin.execute(sql.SQL("DROP OWNED BY {}").format(role))
        admin.execute(sql.SQL("DROP ROLE {}").format(role))


def test_a_schema_that_was_dropped_is_made_anew(ledger: PostgresLedger, admin: Any, schema: str) -> None:
    admin.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
    with pytest.raises(LedgerError, match="account 'tenant/run' is not open"):
        ledger.reserve(RUN, ONE)


@pytest.mark.parametrize("change", ["UPDATE journal SET at = 0", "DELETE FROM journal", "TRUNCATE journal"])
def test_the_journal_refuses_to_be_changed(ledger: PostgresLedger, admin: Any, change: str) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation, match="the journal is only ever appended to"):
        admin.execute(change)
    assert verify(ledger)


def test_people_can_read_the_balances(ledger: PostgresLedger, admin: Any) -> None:
    ledger.settle(ledger.reserve(RUN, ONE), ONE)
    ledger.reserve(RUN, Spend(llm_calls=2))
    rows = admin.execute('SELECT path, resource, "limit", spent, reserved, "left" FROM balances').fetchall()
    assert sorted(rows, key=str) == [
        (["tenant", "run"], "llm_calls", None, 1, 2, None),
        (["tenant"], "llm_calls", 10, 1, 2, 7),
    ]


# -- what it withstands -----------------------------------------------------------------------------------------------


def test_a_server_that_is_killed_and_comes_back_has_everything(own: PostgresServer) -> None:
    with PostgresLedger(own.url, timeout=60) as ledger:
        ledger.open(("tenant",), {"llm_calls": 10})
        ledger.open(RUN, {})
        call = ledger.reserve(RUN, ONE)
        own.kill()
        with pytest.raises(LedgerError, match="cannot be reached, reserve of 'tenant/run': nothing is admitted"):
            ledger.reserve(RUN, ONE)
        own.start()
        ledger.settle(call, ONE)
        ledger.reserve(RUN, ONE)
        assert held(ledger) == 2
        assert verify(ledger)


def test_nobody_notices_a_restart_between_two_operations(own: PostgresServer) -> None:
    async def later(ledger: PostgresLedger) -> None:
        await ledger.areserve(RUN, ONE)
        own.stop()
        own.start()
        await ledger.areserve(RUN, ONE)
        await ledger.adisconnect()

    with PostgresLedger(own.url, timeout=60) as ledger:
        ledger.open(("tenant",), {"llm_calls": 10})
        ledger.open(RUN, {})
        asyncio.run(later(ledger))
        own.stop()
        own.start()
        assert held(ledger) == 2


def test_a_server_that_hangs_is_given_up_in_time_and_serves_again_when_it_goes_on(own: PostgresServer) -> None:
    late = "did not answer within timeout=1 s, reserve of 'tenant/run': nothing is admitted"

    async def hang(ledger: PostgresLedger) -> None:
        await ledger.astates(RUN)
        own.pause()
        with pytest.raises(LedgerError, match=late):
            await ledger.areserve(RUN, ONE)
        with pytest.raises(LedgerError, match=late):  # now on a new connection
            await ledger.areserve(RUN, ONE)
        await ledger.adisconnect()

    with PostgresLedger(own.url, timeout=60) as patient, PostgresLedger(own.url, timeout=1) as ledger:
        patient.open(("tenant",), {"llm_calls": 10})
        patient.open(RUN, {})
        patient.states(RUN)
        ledger.disconnect()
        asyncio.run(hang(ledger))
        with pytest.raises(LedgerError, match=late):
            ledger.reserve(RUN, ONE)
        own.resume()
        call = patient.reserve(RUN, ONE, id="mine")
        assert call.spend is None


def test_an_operation_that_waits_too_long_for_its_tree_is_refused_and_other_trees_go_on(
    ledger: PostgresLedger, admin: Any, postgres: Server, schema: str
) -> None:
    ledger.open(("other",), {})
    with PostgresLedger(postgres.url, schema=schema, timeout=0.2) as hasty, admin.transaction():
        admin.execute("SELECT pg_advisory_xact_lock(uuid_hash_extended(%s, 0))", (_keys(["tenant"])[0],))
        with pytest.raises(LedgerError, match=r"did not answer within timeout=0\.2 s"):
            hasty.reserve(RUN, ONE)
        ledger.charge(("other",), ONE)
    assert held(ledger) == 0


def test_a_password_is_in_no_message() -> None:
    nowhere = PostgresLedger("postgresql://me:hush@localhost:1/books?host=/nowhere", timeout=1)
    with pytest.raises(LedgerError, match="PostgreSQL at /nowhere:1, database 'books'") as caught:
        nowhere.open(("tenant",), {})
    with pytest.raises(ValueError, match="is no PostgreSQL URL") as slip:
        PostgresLedger("postgresql://me:hush@localhost/books?colour=blue")
    assert "hush" not in str(caught.value) + repr(nowhere) + str(slip.value) + repr(place_of("postgresql://a:hush@b/c"))


def test_more_calls_than_one_statement_books_lapse_all_the_same(postgres: Server, schema: str) -> None:
    clock = ManualClock(start=1000)
    with PostgresLedger(postgres.url, schema=schema, clock=clock) as ledger:
        ledger.open(("tenant",), {"llm_calls": 2000})
        for _ in range(501):
            ledger.reserve(("tenant",), ONE, lease=5)
        clock.advance(10)
        assert ledger.states(("tenant",))[0].spent.in_units("llm_calls") == 501


# -- connections ------------------------------------------------------------------------------------------------------


def test_a_ledger_outlives_its_event_loops(ledger: PostgresLedger) -> None:
    for _ in range(3):
        asyncio.run(_pairs(ledger, 5))
    assert held(ledger) == 15
    assert len(ledger._shelves) <= 1  # those of loops that are closed are gone
    ledger.top_up(("tenant",), Spend(llm_calls=100), id="more")


async def _pairs(ledger: PostgresLedger, n: int) -> None:
    async def pair() -> None:
        call = await ledger.areserve(("tenant", "run"), Spend(tool_calls=1))
        await ledger.asettle(call, Spend(tool_calls=1))
        await ledger.acharge(("tenant", "run"), ONE)

    await asyncio.gather(*(pair() for _ in range(n)))


def test_event_loops_of_several_threads_share_a_ledger(ledger: PostgresLedger) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: asyncio.run(_pairs(ledger, 2)), range(4)))
    assert held(ledger) == 8


def test_who_is_cancelled_leaves_nothing_reserved_and_the_connections_whole(
    ledger: PostgresLedger, admin: Any, postgres: Server, schema: str
) -> None:
    async def cancel(narrow: PostgresLedger) -> None:
        await narrow.astates(RUN)
        with admin.transaction():
            admin.execute("SELECT pg_advisory_xact_lock(uuid_hash_extended(%s, 0))", (_keys(["tenant"])[0],))
            waiting = asyncio.ensure_future(narrow.areserve(RUN, ONE))
            await _until_it_waits(admin)
            waiting.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await narrow.areserve(RUN, ONE)
        await narrow.adisconnect()

    with PostgresLedger(postgres.url, schema=schema, pool_size=1, timeout=60) as narrow:
        asyncio.run(cancel(narrow))
    assert held(ledger) == 1


def test_an_interrupted_conversation_leaves_no_connection_behind(ledger: PostgresLedger, admin: Any) -> None:
    """Below the shield that the base class holds over every operation."""

    async def cut() -> None:
        request = {"op": "states", "path": list(RUN)}
        await ledger._asend(request, None, [])
        with admin.transaction():
            admin.execute("LOCK TABLE accounts")
            asked = asyncio.ensure_future(ledger._asend(request, None, []))
            await _until_it_waits(admin)
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked
        assert "accounts" in await ledger._asend(request, None, [])
        await ledger.adisconnect()

    asyncio.run(cut())


async def _until_it_waits(admin: Any) -> None:
    """Until somebody waits for a lock."""
    while not admin.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()[0]:  # noqa: ASYNC110 - the server's
        await asyncio.sleep(0.01)


def test_a_forked_process_has_connections_of_its_own(ledger: PostgresLedger) -> None:
    ledger.charge(RUN, ONE)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            ledger.charge(RUN, ONE)
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    ledger.charge(RUN, ONE)
    assert held(ledger) == 3


def test_a_turn_goes_to_who_has_waited_longest() -> None:
    turns, order = Turns(1), list[int]()
    assert turns.take(0)

    def wait(n: int) -> None:
        assert turns.take(60)
        order.append(n)
        turns.give()

    threads = []
    for n in range(5):
        threads.append(threading.Thread(target=wait, args=(n,)))
        threads[-1].start()
        while len(turns._waiting) <= n:
            time.sleep(0.001)
    assert not turns.take(0.01)
    turns.give()
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]
    assert turns.take(0)


# -- what it is told --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "'; DROP TABLE accounts; --", '"', "\\u0000", "{,}", "x" * 2**20])
def test_any_text_is_kept_as_it_is(ledger: PostgresLedger, text: str) -> None:
    account = ("tenant", text)
    ledger.open(account, {"llm_calls": 5}, window=Window.day())
    call = ledger.reserve(account, ONE, id=text, label=text)
    assert ledger.reserve(account, ONE, id=text).label == text
    ledger.top_up(account, ONE, id=text)
    ledger.settle(call)
    assert [(c.account, c.id, c.label) for c in ledger.charges(("tenant",))] == [(account, text, text)]
    assert account in ledger.children(("tenant",))
    assert verify(ledger)


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_a_resource_whose_name_is_no_text_is_refused_and_nothing_happens(ledger: PostgresLedger, name: str) -> None:
    for attempt in (
        lambda: ledger.reserve(RUN, Spend.from_units({name: 1, "llm_calls": 1})),
        lambda: ledger.charge(RUN, Spend.from_units({name: 1, "llm_calls": 1})),
        lambda: ledger.open(("tenant", "x"), {name: 1}),
    ):
        with pytest.raises(LedgerError, match="the name of one of its resources is no text there"):
            _call(attempt)
    assert held(ledger) == 0
    assert ledger.children(("tenant",)) == (RUN,)


def _call(attempt: Callable[[], object]) -> object:
    return attempt()


def test_sums_beyond_64_bits_are_exact(ledger: PostgresLedger) -> None:
    most = 2**63 - 1
    ledger.open(("rich",), {"usd": most})
    for _ in range(3):
        ledger.charge(("rich",), Spend.from_units({"usd": most}))
    [state] = ledger.states(("rich",))
    assert state.spent.in_units("usd") == 3 * most
    assert state.overshoot.in_units("usd") == 2 * most
    assert verify(ledger)


def test_a_url_says_where_and_how() -> None:
    place = place_of("postgresql://me:pw@db:5433/books?schema=my%20books&timeout=2.5&pool_size=3&sslmode=disable")
    assert (place.schema, place.timeout, place.pool_size) == ("my books", 2.5, 3)
    assert place.server == {
        "user": "me", "password": "pw", "host": "db", "port": "5433", "dbname": "books", "sslmode": "disable",
    }  # fmt: skip
    assert str(place) == "PostgreSQL at db:5433, database 'books', schema 'my books'"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("timeout=soon", "timeout='soon' in the url must be a number"),
        ("timeout=0", "timeout=0.0 must be a number of seconds above 0 and up to 3600"),
        ("pool_size=0", "pool_size=0 must be 1 or more"),
        ("schema=", "schema='' must name a schema"),
    ],
)
def test_an_option_that_cannot_be_is_refused(option: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        PostgresLedger(f"postgresql://localhost/books?{option}")


def test_the_journal_has_the_requests_as_they_were_sent(ledger: PostgresLedger, admin: Any) -> None:
    ledger.settle(ledger.reserve(RUN, ONE, id="a", label="l"), ONE)
    entries = admin.execute("SELECT entry, request::text FROM journal ORDER BY entry").fetchall()
    assert [(entry, json.loads(request)["op"]) for entry, request in entries] == [
        (1, "open"), (2, "open"), (3, "reserve"), (4, "settle"),
    ]  # fmt: skip
