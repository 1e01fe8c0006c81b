"""The ledger in SQLite: one file, any number of processes on one machine, and it survives them all."""

from __future__ import annotations

import asyncio
import math
import os
import weakref
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final
from urllib.parse import parse_qsl, unquote

from ._shared_ledger import SharedLedger
from ._sqlite_desk import Desk
from ._sqlite_file import Terms

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._wire import Document

__all__ = ["SqliteLedger"]

_SYNCHRONOUS: Final = ("normal", "full")
_OPTIONS: Final = ("timeout", "synchronous")
_HOW: Final = "write sqlite:///relative/path.db or sqlite:////absolute/path.db"


@final
class SqliteLedger(SharedLedger):
    """The books in one file, which any number of processes of one machine share.

    ```python
    with SqliteLedger("budgets.db") as ledger, Budget(usd="5").open("nightly", id="2031-07-14", ledger=ledger) as run:
        ...
    ```

    Every operation is one transaction: a process that is killed leaves the whole of it, or nothing. The clock is the
    machine's, and for each tree of accounts it never goes back. The tables can be read with any SQLite client;
    ``SELECT * FROM balances`` and ``SELECT * FROM spends`` are made for people.

    Args:
        path: the file; made when it is not there, its folder must be. Not on a network drive.
        timeout: seconds to wait for others who have locked the file.
        synchronous: ``"normal"``: what is booked survives a killed process; after a power cut the last moments may be
            missing. ``"full"``: they survive that too, at the cost of waiting for the disk in every operation.
        clock: seconds since 1970, for tests; None: the machine's.

    Raises:
        ValueError: an argument that means nothing.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        timeout: float = 5.0,
        synchronous: str = "normal",
        clock: Callable[[], float] | None = None,
    ) -> None:
        """See the class."""
        super().__init__(clock=clock)
        if os.fspath(path) == ":memory:":
            raise ValueError("path=':memory:' is no file to share: use MemoryLedger, or the url memory://")
        if not 0 < timeout < math.inf:
            raise ValueError(f"timeout={timeout!r} must be a finite number of seconds above 0")
        if synchronous not in _SYNCHRONOUS:
            raise ValueError(f"synchronous={synchronous!r} must be one of {', '.join(map(repr, _SYNCHRONOUS))}")
        self._terms = Terms(Path(path).absolute(), timeout, synchronous)
        self._desks: dict[int, Desk] = {}
        """By process: a connection is never carried over a fork, where it would break the other's locks."""
        weakref.finalize(self, _close, self._desks, wait=False)  # perhaps in one of its own threads

    @staticmethod
    def from_url(url: str) -> SqliteLedger:
        """The ledger at ``sqlite:///relative/path.db`` or ``sqlite:////absolute/path.db``.

        Options follow as ``?timeout=10&synchronous=full``; ``%3F`` stands for a question mark in the path.

        Raises:
            ValueError: it names no file, or an option that there is not.
        """
        address, _, query = url.partition("?")
        host, slash, path = address.removeprefix("sqlite://").partition("/")
        if path == ":memory:" or url.endswith("sqlite://"):
            raise ValueError(f"url={url!r} is no file to share: write memory:// for books in memory")
        if host or not slash or not path:
            raise ValueError(f"url={url!r} names no file: {_HOW}")
        options = dict(parse_qsl(query, keep_blank_values=True))
        if unknown := options.keys() - {*_OPTIONS}:
            raise ValueError(f"url={url!r} has the unknown option {min(unknown)!r}: known are {', '.join(_OPTIONS)}")
        timeout, synchronous = options.get("timeout", "5"), options.get("synchronous", "normal")
        return SqliteLedger(unquote(path), timeout=_seconds(url, timeout), synchronous=synchronous)

    def disconnect(self) -> None:
        """Close the connections of this process; the next operation opens them anew."""
        _close(self._desks, wait=True)

    async def adisconnect(self) -> None:
        """Async twin of `disconnect`."""
        await asyncio.to_thread(self.disconnect)

    def _send(self, request: Document, now: int | None, windows: list[Any]) -> Document:  # noqa: ARG002 - the calendar is at hand here
        return self._desk().answer(request, now)

    async def _asend(self, request: Document, now: int | None, windows: list[Any]) -> Document:
        return await asyncio.wrap_future(self._desk().later(partial(self._send_elsewhere, request, now, windows)))

    def _send_elsewhere(self, request: Document, now: int | None, windows: list[Any]) -> Document:
        self._busy.asking = True  # as in `_ask`: what a garbage collection settles in here is left to another thread
        try:
            return self._send(request, now, windows)
        finally:
            self._busy.asking = False

    def _desk(self) -> Desk:
        pid = os.getpid()
        return self._desks.get(pid) or self._desks.setdefault(pid, Desk(self._terms))


def _seconds(url: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"url={url!r}: timeout={text!r} must be a number of seconds, such as 5") from None


def _close(desks: dict[int, Desk], *, wait: bool) -> None:
    """Close this process's; what was inherited by a fork belongs to another."""
    desk = desks.pop(os.getpid(), None)
    if desk is not None:
        desk.close(wait=wait)
