"""What is special about books in Redis: exact numbers in a language of doubles, one hash tag, a server that goes."""

from __future__ import annotations

import asyncio
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.crc import key_slot

from budgetkit import BudgetExceeded, LedgerError, Spend, Window
from budgetkit._homes._redis import RedisLedger
from budgetkit._homes._redis_scripts import operation
from budgetkit._homes._redis_store import UnsafeStoreWarning
from budgetkit._homes._redis_texts import account_keys, json_text
from budgetkit._homes._verify import verify
from budgetkit.testing import ManualClock, RedisServer

pytestmark = pytest.mark.enable_socket
RUN = ("acme", "run")
LARGEST = 2**63 - 1
HOSTILE = ['"', "\\", '\\"', "],", "},", "\n", "\x00", "\ud800", "é", "😀", '],"id":"', '","attempt":9', "{x}", "/", ""]


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def url(server: RedisServer) -> str:
    """Fresh books on the server that all share."""
    return f"{server.url}?prefix=test_{uuid4().hex}"


@pytest.fixture
def ledger(url: str) -> Iterator[RedisLedger]:
    with RedisLedger(url) as ledger:
        yield ledger


def opened(ledger: RedisLedger, limit: int = 10) -> RedisLedger:
    ledger.open(("acme",), {"llm_calls": limit})
    ledger.open(RUN, {})
    return ledger


def calls(n: int) -> Spend:
    return Spend(llm_calls=n)


def held(ledger: RedisLedger) -> tuple[int, int]:
    """What the root has reserved and spent."""
    root = ledger.states(RUN)[0]
    return root.reserved.in_units("llm_calls"), root.spent.in_units("llm_calls")


def words_of(text: str) -> str:
    """The message, once its host and port are put aside."""
    return re.sub(r"127\.0\.0\.1:\d+", "HOST", text)


# -- numbers ----------------------------------------------------------------------------------------------------------

EDGES = [0, 1, 10**14 - 1, 10**14, 9 * 10**15 - 1, 9 * 10**15, 2**53 - 1, 2**53, 2**53 + 1, LARGEST, 10**28]
numbers = st.one_of(st.sampled_from(EDGES), st.integers(0, 2**54), st.integers(0, 10**28)).flatmap(
    lambda n: st.sampled_from([n, -n])
)
SUMS = """
local found = {}
for i = 1, #ARGV, 2 do
  local a, b = num(ARGV[i]), num(ARGV[i + 1])
  found[#found + 1] = text(a) .. ' ' .. text(add(a, b)) .. ' ' .. text(sub(a, b)) .. ' ' .. tostring(less(a, b)) .. ' '
    .. text(larger(a, b)) .. ' ' .. tostring(sub(a, b) == 0) .. ' ' .. text(sub(add(a, b), b))
end
return table.concat(found, '\\n')
"""


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=100))
def test_the_server_counts_whole_numbers_exactly(server: RedisServer, pairs: list[tuple[int, int]]) -> None:
    arithmetic = operation("stop").source.split("-- The accounts of one tree")[0]
    with redis.Redis.from_url(server.url) as plain:
        found = plain.eval(arithmetic + SUMS, 0, *(str(n) for pair in pairs for n in pair))
    assert isinstance(found, bytes)
    expected = [f"{a} {a + b} {a - b} {str(a < b).lower()} {max(a, b)} {str(a == b).lower()} {a}" for a, b in pairs]
    assert found.decode().split("\n") == expected


def test_the_largest_amounts_are_kept_to_the_unit(ledger: RedisLedger) -> None:
    ledger.open(("acme",), {"usd": LARGEST})
    ledger.open(RUN, {})
    ledger.settle(ledger.reserve(RUN, Spend.from_units({"usd": LARGEST - 1})))
    with pytest.raises(BudgetExceeded) as refused:
        ledger.reserve(RUN, Spend.from_units({"usd": 2}))
    assert refused.value._units == {"limit": LARGEST, "spent": LARGEST - 1, "reserved": 0, "asked": 2}
    ledger.settle(ledger.reserve(RUN, Spend.from_units({"usd": 1})))
    for n in range(3):
        ledger.charge(RUN, Spend.from_units({"usd": LARGEST}), id=f"late {n}")
    assert ledger.states(RUN)[0].spent.in_units("usd") == 4 * LARGEST
    assert verify(ledger)


def test_an_amount_that_cannot_be_counted_exactly_is_refused_before_anything_happens(ledger: RedisLedger) -> None:
    opened(ledger)
    before = ledger.dump("acme")["accounts"]
    for ask in (
        lambda: ledger.reserve(RUN, Spend.from_units({"usd": 10**28})),
        lambda: ledger.reserve(RUN, calls(1), keep=Spend.from_units({"usd": 10**28})),
        lambda: ledger.set_limits(RUN, {"usd": 10**28}),
        lambda: ledger.open((*RUN, "x"), {"usd": 10**28}),
    ):
        with pytest.raises(LedgerError, match="an amount has more digits than the books hold"):
            ask()
    assert ledger.dump("acme")["accounts"] == before


def test_a_window_over_thousands_of_resources_turns_its_page_at_once(url: str) -> None:
    clock = ManualClock(1_700_000_000.0)
    names = [f"tool:{n}" for n in range(3_000)]
    with RedisLedger(url, clock=clock) as ledger:
        ledger.open(("acme",), {}, window=Window.hour())
        for first in range(0, len(names), 1_000):
            ledger.charge(("acme",), Spend.from_units(dict.fromkeys(names[first : first + 1_000], 1)))
        clock.advance(3600)
        assert ledger.states(("acme",))[0].spent == Spend()


# -- keys and texts ---------------------------------------------------------------------------------------------------


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(*[st.lists(st.sampled_from(HOSTILE), max_size=4).map("".join)] * 4)
def test_hostile_texts_come_back_as_they_were(url: str, root: str, name: str, id: str, label: str) -> None:  # noqa: A002 - the field's own word
    with RedisLedger(f"{url}_{uuid4().hex}") as ledger:
        ledger.open((root,), {"llm_calls": 1})
        ledger.open((root, name), {})
        ledger.settle(ledger.reserve((root, name), calls(1), id=id, label=label), calls(1))
        assert [(c.account, c.id, c.label) for c in ledger.charges((root,))] == [((root, name), id, label)]
        assert (ledger.children(), ledger.children((root,))) == (((root,),), ((root, name),))
        assert verify(ledger)


def test_a_text_of_a_megabyte_is_kept(ledger: RedisLedger) -> None:
    label = '"\\' * 500_000
    opened(ledger).settle(ledger.reserve(RUN, calls(1), id="long", label=label))
    assert ledger.charges(RUN)[0].label == label


def test_no_text_that_the_scripts_read_holds_a_raw_quote_in_a_string() -> None:
    assert json_text({'a"\\': '\\"'}) == r'{"a\u0022\\":"\\\u0022"}'


def test_every_key_that_a_script_touches_has_the_tag_of_its_root(server: RedisServer) -> None:
    prefix = f"test_{uuid4().hex}"
    with RedisLedger(server.url, prefix=prefix) as ledger:
        opened(ledger)
        ledger.open((*RUN, "share"), {"llm_calls": 2}, prepaid=True)
        ledger.settle(ledger.reserve(RUN, calls(1)), Spend.from_units({}, unmeasured=["llm_calls"]))
        ledger.top_up(RUN, calls(1), id="more")
        ledger.release(ledger.reserve(RUN, calls(1)))
        ledger.start(RUN, lease=5)
    with redis.Redis.from_url(server.url) as plain:
        keys = [key.decode() for key in plain.scan_iter(f"{prefix}:*", count=10_000)]
    tree = account_keys(prefix, ("acme",))[0].partition(":account:")[0]
    ours, store = f"{tree}:", f"{prefix}:{{books}}:"
    assert {key.removeprefix(ours).partition(":")[0] for key in keys if key.startswith(ours)} == {
        "account", "call", "children", "due", "journal", "presence", "released", "settled", "topups",
    }  # fmt: skip
    assert {key for key in keys if not key.startswith(ours)} == {f"{store}store", f"{store}roots"}
    assert len({key_slot(key.encode()) for key in keys if key.startswith(ours)}) == 1


def test_an_account_can_be_read_by_eye(server: RedisServer) -> None:
    prefix = f"test_{uuid4().hex}"
    with RedisLedger(server.url, prefix=prefix) as ledger, redis.Redis.from_url(server.url, decode_responses=True) as r:
        opened(ledger).reserve(RUN, calls(3))
        row = r.hgetall(account_keys(prefix, ("acme",))[0])
    assert row == {
        "path": '["acme"]', "version": "2", "serial": "1", "traits": "", "kept": "", "limited": '"llm_calls"',
        "limit:llm_calls": "10", "held:llm_calls": "3",
    }  # fmt: skip


# -- the server comes and goes ----------------------------------------------------------------------------------------


def test_a_server_that_forgot_its_scripts_is_given_them_again(ledger: RedisLedger, server: RedisServer) -> None:
    opened(ledger)
    with redis.Redis.from_url(server.url) as plain:
        plain.script_flush()
    ledger.settle(ledger.reserve(RUN, calls(1)), calls(1))
    assert held(ledger) == (0, 1)


def test_a_server_that_is_killed_and_comes_back_has_everything() -> None:
    with RedisServer() as server, RedisLedger(server.url) as ledger:
        call = opened(ledger).reserve(RUN, calls(4), id="before")
        ledger.charge(RUN, calls(1), id="spent")
        server.kill()
        with pytest.raises(LedgerError) as down:
            ledger.reserve(RUN, calls(1), id="meanwhile")
        assert words_of(str(down.value)).startswith("redis://HOST/0 cannot keep the books now (reserve of 'acme/run': ")
        server.start()
        assert held(ledger) == (4, 1)
        ledger.settle(call, calls(4))
        assert held(ledger) == (0, 5)
        assert verify(ledger)


async def test_tasks_find_the_server_again_after_a_restart() -> None:
    with RedisServer() as server:
        async with RedisLedger(server.url) as ledger:
            await ledger.aopen(("acme",), {"llm_calls": 10})
            await asyncio.gather(*(ledger.areserve(("acme",), calls(1)) for _ in range(5)))
            server.kill()
            with pytest.raises(LedgerError, match="nothing is admitted until it answers"):
                await ledger.areserve(("acme",), calls(1))
            server.start()
            await asyncio.gather(*(ledger.areserve(("acme",), calls(1)) for _ in range(5)))
            with pytest.raises(BudgetExceeded):
                await ledger.areserve(("acme",), calls(1))
            ledger.disconnect()


def test_a_server_that_hangs_admits_nothing_and_keeps_nobody_waiting() -> None:
    with RedisServer() as server, RedisLedger(server.url, timeout=0.2) as ledger:
        opened(ledger)
        server.pause()
        with pytest.raises(LedgerError) as late:
            ledger.reserve(RUN, calls(1), id="one")
        server.resume()
        assert "until it answers within timeout=0.2 s" in str(late.value)
        patient = RedisLedger(server.url)
        call = patient.reserve(RUN, calls(1), id="one")  # whether the server had heard of it or not
        assert held(patient) == (1, 0)
        patient.settle(call)
        patient.disconnect()


async def test_a_server_that_hangs_does_not_keep_a_task_waiting() -> None:
    with RedisServer() as server:
        async with RedisLedger(server.url, timeout=0.2) as ledger:
            await ledger.aopen(("acme",), {"llm_calls": 3})
            server.pause()
            with pytest.raises(LedgerError, match=r"timeout=0\.2 s"):
                await ledger.areserve(("acme",), calls(1))
            server.resume()
        async with RedisLedger(server.url) as patient:
            call = await patient.areserve(("acme",), calls(1))
            await patient.asettle(call, calls(1))


def test_the_password_is_in_no_message() -> None:
    with RedisLedger("redis://:secret@127.0.0.1:1/0") as ledger, pytest.raises(LedgerError) as down:
        ledger.open(("acme",), {})
    assert "secret" not in str(down.value)
    assert str(down.value).startswith("redis://127.0.0.1:1/0 cannot keep the books now (open of 'acme': ")


def test_a_replica_admits_nothing() -> None:
    with RedisServer() as ours, RedisLedger(ours.url) as ledger, redis.Redis.from_url(ours.url) as plain:
        opened(ledger)
        plain.replicaof("127.0.0.1", 1)
        with pytest.raises(LedgerError, match=r"(?i)read.?only"):
            ledger.reserve(RUN, calls(1))
        plain.replicaof("NO", "ONE")
        assert held(ledger) == (0, 0)


def test_a_server_whose_memory_is_full_admits_nothing() -> None:
    with RedisServer() as ours, RedisLedger(ours.url) as ledger, redis.Redis.from_url(ours.url) as plain:
        opened(ledger)
        plain.config_set("maxmemory", "1")
        with pytest.raises(LedgerError, match="used memory"):
            ledger.reserve(RUN, calls(1))
        plain.config_set("maxmemory", "0")
        assert held(ledger) == (0, 0)
        assert verify(ledger)


# -- books that are lost ----------------------------------------------------------------------------------------------


def test_books_that_were_lost_are_not_begun_anew() -> None:
    with RedisServer() as server, RedisLedger(server.url) as ledger:
        opened(ledger)
        with redis.Redis.from_url(server.url) as plain:
            plain.flushall()
        for attempt in (lambda: ledger.open(("acme",), {}), lambda: ledger.reserve(RUN, calls(1)), ledger.children):
            with pytest.raises(LedgerError) as lost:
                attempt()
            assert words_of(str(lost.value)) == (
                "redis://HOST/0 has lost its books (or somebody deleted them): nothing is admitted. Restore them; to "
                "begin anew with empty books, connect anew"
            )
        with RedisLedger(server.url) as anew:
            assert opened(anew).children() == (("acme",),)
        with pytest.raises(LedgerError, match="has lost its books"):
            ledger.open(("other",), {})


def test_a_server_that_forgets_is_warned_of_once() -> None:
    with RedisServer(durable=False) as server, redis.Redis.from_url(server.url) as plain:
        plain.config_set("maxmemory-policy", "allkeys-lru")
        with RedisLedger(server.url) as ledger:
            with pytest.warns(UnsafeStoreWarning) as told:
                ledger.open(("acme",), {})
            assert [words_of(str(warning.message)) for warning in told] == [
                (
                    "redis://HOST/0 evicts keys when its memory is full (maxmemory-policy is allkeys-lru: set it to "
                    "noeviction) and keeps nothing on disk (set appendonly yes)"
                )
            ]
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                ledger.open(RUN, {})


# -- versions ---------------------------------------------------------------------------------------------------------


def as_version_1(plain: redis.Redis, prefix: str) -> None:
    """Books as they were before windows and freezing: shares were marked by a field of their own."""
    for key in plain.scan_iter(f"{prefix}:*:account:*", count=10_000):
        traits = str(plain.hget(key, "traits"))
        plain.hset(key, "prepaid", "1" if "prepaid" in traits else "0")
        plain.hdel(key, "traits")
    plain.hset(account_keys(prefix, ("acme",))[0], "version", "1")
    plain.hset(f"{prefix}:{{books}}:store", "version", "1")


def test_books_of_version_1_go_on(server: RedisServer) -> None:
    prefix = f"test_{uuid4().hex}"
    with redis.Redis.from_url(server.url) as plain:
        with RedisLedger(server.url, prefix=prefix) as old:
            opened(old).open((*RUN, "share"), {"llm_calls": 4, "seconds": 60_000}, prepaid=True)
            call = old.reserve((*RUN, "share"), calls(3))
            before = old.states((*RUN, "share"))
        as_version_1(plain, prefix)
        with RedisLedger(server.url, prefix=prefix) as ledger:
            assert [state.limits for state in ledger.states((*RUN, "share"))] == [state.limits for state in before]
            assert held(ledger) == (4, 0)
            ledger.settle(call, calls(1))
            ledger.close((*RUN, "share"))
            assert held(ledger) == (0, 1)
            ledger.freeze(("acme",))
            with pytest.raises(BudgetExceeded, match="frozen"):
                ledger.reserve(RUN, calls(1))
            assert verify(ledger)
        assert plain.hget(f"{prefix}:{{books}}:store", "version") == b"2"


@pytest.mark.parametrize("key", ["{books}:store", "account"])
def test_books_of_a_newer_version_are_refused(server: RedisServer, key: str) -> None:
    prefix = f"test_{uuid4().hex}"
    with redis.Redis.from_url(server.url) as plain:
        with RedisLedger(server.url, prefix=prefix) as ledger:
            opened(ledger)
        name = account_keys(prefix, ("acme",))[0] if key == "account" else f"{prefix}:{key}"
        plain.hset(name, "version", "3")
    with RedisLedger(server.url, prefix=prefix) as ledger, pytest.raises(LedgerError) as newer:
        ledger.reserve(RUN, calls(1))
    assert words_of(str(newer.value)) == (
        "redis://HOST/0 has books of version 3, and this budgetkit knows them up to version 2: upgrade budgetkit"
    )


# -- event loops ------------------------------------------------------------------------------------------------------


def test_one_ledger_serves_one_event_loop_after_another_and_leaves_no_connection(server: RedisServer) -> None:
    async def spend(ledger: RedisLedger) -> None:
        await asyncio.gather(*(ledger.acharge(("acme",), calls(1)) for _ in range(8)))

    with RedisLedger(f"{server.url}?prefix=test_{uuid4().hex}") as ledger, redis.Redis.from_url(server.url) as plain:
        ledger.open(("acme",), {"llm_calls": 100})
        before = len(plain.client_list())
        for _ in range(3):
            asyncio.run(spend(ledger))
        gone = {client["id"] for client in plain.client_list()}
        assert len(gone) == before
        assert ledger.states(("acme",))[0].spent == calls(24)


async def test_a_ledger_that_is_dropped_leaves_no_connection(server: RedisServer) -> None:
    async def spend() -> None:
        ledger = RedisLedger(f"{server.url}?prefix=test_{uuid4().hex}", clock=ManualClock(1.0))
        await ledger.aopen(("acme",), {})

    with redis.Redis.from_url(server.url) as plain:
        before = len(plain.client_list())
        await spend()
        while len(plain.client_list()) > before:  # noqa: ASYNC110 - the loop closes it in its own time and tells nobody
            await asyncio.sleep(0)


async def test_a_task_that_is_cancelled_while_it_waits_leaves_the_books_and_the_ledger_whole(url: str) -> None:
    async with RedisLedger(url) as ledger:
        await ledger.aopen(("acme",), {"llm_calls": 1000})
        for turns in range(40):
            asking = asyncio.create_task(ledger.areserve(("acme",), calls(1)))
            for _ in range(turns):
                await asyncio.sleep(0)
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await ledger.asettle(await asking, calls(1))
            call = await ledger.areserve(("acme",), calls(2), id=f"after {turns}")
            assert (call.id, call.asked) == (f"after {turns}", calls(2))
            await ledger.arelease(call)
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)
        assert (await ledger.astates(("acme",)))[0].reserved == Spend()


async def test_a_line_that_was_cut_in_the_middle_of_an_answer_is_not_used_again(url: str) -> None:
    async with RedisLedger(url) as ledger:
        await ledger.aopen(("acme",), {})
        lines = ledger._async_lines
        for turns in range(30):
            asking = asyncio.create_task(lines.ask(("ECHO", f"old {turns}")))
            for _ in range(turns):
                await asyncio.sleep(0)
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking
            assert await lines.ask(("ECHO", f"new {turns}")) == f"new {turns}".encode()


# -- urls -------------------------------------------------------------------------------------------------------------


def refusal(make: Callable[[], Any]) -> str:
    with pytest.raises(ValueError, match=r".") as slip:
        make()
    return str(slip.value)


def test_a_url_that_means_nothing_is_refused() -> None:
    assert refusal(lambda: RedisLedger("http://:secret@host")) == (
        "url='http://host' must begin with redis://, rediss://, valkey:// or unix://"
    )
    assert refusal(lambda: RedisLedger("redis://host?timeout=soon")) == (
        "timeout='soon' must be a finite number of seconds above 0"
    )
    assert refusal(lambda: RedisLedger("redis://host", prefix="a{b}")) == (
        "prefix='a{b}' must be printable characters without braces, such as 'budgetkit'"
    )


def test_a_server_is_reached_by_its_socket_and_as_valkey(server: RedisServer) -> None:
    prefix = f"test_{uuid4().hex}"
    with RedisLedger(f"unix://{server._own_door}?prefix={prefix}") as ledger:
        opened(ledger)
    with RedisLedger.from_url(f"{server.url.replace('redis', 'valkey')}?prefix={prefix}&timeout=9") as ledger:
        assert ledger.children() == (("acme",),)


# -- time -------------------------------------------------------------------------------------------------------------


def test_what_lapses_elsewhere_in_the_tree_is_booked_first(url: str) -> None:
    clock = ManualClock(1_700_000_000.0)
    with RedisLedger(url, clock=clock) as ledger:
        opened(ledger).open(("acme", "other"), {})
        ledger.reserve(("acme", "other"), calls(9), lease=5)
        clock.advance(5)
        with pytest.raises(BudgetExceeded) as refused:
            ledger.reserve(RUN, calls(2))
        assert refused.value._units == {"limit": 10, "spent": 9, "reserved": 0, "asked": 2}
        assert [call.lapsed for call in ledger.charges(("acme",))] == [True]
