"""A call between its reservation and its settlement: settled on every way out, and never kept waiting past its time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, wait
from contextvars import Context, copy_context
from threading import Thread
from types import TracebackType
from typing import Self, TypeVar, final

from langgraph.errors import GraphInterrupt

from budgetkit import AccountState, BudgetExceeded, Reservation, Scope, Spend

from ._costing import unsent
from ._in_flight import InFlight

__all__ = ["OutOfTime", "Paid", "awithin", "out_of_time", "within"]

T = TypeVar("T")


class OutOfTime(Exception):  # noqa: N818 - control flow, caught by the wrapper that sets the time
    """The call did not come back before its ``seconds`` ran out."""


@final
class Paid:
    """Settles a reservation on leaving, sync and async; `spend` is what the call cost, if it came back.

    A call that failed, was cancelled or timed out is kept at its reservation: it may have been billed. A call that the
    provider turned away unread costs a call and no tokens. A call that stopped to ask a person stays reserved: it is
    entered again, and finds its reservation.
    """

    __slots__ = ("_call", "_flight", "_scope", "spend")

    def __init__(self, scope: Scope, call: Reservation, flight: InFlight) -> None:
        self._scope = scope
        self._call = call
        self._flight = flight
        self.spend: Spend | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._over(error):
            self._scope.settle(self._call, self._outcome(error))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._over(error):
            await asyncio.shield(self._scope.asettle(self._call, self._outcome(error)))

    def _over(self, error: BaseException | None) -> bool:
        return not isinstance(error, GraphInterrupt) and not self._flight.handed_over

    def _outcome(self, error: BaseException | None) -> Spend | None:
        if self.spend is None and unsent(error):
            return Spend.from_units({"llm_calls": self._call.asked.in_units("llm_calls")})
        return self.spend


def within(seconds: float | None, send: Callable[[], T]) -> T:
    """What ``send`` returns, or `OutOfTime`; a thread that does not come back is left to end by itself."""
    if seconds is None:
        return send()
    box: Future[T] = Future()
    Thread(target=_fill, args=(box, copy_context(), send), name="budgetkit", daemon=True).start()
    wait([box], timeout=seconds)
    if not box.done():
        raise OutOfTime
    return box.result()


def _fill(box: Future[T], context: Context, send: Callable[[], T]) -> None:
    try:
        box.set_result(context.run(send))
    except BaseException as error:  # noqa: BLE001 - handed to the waiting thread whole, which raises it
        box.set_exception(error)


async def awithin(seconds: float | None, send: Callable[[], Awaitable[T]]) -> T:
    """Async twin of `within`: a call that is late is cancelled."""
    if seconds is None:
        return await send()
    try:
        async with asyncio.timeout(seconds) as limit:
            return await send()
    except TimeoutError as late:
        if limit.expired():
            raise OutOfTime from late
        raise


def out_of_time(states: tuple[AccountState, ...]) -> BudgetExceeded:
    """The refusal for a call that ran out of ``seconds``: the outermost account with the least time left."""
    timed = [state for state in states if "seconds" in state.limits]
    state = min(timed, key=lambda s: (s.left("seconds") or 0) - s.kept.in_units("seconds"))
    return BudgetExceeded(
        resource="seconds",
        account=state.account,
        limit=state.limits["seconds"],
        spent=state.spent.in_units("seconds"),
        reserved=state.kept.in_units("seconds"),
        asked=0,
    )
