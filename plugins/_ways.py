"""One core for sync and async: it is written as a coroutine, once.

With `BLOCKING` the ledger and the call are reached by plain functions, so the coroutine never waits, and `finish` runs
it to its end without a loop. With `AWAITING` an event loop runs it.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, final

from ._hands import Hands, OutOfTime

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

    from budgetkit import Account, AccountState, Ledger, Reservation, Scope, Spend

__all__ = ["AWAITING", "BLOCKING", "OutOfTime", "Way", "finish"]

T = TypeVar("T")


class Way(Protocol):
    """How a core reaches the ledger and waits for a call; each method is the ledger's own of that name."""

    async def join(self, scope: Scope) -> None:
        """Open the scope's account."""

    async def states(self, scope: Scope) -> tuple[AccountState, ...]:
        """Snapshots from the root down to the scope's account."""
        ...

    async def reserve(self, ledger: Ledger, account: Account, asked: Spend, **options: Any) -> Reservation:
        """Set the worst case of a call aside."""
        ...

    async def settle(self, ledger: Ledger, call: Reservation, spend: Spend | None) -> None:
        """Book what the call cost."""

    async def charge(self, ledger: Ledger, account: Account, spend: Spend, **options: Any) -> None:
        """Book spend that happened."""

    async def release(self, ledger: Ledger, call: Reservation) -> None:
        """Take back what was set aside for a call that was not made."""

    async def pause(self, ledger: Ledger, call: Reservation) -> None:
        """Keep what is set aside while a person is asked, with the clock stopped."""

    async def top_up(self, ledger: Ledger, account: Account, amounts: Spend, name: str) -> None:
        """Raise the account's limits, once for each name."""

    def running(self, scope: Scope) -> AbstractAsyncContextManager[object]:
        """Let the scope's clock run inside."""
        ...

    def opened(self, scope: Scope) -> AbstractAsyncContextManager[object]:
        """Enter a scope of its own."""
        ...

    async def within(self, seconds: float | None, send: Callable[[], Any]) -> Any:
        """What ``send`` returns; raises `OutOfTime` if it does not come back in time. None: it may take for ever."""


@final
class _Blocking(Way):
    def __init__(self) -> None:
        self._hands = Hands()

    async def join(self, scope: Scope) -> None:
        scope.join()

    async def states(self, scope: Scope) -> tuple[AccountState, ...]:
        return scope.states()

    async def reserve(self, ledger: Ledger, account: Account, asked: Spend, **options: Any) -> Reservation:
        return ledger.reserve(account, asked, **options)

    async def settle(self, ledger: Ledger, call: Reservation, spend: Spend | None) -> None:
        ledger.settle(call, spend)

    async def charge(self, ledger: Ledger, account: Account, spend: Spend, **options: Any) -> None:
        ledger.charge(account, spend, **options)

    async def release(self, ledger: Ledger, call: Reservation) -> None:
        ledger.release(call)

    async def pause(self, ledger: Ledger, call: Reservation) -> None:
        ledger.pause(call)

    async def top_up(self, ledger: Ledger, account: Account, amounts: Spend, name: str) -> None:
        ledger.top_up(account, amounts, id=name)

    @asynccontextmanager
    async def running(self, scope: Scope) -> AsyncGenerator[None]:
        presence = scope.ledger.start(scope.account)
        try:
            yield
        finally:
            scope.ledger.stop(presence)

    @asynccontextmanager
    async def opened(self, scope: Scope) -> AsyncGenerator[None]:
        with scope:
            yield

    async def within(self, seconds: float | None, send: Callable[[], Any]) -> Any:
        """A thread that does not come back is left to end by itself."""
        return send() if seconds is None else self._hands.do(seconds, send)


@final
class _Awaiting(Way):
    async def join(self, scope: Scope) -> None:
        await scope.ajoin()

    async def states(self, scope: Scope) -> tuple[AccountState, ...]:
        return await scope.astates()

    async def reserve(self, ledger: Ledger, account: Account, asked: Spend, **options: Any) -> Reservation:
        return await ledger.areserve(account, asked, **options)

    async def settle(self, ledger: Ledger, call: Reservation, spend: Spend | None) -> None:
        await asyncio.shield(ledger.asettle(call, spend))

    async def charge(self, ledger: Ledger, account: Account, spend: Spend, **options: Any) -> None:
        await asyncio.shield(ledger.acharge(account, spend, **options))

    async def release(self, ledger: Ledger, call: Reservation) -> None:
        await asyncio.shield(ledger.arelease(call))

    async def pause(self, ledger: Ledger, call: Reservation) -> None:
        await asyncio.shield(ledger.apause(call))

    async def top_up(self, ledger: Ledger, account: Account, amounts: Spend, name: str) -> None:
        await ledger.atop_up(account, amounts, id=name)

    @asynccontextmanager
    async def running(self, scope: Scope) -> AsyncGenerator[None]:
        presence = await scope.ledger.astart(scope.account)
        try:
            yield
        finally:
            await asyncio.shield(scope.ledger.astop(presence))

    def opened(self, scope: Scope) -> Scope:
        return scope

    async def within(self, seconds: float | None, send: Callable[[], Any]) -> Any:
        """A call that is late is cancelled."""
        if seconds is None:
            return await send()
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return await send()
        except TimeoutError as late:
            if limit.expired():
                raise OutOfTime from late
            raise


BLOCKING: Final[Way] = _Blocking()
AWAITING: Final[Way] = _Awaiting()


def finish(core: Coroutine[Any, Any, T]) -> T:
    """Run a core that goes the blocking way: it never waits, so one step is all of it."""
    try:
        core.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    core.close()
    raise RuntimeError("a blocking core waited for an event loop: this is a bug in budgetkit")
