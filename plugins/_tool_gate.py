"""Tool calls under a budget: reserve or refuse, run, settle, and tell the agent what is left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, final

from langchain_core.messages import ToolMessage
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command, interrupt

from budgetkit import BudgetExceeded, Reservation, Spend

from ._ends import MARK, AtEnd, leave, no_calls_left, question, top_up_of
from ._errors import in_graph
from ._in_flight import InFlight, Money, flying, outer_call, paying
from ._paying import OutOfTime, Paid, awithin, out_of_time, within
from ._runs import Run, Runs
from ._tracker import append, status

__all__ = ["ToolGate", "ToolUnits"]

Result = ToolMessage | Command[Any]
ToolUnits = Mapping[str, Callable[[Mapping[str, Any]], int]]
"""Per tool, how many units a call with these arguments is: ``{"search": lambda args: len(args["queries"])}``."""


@final
class ToolGate:
    """The two wrappers of a tool node, on one budget."""

    def __init__(
        self, runs: Runs, money: Money, *, at_end: AtEnd = "answer", tracker: bool = True, units: ToolUnits | None = None
    ) -> None:
        self._runs = runs
        self._money = money
        self._at_end = at_end
        self._tracker = tracker
        self._units = dict(units or {})

    def wrap_tool_call(self, request: ToolCallRequest, execute: Callable[[ToolCallRequest], Result]) -> Result:
        """For ``ToolNode(wrap_tool_call=...)``."""
        run = self._runs.of(request.state, request.runtime)
        key, asked = _key(request), self._asked(request)
        if outer := outer_call(key):
            outer.handed_over = True
            outer.scope.ledger.release(outer.reservation)
        with run.scope.entered(), paying(self._money):
            try:
                call = self._reserve(run, asked, key, f"tool:{request.tool_call['name']}")
                result = self._run(run, call, lambda: execute(request))
            except BudgetExceeded as refusal:
                result = self._refused(run, refusal, request)
            return append(result, _block(run, run.scope.states())) if self._tracker else result

    async def awrap_tool_call(
        self, request: ToolCallRequest, execute: Callable[[ToolCallRequest], Awaitable[Result]]
    ) -> Result:
        """For ``ToolNode(awrap_tool_call=...)``."""
        run = await self._runs.aof(request.state, request.runtime)
        key, asked = _key(request), self._asked(request)
        if outer := outer_call(key):
            outer.handed_over = True
            await outer.scope.ledger.arelease(outer.reservation)
        with run.scope.entered(), paying(self._money):
            try:
                call = await self._areserve(run, asked, key, f"tool:{request.tool_call['name']}")
                result = await self._arun(run, call, lambda: execute(request))
            except BudgetExceeded as refusal:
                result = self._refused(run, refusal, request)
            return append(result, _block(run, await run.scope.astates())) if self._tracker else result

    # -- sync -------------------------------------------------------------------------------------------------------

    def _reserve(self, run: Run, asked: Spend, key: str, label: str) -> Reservation:
        tries = 0
        while True:
            try:
                return run.scope.reserve(asked, id=key, label=label, again=True)
            except BudgetExceeded as refusal:
                more = self._ask(run, refusal)
                if more is None:
                    raise
                run.scope.ledger.top_up(run.owner, more, id=f"{key}?{tries}")
                tries += 1

    def _run(self, run: Run, call: Reservation, send: Callable[[], Result]) -> Result:
        flight = InFlight(call.id, run.scope, call)
        try:
            with Paid(run.scope, call, flight) as paid, flying(flight):
                result = within(call.time_left, send)
                paid.spend = call.asked
        except OutOfTime:
            raise out_of_time(run.scope.states()) from None
        return result

    # -- async ------------------------------------------------------------------------------------------------------

    async def _areserve(self, run: Run, asked: Spend, key: str, label: str) -> Reservation:
        tries = 0
        while True:
            try:
                return await run.scope.areserve(asked, id=key, label=label, again=True)
            except BudgetExceeded as refusal:
                more = self._ask(run, refusal)
                if more is None:
                    raise
                await run.scope.ledger.atop_up(run.owner, more, id=f"{key}?{tries}")
                tries += 1

    async def _arun(self, run: Run, call: Reservation, send: Callable[[], Awaitable[Result]]) -> Result:
        flight = InFlight(call.id, run.scope, call)
        try:
            async with Paid(run.scope, call, flight) as paid:
                with flying(flight):
                    result = await awithin(call.time_left, send)
                paid.spend = call.asked
        except OutOfTime:
            raise out_of_time(await run.scope.astates()) from None
        return result

    # -- the shared core --------------------------------------------------------------------------------------------

    def _asked(self, request: ToolCallRequest) -> Spend:
        name, args = request.tool_call["name"], request.tool_call["args"]
        units = self._units[name](args) if name in self._units else 1
        price = self._money.prices.tool(name) * units
        return Spend.from_units({"tool_calls": units, f"tool:{name}": units, "usd": price})

    def _ask(self, run: Run, refusal: BudgetExceeded) -> Spend | None:
        """Ask a person, if that is the end that was chosen and the budget is ours to top up."""
        if self._at_end != "ask" or not run.owns(refusal):
            return None
        return top_up_of(interrupt(question(refusal)))

    def _refused(self, run: Run, refusal: BudgetExceeded, request: ToolCallRequest) -> ToolMessage:
        """A refusal of our own is answered, so that no call is left dangling; an outer one passes through."""
        if not run.owns(refusal):
            raise in_graph(refusal) from None
        leave(self._at_end, refusal)
        name = request.tool_call["name"]
        return ToolMessage(
            no_calls_left(refusal, name),
            name=name,
            tool_call_id=request.tool_call["id"] or "",
            status="error",
            additional_kwargs={MARK: "refused"},
        )


def _key(request: ToolCallRequest) -> str:
    """The same after an interrupt (task and call are the same), another one for each branch of a fan-out."""
    info = getattr(request.runtime, "execution_info", None)
    return f"tool:{getattr(info, 'checkpoint_ns', '')}:{request.tool_call['id']}"


def _block(run: Run, states: Any) -> str:
    return status(states, run.scope.levels, run.scope.level)
