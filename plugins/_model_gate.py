"""Model calls under a budget: reserve, clamp, call, settle; and the last call, from the reserve."""

from __future__ import annotations

import warnings
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

from langchain.agents.middleware import ModelRequest, ModelResponse
from langchain_core.messages import AIMessage, BaseMessage
from langgraph.types import interrupt

from budgetkit import AccountState, BudgetExceeded, BudgetTooSmall, Reservation, Spend

from ._costing import Costing, unsent
from ._desk import Ask, Desk, LastCall, Plan, Room
from ._ends import MARK, AtEnd, leave, mark, notice, question, refused_rounds, top_up_of, used_up
from ._errors import in_graph
from ._in_flight import MODEL, InFlight, flying, outer_call
from ._model_info import cap_settings
from ._paying import OutOfTime, Paid, awithin, out_of_time, within
from ._runs import Run
from ._tracker import with_policy
from ._usage_of import from_message
from ._wrap_up import Findings, findings_of, free_answer

__all__ = ["ModelGate"]

Request = ModelRequest[Any]
Response = ModelResponse[Any]


@dataclass(frozen=True, slots=True)
class _Step:
    """One model call, ready to be reserved and sent."""

    request: Request
    ask: Ask
    plan: Plan


@final
class ModelGate:
    """The model half of the middleware, on one budget."""

    def __init__(self, desk: Desk, *, at_end: AtEnd, tracker: bool) -> None:
        self._desk = desk
        self._at_end = at_end
        self._tracker = tracker
        self._warned = False

    # -- sync -------------------------------------------------------------------------------------------------------

    def call(self, run: Run, request: Request, send: Callable[[Request], Response], tries: int = 0) -> Response:
        """The model's answer, or the end of the budget."""
        try:
            step = self._step(run, run.scope.states(), request)
            if (outer := outer_call(MODEL)) is not None:
                outer.handed_over = True
                outer.scope.ledger.release(outer.reservation)
            reservation = run.scope.reserve(step.plan.asked, label=_label(step.ask.costing), keep=step.plan.keep)
            return self._paid(run, reservation, step, send)
        except BudgetExceeded as refusal:
            more = self._ending(run, refusal)
            if isinstance(more, Spend):
                run.scope.ledger.top_up(run.owner, more, id=_ask_id(request, tries))
                return self.call(run, request, send, tries + 1)
            return more or self._answer(run, request, send, refusal)

    def _paid(self, run: Run, call: Reservation, step: _Step, send: Callable[[Request], Response]) -> Response:
        flight = InFlight(MODEL, run.scope, call)
        try:
            with Paid(run.scope, call, flight) as paid, flying(flight):
                response = within(call.time_left, lambda: send(step.request))
                paid.spend = self._spend(step.ask.costing, flight, response)
        except OutOfTime:
            raise out_of_time(run.scope.states()) from None
        return response

    def _answer(
        self, run: Run, request: Request, send: Callable[[Request], Response], refusal: BudgetExceeded
    ) -> Response:
        findings = findings_of(request.messages)
        last = self._last(run.scope.states(), request, findings)
        if last is None:
            return _free(findings, refusal)
        try:
            call = run.scope.reserve(last.asked, label=_label(self._costing(request)), final=True)
            response = self._paid(run, call, self._last_step(request, last), send)
        except BudgetExceeded as again:
            return _free(findings, self._own(run, again, refusal))
        return _answered(response, findings, refusal)

    # -- async ------------------------------------------------------------------------------------------------------

    async def acall(
        self, run: Run, request: Request, send: Callable[[Request], Awaitable[Response]], tries: int = 0
    ) -> Response:
        """Async twin of `call`."""
        try:
            step = self._step(run, await run.scope.astates(), request)
            if (outer := outer_call(MODEL)) is not None:
                outer.handed_over = True
                await outer.scope.ledger.arelease(outer.reservation)
            reservation = await run.scope.areserve(step.plan.asked, label=_label(step.ask.costing), keep=step.plan.keep)
            return await self._apaid(run, reservation, step, send)
        except BudgetExceeded as refusal:
            more = self._ending(run, refusal)
            if isinstance(more, Spend):
                await run.scope.ledger.atop_up(run.owner, more, id=_ask_id(request, tries))
                return await self.acall(run, request, send, tries + 1)
            return more or await self._aanswer(run, request, send, refusal)

    async def _apaid(
        self, run: Run, call: Reservation, step: _Step, send: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        flight = InFlight(MODEL, run.scope, call)
        try:
            async with Paid(run.scope, call, flight) as paid:
                with flying(flight):
                    response = await awithin(call.time_left, lambda: send(step.request))
                paid.spend = self._spend(step.ask.costing, flight, response)
        except OutOfTime:
            raise out_of_time(await run.scope.astates()) from None
        return response

    async def _aanswer(
        self, run: Run, request: Request, send: Callable[[Request], Awaitable[Response]], refusal: BudgetExceeded
    ) -> Response:
        findings = findings_of(request.messages)
        last = self._last(await run.scope.astates(), request, findings)
        if last is None:
            return _free(findings, refusal)
        try:
            call = await run.scope.areserve(last.asked, label=_label(self._costing(request)), final=True)
            response = await self._apaid(run, call, self._last_step(request, last), send)
        except BudgetExceeded as again:
            return _free(findings, self._own(run, again, refusal))
        return _answered(response, findings, refusal)

    # -- the shared core --------------------------------------------------------------------------------------------

    def _step(self, run: Run, states: tuple[AccountState, ...], request: Request) -> _Step:
        """The request as the budget allows it.

        Raises:
            BudgetExceeded: no tool can be called any more, or the model does not hear that.
        """
        tools = [_tool_name(tool) for tool in request.tools]
        if self._at_end in {"answer", "stop"}:
            refusal = used_up(states, tools) if tools else None
            if refusal is None and refused_rounds(request.messages) >= (1 if self._at_end == "stop" else 2):
                refusal = _stubborn(run, states)
            if refusal is not None:
                raise refusal
            empty = Room(states).empty_tools()
            request = request.override(tools=[t for t, n in zip(request.tools, tools, strict=True) if n not in empty])
        if self._tracker:
            request = request.override(system_message=with_policy(request.system_message))
        ask = self._desk.ask(request.model, _prompt(request), request.tools, request.model_settings)
        least_in = self._desk.least_in(request.model, findings_of(request.messages))
        plan = self._desk.plan(states, ask, least_in)
        return _Step(_capped(request, plan.cap), ask, plan)

    def _ending(self, run: Run, refusal: BudgetExceeded) -> Spend | Response | None:
        """What the chosen end does: leave the graph, a notice, a person's top-up; None for an answer."""
        if isinstance(refusal, BudgetTooSmall) or not run.owns(refusal):
            raise in_graph(refusal) from None
        leave(self._at_end, refusal)
        if self._at_end == "stop":
            return ModelResponse(result=[notice(refusal)])
        return top_up_of(interrupt(question(refusal))) if self._at_end == "ask" else None

    def _last(self, states: tuple[AccountState, ...], request: Request, findings: Findings) -> LastCall | None:
        cap = self._desk.ask(request.model, [], [], request.model_settings).cap
        return self._desk.last_call(states, request.model, findings, request.system_message, cap)

    def _last_step(self, request: Request, last: LastCall) -> _Step:
        final = request.override(messages=last.messages, system_message=None, tools=[], tool_choice=None)
        ask = Ask(self._costing(request), 0, last.cap, last.cap)
        return _Step(_capped(final, last.cap), ask, Plan(last.asked, None, last.cap))

    def _costing(self, request: Request) -> Costing:
        return self._desk.ask(request.model, [], [], request.model_settings).costing

    def _own(self, run: Run, again: BudgetExceeded, first: BudgetExceeded) -> BudgetExceeded:
        """The end to name when the last call failed to be paid: ours as it began, an outer one as it came."""
        if not run.owns(again):
            raise in_graph(again) from None
        return first

    def _spend(self, costing: Costing, flight: InFlight, response: Response) -> Spend | None:
        """What the call cost; None if the provider did not say."""
        if flight.cached:
            return Spend()
        if flight.error is not None:  # the answer is of a further run, which is metered by itself
            return costing.unsent() if unsent(flight.error) else None
        usage = flight.usage if flight.started else _usage(response.result)
        if usage is None and not self._warned:
            self._warned = True
            warnings.warn(
                f"model {costing.model!r} sent no usage, so its calls are booked at their worst case: with ChatOpenAI "
                "and a base_url of your own, set stream_usage=True",
                stacklevel=2,
            )
        return None if usage is None else costing.spend(usage)


def _prompt(request: Request) -> list[BaseMessage]:
    return [request.system_message, *request.messages] if request.system_message else list(request.messages)


def _capped(request: Request, cap: int | None) -> Request:
    if cap is None:
        return request
    return request.override(model_settings={**request.model_settings, **cap_settings(request.model, cap)})


def _usage(messages: Sequence[BaseMessage]) -> Any:
    last = next((m for m in reversed(messages) if isinstance(m, AIMessage)), None)
    return from_message(last) if last else None


def _label(costing: Costing) -> str:
    return f"model:{costing.model}"


def _tool_name(tool: Any) -> str:
    if isinstance(tool, dict):
        return str(tool.get("name") or tool.get("function", {}).get("name") or tool.get("type"))
    return str(tool.name)


def _ask_id(request: Request, tries: int) -> str:
    """The same when the node is entered again after the interrupt, so that a top-up is applied once."""
    info = getattr(request.runtime, "execution_info", None)
    return f"model:{getattr(info, 'checkpoint_ns', '')}?{tries}"


def _stubborn(run: Run, states: tuple[AccountState, ...]) -> BudgetExceeded:
    """The end of a run whose model asks again and again for what it cannot have."""
    own = next(state for state in states if state.account == run.owner)
    name = min(own.limits, key=lambda n: (own.left(n) or 0) / max(1, own.limits[n]))
    spent, reserved = own.spent.in_units(name), own.reserved.in_units(name)
    return BudgetExceeded(
        resource=name, account=run.owner, limit=own.limits[name], spent=spent, reserved=reserved, asked=1
    )


def _free(findings: Findings, refusal: BudgetExceeded) -> Response:
    """An answer that costs nothing; without anything found there is none, and the refusal stands."""
    if not findings.passages:
        raise in_graph(refusal) from None
    text = free_answer(findings, f"{refusal.resource}: {refusal.spent} of {refusal.limit} used")
    return ModelResponse(result=[AIMessage(text, response_metadata={MARK: mark("free answer", refusal)})])


def _answered(response: Response, findings: Findings, refusal: BudgetExceeded) -> Response:
    """The last answer, marked; a model that asks for tools all the same, or says nothing, is read out in words."""
    if response.structured_response is not None:
        return response
    message = next((m for m in reversed(response.result) if isinstance(m, AIMessage)), None)
    if message is None or not message.text.strip():
        return _free(findings, refusal)
    marked = {**message.response_metadata, MARK: mark("answer", refusal)}
    clean = message.model_copy(
        update={"tool_calls": [], "invalid_tool_calls": [], "response_metadata": marked, "additional_kwargs": {}}
    )
    return ModelResponse(result=[clean])
