"""One core for sync and async: it is written as a coroutine, once.

With `BLOCKING` the ledger and the call are reached by plain functions, so the coroutine never waits, and `finish` runs it
to its end without a loop. With `AWAITING` an event loop runs it.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, wait
from contextvars import Context, copy_context
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, final

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from budgetkit import Account, AccountState, Ledger, Reservation, Scope, Spend

__all__ = ["AWAITING", "BLOCKING", "OutOfTime", "Way", "finish"]

T = TypeVar("T")


class OutOfTime(Exception):  # noqa: N818 - control flow, caught by the wrapper that set the time
    """The call did not come back before its ``seconds`` ran out."""


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

    async def release(self, ledger: Ledger, call: Reservation) -> None:
        """Take back what was set aside for a call that was not made."""

    async def top_up(self, ledger: Ledger, account: Account, amounts: Spend, name: str) -> None:
        """Raise the account's limits, once for each name."""

    async def start(self, scope: Scope) -> None:
        """Let the scope's clock run."""

    async def stop(self, scope: Scope) -> None:
        """Undo one `start`."""

    async def within(self, seconds: float | None, send: Callable[[], Any]) -> Any:
        """What ``send`` returns; raises `OutOfTime` if it does not come back in time. None: it may take for ever."""


@final
class _Blocking(Way):
    async def join(self, scope: Scope) -> None:
        scope.join()

    async def states(self, scope: Scope) -> tuple[AccountState, ...]:
        return scope.states()

    async def reserve(self, ledger: Ledger, account: Account, asked: Spend, **options: Any) -> Reservation:
        return ledger.reserve(account, asked, **options)

    async def settle(self, ledger: Ledger, call: Reservation, spend: Spend | None) -> None:
        ledger.settle(call, spend)

    async def release(self, ledger: Ledger, call: Reservation) -> None:
        ledger.release(call)

    async def top_up(self, ledger: Ledger, account: Account, amounts: Spend, name: str) -> None:
        ledger.top_up(account, amounts, id=name)

    async def start(self, scope: Scope) -> None:
        scope.ledger.start(scope.account)

    async def stop(self, scope: Scope) -> None:
        scope.ledger.stop(scope.account)

    async def within(self, seconds: float | None, send: Callable[[], Any]) -> Any:
        """A thread that does not come back is left to end by itself."""
        if seconds is None:
            return send()
        box: Future[Any] = Future()
        Thread(target=_fill, args=(box, copy_context(), send), name="budgetkit", daemon=True).start()
        wait([box], timeout=seconds)
        if not box.done():
            raise OutOfTime
        return box.result()


def _fill(box: Future[Any], context: Context, send: Callable[[], Any]) -> None:
    try:
        box.set_result(context.run(send))
    except BaseException as error:  # noqa: BLE001 - handed whole to the waiting thread, which raises it
        box.set_exception(error)


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

    async def release(self, ledger: Ledger, call: Reservation) -> None:
        await asyncio.shield(ledger.arelease(call))

    async def top_up(self, ledger: Ledger, account: Account, amounts: Spend, name: str) -> None:
        await ledger.atop_up(account, amounts, id=name)

    async def start(self, scope: Scope) -> None:
        await scope.ledger.astart(scope.account)

    async def stop(self, scope: Scope) -> None:
        await asyncio.shield(scope.ledger.astop(scope.account))

    async def within(self, seconds: float | None, send: Callable[[], Any]) -> Any:
        """A call that is late is cancelled."""
        if seconds is None:
            return await send()
        try:
            async with asyncio.timeout(seconds) as limit:
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
