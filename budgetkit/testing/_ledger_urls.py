"""The four homes that come with budgetkit, for the conformance suite, each on fresh books of its own."""

import tempfile
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import uuid4

from budgetkit import Ledger

from ._clock import ManualClock
from ._ledger_home import LedgerHome, MemoryHome

__all__ = ["UrlHome", "home_at"]

_POSTGRES: Final = ("postgresql", "postgres")


def home_at(url: str) -> LedgerHome:
    """A home for the ledgers at a URL, as `Ledger.from_url` takes it.

    Every ledger is made beside what is there: in a file, a schema or under a prefix of its own, which `close` deletes.

    Raises:
        ValueError: no home has this scheme.
    """
    scheme = urlsplit(url).scheme
    if scheme == "memory":
        return MemoryHome()
    if scheme == "sqlite":
        return _Sqlite("sqlite", url)
    if scheme in _POSTGRES:
        return _Postgres("postgresql", url)
    if scheme in {"redis", "rediss", "valkey", "valkeys", "unix"}:
        return _Redis("redis", url)
    raise ValueError(f"url={url!r}: there are homes at memory://, sqlite:///file.db, postgresql://… and redis://…")


class UrlHome(LedgerHome):
    """A home that is a file or a server.

    Args:
        name: what it is called in reports.
        url: where it is; the books that are there are left alone.
    """

    shared = True
    durable = True
    journal = True

    def __init__(self, name: str, url: str) -> None:
        self.name, self.url = name, url
        self._clock: ManualClock | None = None
        self._clients: list[Any] = []
        self._own = ""
        """The file, schema or prefix of the last `ledger`."""
        self._clearing = ExitStack()

    def ledger(self, clock: ManualClock | None = None) -> Ledger:
        """See `LedgerHome`."""
        self._clock, self._own = clock, f"conform_{uuid4().hex[:12]}"
        return self.again()

    def again(self) -> Ledger:
        """See `LedgerHome`."""
        made = self._client(self._clock)
        self._clients.append(made)
        return made

    def restart(self) -> Ledger:
        """See `LedgerHome`: every client ends; the store does not."""
        self._disconnect()
        return self.again()

    def close(self) -> None:
        """See `LedgerHome`."""
        self._disconnect()
        self._clearing.close()

    async def aclose(self) -> None:
        """See `LedgerHome`."""
        for made in self._clients:
            await made.adisconnect()

    def _disconnect(self) -> None:
        for made in self._clients:
            made.disconnect()
        self._clients.clear()

    def _client(self, clock: ManualClock | None) -> Ledger:
        raise NotImplementedError

    def _with(self, **options: str) -> str:
        """The URL with these options."""
        parts = urlsplit(self.url)
        return parts._replace(query=urlencode(dict(parse_qsl(parts.query)) | options)).geturl()

    def __str__(self) -> str:
        return self.name


class _Sqlite(UrlHome):
    """A file of its own, in the system's temporary folder."""

    def ledger(self, clock: ManualClock | None = None) -> Ledger:
        self._folder = Path(self._clearing.enter_context(tempfile.TemporaryDirectory(prefix="budgetkit-conform-")))
        return super().ledger(clock)

    def _client(self, clock: ManualClock | None) -> Ledger:
        from budgetkit import SqliteLedger  # noqa: PLC0415 - loaded with its home alone

        return SqliteLedger(self._folder / f"{self._own}.db", clock=clock)


class _Postgres(UrlHome):
    """A schema of its own."""

    store_clock = True

    def ledger(self, clock: ManualClock | None = None) -> Ledger:
        made = super().ledger(clock)
        self._clearing.callback(self._drop, self._own)
        return made

    def _client(self, clock: ManualClock | None) -> Ledger:
        from budgetkit import PostgresLedger  # noqa: PLC0415 - its driver is an extra

        return PostgresLedger(self._with(schema=self._own), clock=clock)

    def _drop(self, schema: str) -> None:
        import psycopg  # noqa: PLC0415 - the driver is an extra
        from psycopg import sql  # noqa: PLC0415 - the same

        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SET client_min_messages TO warning")
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


class _Redis(UrlHome):
    """A prefix of its own."""

    store_clock = True

    def ledger(self, clock: ManualClock | None = None) -> Ledger:
        made = super().ledger(clock)
        self._clearing.callback(self._delete, self._own)
        return made

    def _client(self, clock: ManualClock | None) -> Ledger:
        from budgetkit import RedisLedger  # noqa: PLC0415 - its driver is an extra

        return RedisLedger(self._with(prefix=self._own), clock=clock)

    def _delete(self, prefix: str) -> None:
        redis: Any = import_module("redis")  # the driver is an extra, and half typed
        connection = redis.Redis.from_url(self.url)
        with connection:
            if keys := [*connection.scan_iter(f"*{prefix}*", count=1000)]:
                connection.unlink(*keys)
