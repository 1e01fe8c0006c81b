"""The ledger in PostgreSQL: many machines, one set of books, each operation one statement on the server."""

from __future__ import annotations

import asyncio
import os
import threading
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, final
from weakref import WeakKeyDictionary

import psycopg

from .._errors import LedgerError
from ._postgres_connections import AsyncShelf, Late, Shelf
from ._postgres_requests import converse
from ._postgres_schema import prepare, quoted
from ._postgres_talk import atalk, talk
from ._postgres_url import place_of
from ._shared_ledger import SharedLedger

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

    from ._wire import Document

__all__ = ["PostgresLedger"]

_LONG: Final = 100
"""Times the timeout that a dump may take."""


@final
class PostgresLedger(SharedLedger):
    """The books in a PostgreSQL database (14 or newer), for any number of processes and machines.

    The tables and functions are made in the schema on first use; a role that finds them there needs no right to make
    any. An operation is one statement, atomic on the server, by the server's clock; the operations on one tree of
    accounts wait for one another, those on different trees do not. Connections are made when they are needed, kept,
    and made anew when they are lost; they may be used from any thread, event loop or forked process.

    Args:
        url: ``postgresql://user:password@host/database``, with libpq's own options, and ``schema=``, ``timeout=`` and
            ``pool_size=`` as well.
        schema: where the tables are; ``budgetkit`` unless the URL says otherwise.
        timeout: seconds that an operation may take, whatever the server does, before it fails with `LedgerError`; 5
            unless the URL says otherwise. Making a connection is given two seconds at least.
        pool_size: connections at the same time, of this process and of each event loop; 16 unless the URL says so.
        clock: seconds since 1970, for tests; None: the server's.

    Raises:
        ValueError: the URL or one of the other arguments cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        schema: str | None = None,
        timeout: float | None = None,
        pool_size: int | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """See the class."""
        super().__init__(clock=clock)
        given: dict[str, Any] = {"schema": schema, "timeout": timeout, "pool_size": pool_size}
        self._place = replace(place_of(url), **{name: value for name, value in given.items() if value is not None})
        self._schema = quoted(self._place.schema)
        self._ready = False
        self._open_shelves()
        self._parents: list[object] = []
        """What a process has of its parent's connections: kept, and never used."""

    @staticmethod
    def from_url(url: str) -> PostgresLedger:
        """See `Ledger.from_url`."""
        return PostgresLedger(url)

    def disconnect(self) -> None:
        """See `SharedLedger.disconnect`."""
        self._own_shelf().clear()

    async def adisconnect(self) -> None:
        """See `SharedLedger.adisconnect`."""
        self._loop_shelf().clear()

    def _send(self, request: Document, now: int | None, windows: list[Any]) -> Document:
        deadline = self._deadline(request)
        try:
            try:
                return self._try(deadline, request, now, windows)
            except psycopg.Error as error:
                if not self._goes_on(error, self._own_shelf()):
                    raise
            return self._try(deadline, request, now, windows)
        except (psycopg.Error, Late, UnicodeError) as error:
            raise self._told(request, error) from error

    def _try(self, deadline: float, request: Document, now: int | None, windows: list[Any]) -> Document:
        shelf = self._own_shelf()
        connection = shelf.take(deadline)
        try:
            if not self._ready:
                talk(connection.only, prepare(self._place))
                self._ready = True
            return talk(connection.only, converse(self._schema, request, now, windows))
        finally:
            shelf.put(connection)

    async def _asend(self, request: Document, now: int | None, windows: list[Any]) -> Document:
        deadline = self._deadline(request)
        try:
            try:
                return await self._atry(deadline, request, now, windows)
            except psycopg.Error as error:
                if not self._goes_on(error, self._loop_shelf()):
                    raise
            return await self._atry(deadline, request, now, windows)
        except (psycopg.Error, Late, UnicodeError) as error:
            raise self._told(request, error) from error

    async def _atry(self, deadline: float, request: Document, now: int | None, windows: list[Any]) -> Document:
        shelf = self._loop_shelf()
        connection = await shelf.take(deadline)
        try:
            if not self._ready:
                await atalk(connection.only, prepare(self._place))
                self._ready = True
            return await atalk(connection.only, converse(self._schema, request, now, windows))
        finally:
            shelf.put(connection)

    # -- what the twins share -----------------------------------------------------------------------------------------

    def _deadline(self, request: Document) -> float:
        return monotonic() + self._place.timeout * (_LONG if request["op"] == "dump" else 1)

    def _own_shelf(self) -> Shelf:
        if self._shelf.pid != os.getpid():
            self._parents += [self._shelf, *self._shelves.values()]
            self._open_shelves()
        return self._shelf

    def _open_shelves(self) -> None:
        self._shelf = Shelf(self._place)
        self._shelves: WeakKeyDictionary[AbstractEventLoop, AsyncShelf] = WeakKeyDictionary()
        self._guard = threading.Lock()  # event loops of several threads come and go

    def _loop_shelf(self) -> AsyncShelf:
        self._own_shelf()
        loop = asyncio.get_running_loop()
        found = self._shelves.get(loop)
        return found or self._new_loop_shelf(loop)

    def _new_loop_shelf(self, loop: AbstractEventLoop) -> AsyncShelf:
        with self._guard:
            for other in [other for other in self._shelves if other.is_closed()]:
                self._shelves.pop(other).clear()
            self._shelves[loop] = AsyncShelf(self._place)
            return self._shelves[loop]

    def _goes_on(self, error: psycopg.Error, shelf: Shelf | AsyncShelf) -> bool:
        """Whether to try once more, on a new connection: one that was good has been lost, or the schema is gone."""
        lost = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and not isinstance(error, _TOO_LATE)
        gone = isinstance(error, _GONE)
        if lost or gone:
            shelf.clear()
            self._ready = False
        return lost or gone

    def _told(self, request: Document, error: Exception) -> LedgerError:
        what = f"{request['op']} of {'/'.join(request['path'])[:200]!r}"
        if isinstance(error, (Late, *_TOO_LATE)):
            return LedgerError(
                f"{self._place} did not answer within timeout={self._place.timeout:g} s, {what}: nothing is admitted; "
                "see whether the server is there, or allow it more time"
            )
        if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            return LedgerError(
                f"{self._place} cannot be reached, {what}: nothing is admitted; see whether the server is there "
                f"({_first_line(error)})"
            )
        if isinstance(error, psycopg.DataError | UnicodeError):
            return LedgerError(
                f"{self._place} cannot keep {what}: nothing is admitted; the name of one of its resources is "
                f"no text there ({_first_line(error)})"
            )
        return LedgerError(f"{self._place} refused {what}: nothing is admitted ({_first_line(error)})")


_TOO_LATE: Final = (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable, psycopg.errors.ConnectionTimeout)
_GONE: Final = (
    psycopg.errors.UndefinedFunction,
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.UndefinedTable,
)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
