"""Connections that keep to a deadline, also when the server has stopped answering, and the shelves they wait on.

A pool with threads of its own hides why there is no connection, goes on trying at intervals of its own after an outage,
and belongs to one event loop. These shelves have neither thread nor task: who needs a connection takes one or opens it.
"""

from __future__ import annotations

import asyncio
import math
import os
from contextlib import suppress
from functools import cached_property
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, final
from weakref import finalize

import psycopg
from psycopg.pq import TransactionStatus

from ._postgres_turns import Turns

if TYPE_CHECKING:
    from collections.abc import Generator

    from ._postgres_url import Place

__all__ = ["AsyncConnection", "AsyncShelf", "Connection", "Late", "Shelf"]

_SHORTEST: Final = 2
"""Seconds: what libpq takes for the patience of a connection attempt at least."""


class Late(Exception):  # noqa: N818 - the name says what happened
    """The time is over."""


def _until(deadline: float, steps: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """The steps of a conversation with the server, as long as there is time. The wait looks up ten times a second."""
    if monotonic() >= deadline:
        raise Late
    try:
        wish = next(steps)
        while True:
            ready = yield wish
            if not ready and monotonic() >= deadline:
                raise Late
            wish = steps.send(ready)
    except StopIteration as end:
        return end.value


@final
class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection with a deadline for what is under way, and one cursor for all of it."""

    deadline = math.inf

    @cached_property
    def only(self) -> psycopg.Cursor[tuple[Any, ...]]:
        """The cursor."""
        return self.cursor()

    def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        """See `psycopg.Connection.wait`."""
        return super().wait(_until(self.deadline, gen), *args, **options)


@final
class AsyncConnection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """Async twin of `Connection`."""

    deadline = math.inf

    @cached_property
    def only(self) -> psycopg.AsyncCursor[tuple[Any, ...]]:
        """The cursor."""
        return self.cursor()

    async def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        """See `psycopg.AsyncConnection.wait`."""
        return await super().wait(_until(self.deadline, gen), *args, **options)


class _Idle:
    """Connections that nobody uses now; those of the parent of this process are not touched."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._idle: list[Any] = []
        self.pid = os.getpid()
        finalize(self, _close_all, self._idle, self.pid)

    def put(self, connection: Connection | AsyncConnection) -> None:
        """Keep it for the next, unless something was left unfinished on it."""
        if connection.pgconn.transaction_status == TransactionStatus.IDLE:
            self._idle.append(connection)
        else:
            _close(connection)

    def clear(self) -> None:
        """Close them: where one was lost, so were its neighbours."""
        _close_all(self._idle, self.pid)

    def _spare(self) -> Any:
        """One of them, or None; other threads may take one at any moment."""
        with suppress(IndexError):
            return self._idle.pop()
        return None

    def _settings(self, deadline: float) -> dict[str, Any]:
        patience = max(_SHORTEST, math.ceil(deadline - monotonic()))
        return {**self._place.settings, "connect_timeout": patience, "autocommit": True}


@final
class Shelf(_Idle):
    """The connections of a process."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._turns = Turns(place.pool_size)

    def take(self, deadline: float) -> Connection:
        """A connection of one's own, until it is put back.

        Raises:
            Late: none came free in time.
            psycopg.OperationalError: none can be made.
        """
        if not self._turns.take(deadline - monotonic()):
            raise Late
        try:
            connection: Connection = self._spare() or Connection.connect(**self._settings(deadline))
        except BaseException:
            self._turns.give()
            raise
        connection.deadline = deadline
        return connection

    def put(self, connection: Connection | AsyncConnection) -> None:
        """See `_Idle.put`."""
        super().put(connection)
        self._turns.give()


@final
class AsyncShelf(_Idle):
    """The connections of an event loop."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._turns = asyncio.Semaphore(place.pool_size)

    async def take(self, deadline: float) -> AsyncConnection:
        """Async twin of `Shelf.take`."""
        try:
            async with asyncio.timeout(max(0.0, deadline - monotonic())):
                await self._turns.acquire()  # in the order of asking
        except TimeoutError:
            raise Late from None
        try:
            connection: AsyncConnection = self._spare() or await AsyncConnection.connect(**self._settings(deadline))
        except BaseException:
            self._turns.release()
            raise
        connection.deadline = deadline
        return connection

    def put(self, connection: Connection | AsyncConnection) -> None:
        """See `_Idle.put`."""
        super().put(connection)
        self._turns.release()


def _close_all(idle: list[Any], pid: int) -> None:
    with suppress(IndexError):
        while os.getpid() == pid:
            _close(idle.pop())


def _close(connection: Connection | AsyncConnection) -> None:
    """What its own `close` does; it needs no event loop, which may be there no longer."""
    connection.pgconn.finish()
