"""The four homes of the books, each with books of its own for every test; real servers, started once per session."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast
from uuid import uuid4

import psycopg
import pytest
import redis
from langchain_openai import ChatOpenAI
from psycopg import sql
from pydantic import SecretStr

from budgetkit import Account, Ledger, MemoryLedger, ModelPrice, PriceBook, Spend
from budgetkit.testing import MockOpenAIServer, PostgresServer, RedisServer, Server, postgres_server, redis_server

HOMES: Final = ["memory", "sqlite", "postgres", "redis"]
SHARED: Final = [name for name in HOMES if name != "memory"]
"""Those that several processes can share."""
PRICES = PriceBook(models={"mock": ModelPrice(input="1", output="2")})


@dataclass(frozen=True, kw_only=True)
class Home:
    """One home and its fresh books.

    Attributes:
        name: which of the four.
        url: where other processes find the same books; None in memory.
        clock: None: the store's own.
    """

    name: str
    url: str | None
    clock: None = None
    new_client: Callable[[], Ledger]

    def ledger(self) -> Ledger:
        """A new client onto these books, as another process would have one; in memory there is just the one."""
        return self.new_client()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def valkey() -> Iterator[Server]:
    with redis_server() as server:
        yield server


@pytest.fixture(params=HOMES)
async def home(request: pytest.FixtureRequest) -> AsyncIterator[Home]:
    """Each of the four homes."""
    async with AsyncExitStack() as clearing:
        yield _MAKE[request.param](request, clearing)


@pytest.fixture(params=SHARED)
async def shared_home(request: pytest.FixtureRequest) -> AsyncIterator[Home]:
    """Each home that several processes can share."""
    async with AsyncExitStack() as clearing:
        yield _MAKE[request.param](request, clearing)


def _memory(_: pytest.FixtureRequest, __: AsyncExitStack) -> Home:
    books = MemoryLedger()
    return Home(name="memory", url=None, new_client=lambda: books)


def _sqlite(request: pytest.FixtureRequest, clearing: AsyncExitStack) -> Home:
    folder: Path = request.getfixturevalue("tmp_path")
    return _at(f"sqlite:///{folder / 'books.db'}", "sqlite", clearing)


def _postgres(request: pytest.FixtureRequest, clearing: AsyncExitStack) -> Home:
    server: Server = request.getfixturevalue("postgres")
    schema = _fresh_name()
    if not isinstance(server, PostgresServer):
        clearing.callback(_drop_schema, server.url, schema)
    return _at(_with(server.url, "schema", schema), "postgres", clearing)


def _redis(request: pytest.FixtureRequest, clearing: AsyncExitStack) -> Home:
    request.getfixturevalue("socket_enabled")
    server: Server = request.getfixturevalue("valkey")
    prefix = _fresh_name()
    if not isinstance(server, RedisServer):
        clearing.callback(_delete_keys, server.url, prefix)
    return _at(_with(server.url, "prefix", prefix), "redis", clearing)


_MAKE: Final[Mapping[str, Callable[[pytest.FixtureRequest, AsyncExitStack], Home]]] = {
    "memory": _memory,
    "sqlite": _sqlite,
    "postgres": _postgres,
    "redis": _redis,
}


def _at(url: str, name: str, clearing: AsyncExitStack) -> Home:
    def new_client() -> Ledger:
        ledger: Any = Ledger.from_url(url)
        clearing.push(ledger)
        clearing.push_async_exit(ledger)  # its connections of the test's own loop
        return cast("Ledger", ledger)

    return Home(name=name, url=url, new_client=new_client)


def _fresh_name() -> str:
    return f"test_{uuid4().hex[:12]}"


def _with(url: str, option: str, value: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{option}={value}"


def _drop_schema(url: str, schema: str) -> None:
    """Leave a server that is not ours as it was."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


def _delete_keys(url: str, prefix: str) -> None:
    """Leave a server that is not ours as it was."""
    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter(f"{prefix}*"):
            client.delete(key)


# -- what the tests of graphs share ---------------------------------------------------------------------------------


def chat(server: MockOpenAIServer, **settings: Any) -> ChatOpenAI:
    """A real client of the mock server, which does not try again by itself."""
    options: dict[str, Any] = {"model": "mock", "max_retries": 0, "stream_usage": True} | settings
    return ChatOpenAI(base_url=server.base_url, api_key=SecretStr("EMPTY"), **options)


def assert_sound(ledger: Ledger, account: Account) -> None:
    """Nothing is in flight any more, and at every account what was spent and what is left make the limit."""
    for state in ledger.states(account):
        assert state.reserved == Spend(), state
        for name, limit in state.limits.items():
            spent = state.spent.in_units(name)
            assert spent >= 0
            over = state.overshoot.in_units(name)
            assert spent + (state.left(name) or 0) - over == limit, (name, state)


async def all_done() -> None:
    """Let everything that was cancelled, or shielded from it, come to its end."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)


async def all_dropped() -> None:
    """As `all_done`, for model calls that no wrapper sees.

    LangChain drops a cancelled one without a word; what it used is charged once it is collected.
    """
    await all_done()
    gc.collect()


class Kit:
    """What the tests build graphs from."""

    PRICES = PRICES
    chat, assert_sound = staticmethod(chat), staticmethod(assert_sound)
    all_done, all_dropped = staticmethod(all_done), staticmethod(all_dropped)


@pytest.fixture
def kit() -> type[Kit]:
    return Kit
