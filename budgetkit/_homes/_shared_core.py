"""How a shared ledger asks its home, and what it holds on to meanwhile."""

from __future__ import annotations

import asyncio
import os
import threading
from abc import ABC, abstractmethod
from itertools import count
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4
from weakref import ref

from .._errors import LedgerError
from .._ledger import Ledger
from .._reservation import MICRO
from ._keeper import Keeper
from ._replies import boundaries, checked, reserved
from ._requests import call_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._reservation import Reservation
    from ._wire import Document

__all__ = ["PRESENT", "SharedCore"]

PRESENT: Final = 60.0
"""Seconds until the clock of a process that died stops."""
_PATIENCE: Final = 8
"""Windows that may end while one operation is asked for."""


class SharedCore(Ledger, ABC):
    """See `SharedLedger`."""

    def __init__(self, *, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock
        self._prefix = f"{uuid4().hex}-"
        self._numbers = count(1)
        self._keeper = None if clock else Keeper(_renewal(ref(self)))
        self._undoing: set[asyncio.Task[None]] = set()
        self._busy = threading.local()

    @abstractmethod
    def _send(self, request: Document, now: int | None, windows: list[Any]) -> Document:
        """Perform the request as one atomic operation; returns the reply.

        Raises:
            LedgerError: the store cannot be reached in time; nothing was admitted, or it expires into spend.
        """

    @abstractmethod
    async def _asend(self, request: Document, now: int | None, windows: list[Any]) -> Document:
        """Async twin of `_send`."""

    def _ask(self, request: Document) -> Document:
        """Ask, and wait for the reply.

        A garbage collection in the middle of an operation may end a stream, whose settlement would then wait for locks
        that its own thread holds: such a one is left to another thread, and its reply is empty.
        """
        if getattr(self._busy, "asking", False):
            threading.Thread(target=self._ask, args=(request,), name="budgetkit-settle").start()
            return {}
        self._busy.asking = True
        try:
            return self._ask_to_the_end(request)
        finally:
            self._busy.asking = False

    def _ask_to_the_end(self, request: Document) -> Document:
        windows: list[Any] = []
        for _ in range(_PATIENCE):
            reply = self._send(request, self._now(), windows)
            if "roll" not in reply:
                return checked(reply)
            windows = boundaries(reply)
        raise _restless(request)

    async def _aask(self, request: Document) -> Document:
        """Ask, and see it through: an operation on the books is never cut in the middle.

        Who is cancelled while it waits gets no reservation: one that was made all the same is taken back.
        """
        asked = asyncio.ensure_future(self._aask_to_the_end(request))
        try:
            return await asyncio.shield(asked)
        except asyncio.CancelledError:
            undoing = asyncio.ensure_future(self._undo(asked))
            self._undoing.add(undoing)  # the loop alone would not keep it
            undoing.add_done_callback(self._undoing.discard)
            await asyncio.shield(undoing)
            raise

    async def _aask_to_the_end(self, request: Document) -> Document:
        windows: list[Any] = []
        for _ in range(_PATIENCE):
            reply = await self._asend(request, self._now(), windows)
            if "roll" not in reply:
                return checked(reply)
            windows = boundaries(reply)
        raise _restless(request)

    async def _undo(self, asked: asyncio.Future[Document]) -> None:
        await asyncio.wait([asked])
        if asked.cancelled() or asked.exception() is not None:
            return
        reply = asked.result()
        if reply.get("fresh") or reply.get("call", {}).get("presence"):
            made = reserved(reply)
            op = "stop" if made.presence else "release"
            await self._aask_to_the_end(call_request(op, made))

    def _now(self) -> int | None:
        return None if self._clock is None else round(self._clock() * MICRO)

    def _name(self) -> str:
        return f"{self._prefix}{os.getpid()}-{next(self._numbers)}"  # a fork goes on with the same prefix and numbers

    def _keep(self, held: Reservation, lease: float) -> Reservation:
        if self._keeper is not None and held.spend is None:
            self._keeper.hold(held, lease)
        return held

    def _let_all_go(self) -> None:
        if self._keeper is not None:
            self._keeper.let_all_go()

    def _let_go(self, held: Reservation) -> None:
        if self._keeper is not None:
            self._keeper.let_go(held)


def _renewal(mine: ref[SharedCore]) -> Callable[[Reservation, float], None]:
    """Renews through a ledger that is not kept alive for it: who drops a ledger closes its connections."""

    def renew(held: Reservation, lease: float) -> None:
        ledger = mine()
        if ledger is not None:
            ledger.renew(held, lease=lease)

    return renew


def _restless(request: Document) -> LedgerError:
    return LedgerError(
        f"account {'/'.join(request['path'])!r}: its windows end faster than the store can be asked; use longer ones"
    )
