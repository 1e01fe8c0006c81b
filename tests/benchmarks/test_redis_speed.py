"""What books in Redis cost, as ratios in one run: ``pytest -m benchmark -s tests/benchmarks/test_redis_speed.py``."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from statistics import median
from time import perf_counter
from typing import Any

import pytest
import redis
import redis.asyncio

from budgetkit import Spend
from budgetkit._homes._redis import RedisLedger
from budgetkit._homes._redis_texts import account_keys, call_key, json_text
from budgetkit.testing import RedisServer

pytestmark = [pytest.mark.benchmark, pytest.mark.enable_socket, pytest.mark.timeout(900)]

OPERATIONS, ROUNDS, CLIENTS = 4_000, 5, (1, 8, 64)
"""Operations in one timing, whatever the number of clients; a pair is two."""
LIMITS = {"llm_calls": 10**9, "input_tokens": 10**12, "output_tokens": 10**12, "usd": 10**18}
ASKED = Spend(llm_calls=1, input_tokens=1_000, output_tokens=500, usd="0.01")
USED = Spend(llm_calls=1, input_tokens=1_000, output_tokens=123, usd="0.004")
RUN = ("tenant", "user", "run")
REQUEST = json_text(
    {
        "op": "reserve", "path": RUN, "id": "0" * 36, "label": "",
        "asked": {"units": {n: str(k) for n, k in ASKED.as_units().items()}, "estimated": [], "unmeasured": []},
        "keep": None, "final": False, "again": False, "lease": 600_000_000,
    }
)  # fmt: skip
"""As long as what a reservation sends."""


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        as_usual(server)
        yield server


def as_usual(server: RedisServer) -> None:
    """Snapshots instead of a file that is appended to, as servers do by default: an empty script appends nothing."""
    with redis.Redis.from_url(server.url) as plain:
        plain.config_set("appendonly", "no")
        plain.config_set("save", "3600 1")


def three_deep(ledger: RedisLedger) -> None:
    for depth in range(1, len(RUN) + 1):
        ledger.open(RUN[:depth], LIMITS)


def empty(sha: str) -> tuple[Any, ...]:
    """A script that does nothing, with the keys and the arguments of a reservation."""
    keys = account_keys("budgetkit", RUN)
    return ("EVALSHA", sha, len(keys) + 1, *keys, call_key(keys[-1], "call", "0" * 36), "", 2, 3, "", REQUEST)


def threaded(clients: int, work: Callable[[int], object]) -> float:
    """Seconds that so many threads take for `OPERATIONS` in all."""
    start = threading.Barrier(clients + 1)

    def client() -> None:
        start.wait()
        work(OPERATIONS // clients)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    start.wait()
    began = perf_counter()
    for thread in threads:
        thread.join()
    return perf_counter() - began


async def in_tasks(clients: int, work: Callable[[int], Awaitable[object]]) -> float:
    """Seconds that so many tasks take for `OPERATIONS` in all."""
    began = perf_counter()
    await asyncio.gather(*(work(OPERATIONS // clients) for _ in range(clients)))
    return perf_counter() - began


def told(what: str, rounds: list[tuple[float, float]]) -> float:
    """Print the rates; returns ours as a share of the empty script's."""
    ratio = median(theirs / ours for theirs, ours in rounds)
    theirs, ours = (OPERATIONS / median(column) for column in zip(*rounds, strict=True))
    print(f"\n{what}: {ours:,.0f} operations/s, an empty script {theirs:,.0f}/s: {ratio:.0%}")  # noqa: T201 - the figure is the point
    return ratio


@pytest.mark.parametrize("clients", CLIENTS)
def test_threads_reserve_and_settle_about_as_fast_as_a_script_that_does_nothing(
    server: RedisServer, clients: int
) -> None:
    with RedisLedger(server.url) as ledger, redis.Redis.from_url(server.url, max_connections=64) as plain:
        three_deep(ledger)
        command = empty(plain.script_load("return ''"))

        def pairs(operations: int) -> None:
            for _ in range(operations // 2):
                ledger.settle(ledger.reserve(RUN, ASKED), USED)

        def nothing(operations: int) -> None:
            for _ in range(operations):
                plain.execute_command(*command)

        threaded(clients, pairs)
        rounds = [(threaded(clients, nothing), threaded(clients, pairs)) for _ in range(ROUNDS)]
        assert told(f"{clients} threads", rounds) >= 0.05


@pytest.mark.parametrize("clients", CLIENTS)
async def test_tasks_reserve_and_settle_about_as_fast_as_a_script_that_does_nothing(
    server: RedisServer, clients: int
) -> None:
    async with RedisLedger(server.url) as ledger, redis.asyncio.Redis.from_url(server.url, max_connections=64) as plain:
        three_deep(ledger)
        command = empty(await plain.script_load("return ''"))
        execute: Any = plain.execute_command  # the driver leaves out half of its types

        async def pairs(operations: int) -> None:
            for _ in range(operations // 2):
                await ledger.asettle(await ledger.areserve(RUN, ASKED), USED)

        async def nothing(operations: int) -> None:
            for _ in range(operations):
                await execute(*command)

        await in_tasks(clients, pairs)
        rounds = [(await in_tasks(clients, nothing), await in_tasks(clients, pairs)) for _ in range(ROUNDS)]
        assert told(f"{clients} tasks", rounds) >= 0.05
        ledger.disconnect()


def test_the_wait_for_a_reservation_at_64_clients(server: RedisServer) -> None:
    waits: list[float] = []
    with RedisLedger(server.url) as ledger:
        three_deep(ledger)

        def pairs(operations: int) -> None:
            for _ in range(operations // 2):
                began = perf_counter()
                call = ledger.reserve(RUN, ASKED)
                waits.append(perf_counter() - began)
                ledger.settle(call, USED)

        threaded(64, pairs)
        waits.clear()
        threaded(64, pairs)
    waits.sort()
    half, most = (waits[int(len(waits) * share)] * 1e3 for share in (0.5, 0.99))
    print(f"\nthe wait for a reservation at 64 threads: median {half:.1f} ms, p99 {most:.1f} ms")  # noqa: T201 - the figure is the point
    assert len(waits) == 64 * (OPERATIONS // 64 // 2)


def test_a_reservation_costs_the_same_among_a_million_accounts(server: RedisServer) -> None:
    def pairs(ledger: RedisLedger) -> Callable[[int], None]:
        def work(operations: int) -> None:
            for _ in range(operations // 2):
                ledger.settle(ledger.reserve(RUN, ASKED), USED)

        return work

    with RedisServer() as crowded, RedisLedger(server.url) as few, RedisLedger(crowded.url) as many:
        as_usual(crowded)
        for ledger in (few, many):
            three_deep(ledger)
        fill(crowded.url, 1_000_000)
        for ledger in (few, many):
            threaded(1, pairs(ledger))
        rounds = [(threaded(1, pairs(few)), threaded(1, pairs(many))) for _ in range(ROUNDS)]
    ratio = median(theirs / ours for ours, theirs in rounds)
    print(f"\na pair among 1,000,000 accounts: {ratio:.2f} x among 3")  # noqa: T201 - the figure is the point
    assert ratio <= 5  # the aim is 1.5; the machine may be busy


def fill(url: str, accounts: int) -> None:
    """So many accounts beside the run, written by the server itself: they cost a client minutes."""
    keys = account_keys("budgetkit", RUN)
    copy = """
    local tree = string.match(KEYS[1], '^[^}]*}')
    local row = redis.call('HGETALL', KEYS[1])
    for i = ARGV[1] + 0, ARGV[2] + 0 do
      local digest = string.format('%032x', i)
      redis.call('HSET', tree .. ':account:' .. digest, unpack(row))
      redis.call('HSET', tree .. ':children:' .. ARGV[3], '"' .. i .. '"', digest)
    end
    """
    with redis.Redis.from_url(url) as plain:
        for first in count(0, 10_000):
            if first >= accounts:
                break
            plain.eval(copy, 1, keys[-1], first, min(first + 10_000, accounts) - 1, keys[-2].rpartition(":")[2])
