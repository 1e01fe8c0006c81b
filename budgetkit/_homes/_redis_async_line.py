"""The line to the server for tasks: one per event loop, on which all speak, and are answered in their turn."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError
from redis.retry import Retry

from ._redis_lines import ANSWERED, packed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ._redis_address import Address
    from ._redis_talk import Command

__all__ = ["AsyncLines"]


class AsyncLines:
    """The lines of all event loops: each is closed when its loop is."""

    def __init__(self, address: Address) -> None:
        """None yet: a line is opened when it is first needed."""
        self._address = address
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[_Line, object]] = WeakKeyDictionary()

    async def ask(self, command: Command) -> Any:
        """Async twin of `Lines.ask`."""
        found = self._lines.get(asyncio.get_running_loop())
        line = await self._new() if found is None else found[0]
        return await line.ask(command)

    async def close(self) -> None:
        """Close the line of this event loop."""
        found = self._lines.get(asyncio.get_running_loop())
        if found is not None:
            await found[0].close()

    async def _new(self) -> _Line:
        """A line with its guard; a loop closes every asynchronous generator before it is closed itself."""
        line = _Line(self._address)
        guard = _guarding(line)
        self._lines[asyncio.get_running_loop()] = line, guard
        await anext(guard)
        return line


class _Line:
    """One connection. What is asked while answers are on their way is sent at once, not after them."""

    def __init__(self, address: Address) -> None:
        self._timeout = address.timeout
        pools: Any = redis.asyncio.ConnectionPool  # the driver leaves out half of its types
        pool = pools.from_url(
            address.url,
            socket_timeout=None,  # one limit over the whole, in `ask`
            socket_connect_timeout=address.timeout,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        self._connection = pool.make_connection()
        self._opening = asyncio.Lock()
        self._waiting: deque[asyncio.Future[Any]] = deque()
        """Who is to be answered, in the order of asking."""
        self._reading: asyncio.Task[None] | None = None
        """There only while somebody waits."""
        self._over = False

    async def ask(self, command: Command) -> Any:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._ask_again(packed(command))
        except TimeoutError as late:
            await self._hang_up()  # whoever asks next would only wait behind this
            raise redis.TimeoutError("no answer") from late

    async def close(self, *, over: bool = False) -> None:
        """Close the connection, to be opened again by whoever asks; once it is over, for that one answer."""
        self._over = self._over or over
        await self._connection.disconnect()

    async def _ask_again(self, words: bytes) -> Any:
        try:
            return await self._ask(words)
        except ANSWERED:
            raise
        except redis.ConnectionError:
            return await self._ask(words)

    async def _ask(self, words: bytes) -> Any:
        if not self._connection.is_connected:
            await self._open()
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        try:
            await self._connection.send_packed_command([words], check_health=False)
        except redis.ConnectionError:
            await self._hang_up()
        try:
            return await answer
        finally:
            del answer  # it holds its error, which would hold this frame

    async def _open(self) -> None:
        async with self._opening:
            if self._connection.is_connected:
                return
            try:
                await self._connection.connect()
            except BaseException:  # cancelled in the middle of a greeting, too: nobody may read its answer
                await self._connection.disconnect(nowait=True)
                raise

    async def _read(self) -> None:
        """Hand out the answers as they come."""
        try:
            while self._waiting:
                await self._read_one()
            if self._over:
                await self.close()
        except (redis.ConnectionError, asyncio.CancelledError) as lost:
            await self._lose(lost)
        finally:
            self._reading = None

    async def _read_one(self) -> None:
        try:
            found = await self._connection.read_response()
        except ResponseError as refused:
            self._refuse(refused.with_traceback(None))  # through which it would hold this line, and the line it
            return
        answer = self._waiting.popleft()
        if not answer.done():  # who asked may be gone
            answer.set_result(found)

    def _refuse(self, error: Exception) -> None:
        answer = self._waiting.popleft()
        if not answer.done():
            answer.set_exception(error)

    async def _lose(self, lost: BaseException) -> None:
        """Nobody who waits is answered any more."""
        error = lost if isinstance(lost, redis.ConnectionError) else redis.ConnectionError("connection closed")
        while self._waiting:
            self._refuse(error)
        await self._connection.disconnect(nowait=True)

    async def _hang_up(self) -> None:
        reading = self._reading
        if reading is not None:
            reading.cancel()
            await asyncio.wait([reading])


async def _guarding(line: _Line) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        await line.close(over=True)
