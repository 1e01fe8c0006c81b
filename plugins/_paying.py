"""A call between its reservation and its settlement: settled on every way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langgraph.errors import GraphInterrupt

from budgetkit import BudgetExceeded, Spend

from ._costing import unknown, unsent
from ._in_flight import MODEL, InFlight, flying
from ._ways import OutOfTime

if TYPE_CHECKING:
    from collections.abc import Callable

    from budgetkit import AccountState, Reservation

    from ._runs import Run
    from ._ways import Way

__all__ = ["out_of_time", "pay", "take_over"]


async def pay(
    way: Way,
    run: Run,
    flight: InFlight,
    send: Callable[[], Any],
    cost: Callable[[Any], Spend | None],
) -> Any:
    """Make a reserved call and settle it.

    A call that failed, was cancelled or timed out is kept at its reservation: it may have been billed. A model call
    that the provider turned away unread costs a call and no tokens. A tool that stopped to ask a person stays reserved
    and finds its reservation when it is entered again; a model call that was not sent yet has no name to find it by,
    gives it back and reserves anew. Nobody's clock runs while a person thinks.

    Args:
        way: sync or async.
        run: who pays.
        flight: what was set aside, and where the meter leaves what the call used.
        send: makes the call.
        cost: what it cost, by its result; None if that is not known.

    Raises:
        BudgetExceeded: the ``seconds`` ran out before the call came back.
    """
    ledger, call = run.scope.ledger, flight.reservation
    try:
        with flying(flight):
            result = await way.within(call.time_left, send)
    except GraphInterrupt:
        if not flight.handed_over:
            await _set_down(way, flight, cost)
        raise
    except BaseException as error:
        if not flight.handed_over:
            await way.settle(ledger, call, _lost(call, flight, error))
        if isinstance(error, OutOfTime):
            raise out_of_time(await way.states(run.scope)) from None
        raise
    if not flight.handed_over:
        await way.settle(ledger, call, cost(result))
    return result


async def _set_down(way: Way, flight: InFlight, cost: Callable[[Any], Spend | None]) -> None:
    """What becomes of a reservation while a person is asked."""
    ledger, call = flight.scope.ledger, flight.reservation
    if flight.started:
        await way.settle(ledger, call, cost(None))
    elif flight.key == MODEL:
        await way.release(ledger, call)
    else:
        await way.pause(ledger, call)


def _lost(call: Reservation, flight: InFlight, error: BaseException) -> Spend:
    """What a call cost that did not come back: tools are counted by the call, models by what they may have done."""
    calls = call.asked.in_units("llm_calls")
    if not calls:
        return call.asked
    return Spend.from_units({"llm_calls": calls}) if unsent(flight.error or error) else unknown(calls)


async def take_over(way: Way, outer: InFlight | None) -> None:
    """Two budgets meet on one call: the inner one's account lies below the outer's and pays for both, once."""
    if outer is not None:
        outer.handed_over = True
        await way.release(outer.scope.ledger, outer.reservation)


def out_of_time(states: tuple[AccountState, ...]) -> BudgetExceeded:
    """The refusal for a call that ran out of ``seconds``: the outermost account with the least time left."""
    timed = [state for state in states if "seconds" in state.limits]
    state = min(timed, key=lambda s: (s.left("seconds") or 0) - s.kept.in_units("seconds"))
    return state.refusal("seconds", 0)
