"""The ledger in Redis or Valkey: any number of machines, one server that decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from .._errors import LedgerError

try:
    from redis.exceptions import RedisError
except ImportError as missing:
    raise ImportError("books in Redis or Valkey need a driver: pip install 'budgetkit[redis]'") from missing

from ._redis_address import Address
from ._redis_async_line import AsyncLines
from ._redis_lines import Lines
from ._redis_store import Store
from ._redis_talk import talk
from ._shared_ledger import SharedLedger

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._redis_talk import Talk
    from ._wire import Document

__all__ = ["RedisLedger"]


@final
class RedisLedger(SharedLedger):
    """The books on a Redis or Valkey server (Redis 6.2 or later), which any number of machines share.

    ```python
    with RedisLedger("redis://localhost:6379/0") as ledger, Budget(usd="5").open("nightly", ledger=ledger) as run:
        ...
    ```

    Every operation is one server-side script: it happens as a whole or not at all, and costs one round trip. The clock
    is the server's. Use a server that keeps its data on disk (``appendonly yes``) and does not evict
    (``maxmemory-policy noeviction``): of another, the ledger warns. A server that lost the books is refused.

    Args:
        url: ``redis://:password@host:port/db``, ``rediss://`` (TLS), ``valkey://`` or ``unix:///path``; ``?prefix=``,
            ``?timeout=`` and any option of the driver may stand in it.
        prefix: what all keys begin with. None: as in the url, or ``budgetkit``.
        timeout: seconds that one operation may take. None: as in the url, or 5.
        clock: seconds since 1970, for tests; None: the server's.

    Raises:
        ValueError: an argument that means nothing.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str | None = None,
        timeout: float | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """See the class."""
        super().__init__(clock=clock)
        self._address = Address.of(url, prefix, timeout)
        self._store = Store(self._address)
        self._lines = Lines(self._address)
        self._async_lines = AsyncLines(self._address)

    @staticmethod
    def from_url(url: str) -> RedisLedger:
        """The ledger at ``redis://…``, ``rediss://…``, ``valkey://…`` or ``unix://…``.

        Raises:
            ValueError: it is no such url.
        """
        return RedisLedger(url)

    def disconnect(self) -> None:
        """Close the connections; the next operation opens them anew."""
        self._lines.close()

    async def adisconnect(self) -> None:
        """Async twin of `disconnect`, for the connections of this event loop."""
        await self._async_lines.close()

    def _send(self, request: Document, now: int | None, windows: list[Any]) -> Document:
        spoken = talk(self._store, request, now, windows)
        try:
            command = next(spoken)
            while True:
                try:
                    answer = self._lines.ask(command)
                except RedisError as error:
                    command = self._thrown(spoken, error, request)
                else:
                    command = spoken.send(answer)
        except StopIteration as end:
            reply: Document = end.value
            return reply

    async def _asend(self, request: Document, now: int | None, windows: list[Any]) -> Document:
        spoken = talk(self._store, request, now, windows)
        try:
            command = next(spoken)
            while True:
                try:
                    answer = await self._async_lines.ask(command)
                except RedisError as error:
                    command = self._thrown(spoken, error, request)
                else:
                    command = spoken.send(answer)
        except StopIteration as end:
            reply: Document = end.value
            return reply

    def _thrown(self, spoken: Talk, error: RedisError, request: Document) -> Any:
        """Let the talk deal with an error, or say what it means."""
        try:
            return spoken.throw(error)
        except RedisError as unmet:
            raise LedgerError(
                f"{self._address.shown} cannot keep the books now ({request['op']} of "
                f"{'/'.join(request['path'])!r}: {unmet}): nothing is admitted until it answers within "
                f"timeout={self._address.timeout:g} s; check the server and the url"
            ) from unmet
