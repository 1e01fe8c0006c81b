"""Model calls under a budget: reserve, clamp, call, settle; and the last call, from the reserve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast, final

from langchain.agents.middleware import ModelRequest, ModelResponse
from langchain_core.messages import AIMessage

from budgetkit import BudgetExceeded, BudgetTooSmall, Spend

from ._cut import too_short, was_cut
from ._desk import SHARE
from ._ends import MARK, AtEnd, ask_person, leave, mark, notice
from ._errors import in_graph
from ._in_flight import MODEL, InFlight, outer_call, take_place
from ._model_info import cap_settings
from ._paying import pay, take_over
from ._refused import still_barred, used_up
from ._room import Room
from ._structured import StructuredOutput
from ._told import Told
from ._tracker import Policy
from ._wrap_up import Findings, findings_of, free_answer, question_of, shortest_prompt

if TYPE_CHECKING:
    from collections.abc import Callable

    from budgetkit import AccountState

    from ._costing import Costing
    from ._desk import Desk
    from ._runs import Run
    from ._ways import Way

__all__ = ["ModelGate"]

Request = ModelRequest[Any]
Response = ModelResponse[Any]

_ONLY_WITH_TOOLS: Final = {"tool_choice", "parallel_tool_calls"}


@dataclass(frozen=True, slots=True)
class _Step:
    """One model call, ready to be reserved and sent."""

    request: Request
    costing: Costing
    asked: Spend
    keep: Spend | None
    ours: int | None = None


@final
class ModelGate:
    """The model half of the middleware, on one budget."""

    def __init__(self, desk: Desk, *, at_end: AtEnd, tracker: bool) -> None:
        self._desk = desk
        self._at_end: AtEnd = at_end
        self._tracker = tracker
        self._structured = StructuredOutput()
        self._policy = Policy()
        self._bills = Told()

    async def call(self, way: Way, run: Run, request: Request, send: Callable[[Request], Any]) -> Response:
        """The model's answer, or the end of the budget."""
        asked_before, cut_at, sent = 0, None, False
        await take_over(way, outer_call(MODEL))  # before anything else: however this ends, it is on this account
        while True:
            try:
                step = self._ordinary(run, await way.states(run.scope), request, cut_at)
                if (place := take_place(run.scope.account)) is not None:
                    await way.release(run.scope.ledger, place)
                flight = await self._reserved(way, run, step)
                sent = True
                response = await self._sent(way, run, flight, step, send)
                if not was_cut(response, step.ours):
                    return response
                cut_at = step.ours
            except BudgetExceeded as refusal:
                end = self._ending(run, refusal)
                if end is None:
                    return await self._answer(way, run, request, send, refusal, sent=sent)
                if not isinstance(end, Spend):
                    return end
                await way.top_up(run.scope.ledger, run.owner, end, f"{_place(request)}?{asked_before}")
                asked_before += 1

    async def _reserved(self, way: Way, run: Run, step: _Step) -> InFlight:
        call = await run.reserve(way, step.asked, label=f"model:{step.costing.model}", keep=step.keep)
        return InFlight(MODEL, run.scope, call)

    async def _sent(
        self, way: Way, run: Run, flight: InFlight, step: _Step, send: Callable[[Request], Any]
    ) -> Response:
        response: Response = await pay(
            way,
            run,
            flight,
            lambda: send(step.request),
            lambda got: self._bills.cost(step.costing, flight, got.result if got else []),
        )
        return response

    async def _answer(
        self,
        way: Way,
        run: Run,
        request: Request,
        send: Callable[[Request], Any],
        refusal: BudgetExceeded,
        *,
        sent: bool,
    ) -> Response:
        """The last call, from the reserve; an answer in words alone if that is not paid, or comes to nothing.

        Raises:
            BudgetExceeded: not even the last call is paid, and nothing was done about the question yet.
        """
        findings = findings_of(request.messages)
        step = self._last(run, await way.states(run.scope), request, findings)
        if step is None:
            return _unpaid(findings, refusal, begun=sent or findings.begun)
        flight: InFlight | None = None
        try:
            flight = await self._reserved(way, run, step)
            response = await self._sent(way, run, flight, step, send)
        except BudgetExceeded as again:
            if not run.owns(again):
                raise in_graph(again) from None
            return _unpaid(findings, refusal, begun=sent or findings.begun or flight is not None)
        except BaseException as error:
            # only what the provider itself failed with may end in words alone
            provider = isinstance(error, Exception) and flight is not None and error is flight.error
            if not provider or not findings.passages:
                raise
            return _free(findings, refusal)
        return _answered(response, findings, refusal)

    # -- the shared core --------------------------------------------------------------------------------------------

    def _ordinary(self, run: Run, states: tuple[AccountState, ...], request: Request, cut_at: int | None) -> _Step:
        """The request as the budget allows it.

        Args:
            run: who pays.
            states: the accounts from the root down.
            request: what the graph asks for.
            cut_at: where a cap of ours cut the last try off; now it may write all that is left.

        Raises:
            BudgetExceeded: no tool can be called any more, or the model does not hear that; no more can be written.
        """
        own = run.own(states)
        room = Room(states, own, run.above)
        self._refuse_idle(own, request)
        changes = self._told(request, room)
        extra = self._structured.tools(request.response_format)
        system = changes.get("system_message", request.system_message)
        prompt = [system, *request.messages] if system else request.messages
        tools = [*changes.get("tools", request.tools), *extra]
        ask = self._desk.ask(request.model, prompt, tools, request.model_settings)
        least_in = self._desk.least(request.model, question_of(request.messages), extra)
        plan = self._desk.plan(room, ask, least_in, share=SHARE if cut_at is None else 1)
        if cut_at is not None and plan.cap is not None and plan.cap <= cut_at:
            raise too_short(states, cut_at)
        changes |= _capped(request, plan.cap)
        return _Step(_with(request, changes), ask.costing, plan.asked, plan.keep, plan.ours)

    def _refuse_idle(self, own: AccountState, request: Request) -> None:
        """Refuse a call that could only ask for what it cannot have."""
        refusal = None
        if self._at_end == "answer":
            tools = [_tool_name(tool) for tool in request.tools]
            refusal = used_up(own, tools) or still_barred(own, request.messages, rounds=2)
        elif self._at_end in {"stop", "ask"}:
            refusal = still_barred(own, request.messages, rounds=1)
        if refusal is not None:
            raise refusal

    def _told(self, request: Request, room: Room) -> dict[str, Any]:
        """What to change in the request: the policy goes in, the tools that have nothing left go out."""
        changes: dict[str, Any] = {}
        if self._at_end == "answer" and (empty := room.empty_tools()):
            tools = [tool for tool in request.tools if _tool_name(tool) not in empty]
            changes |= {"tools": tools} if tools else {}
        if self._tracker:
            changes["system_message"] = self._policy.after(request.system_message)
        return changes

    def _ending(self, run: Run, refusal: BudgetExceeded) -> Spend | Response | None:
        """What the chosen end does: leave the graph, a notice, a person's top-up; None for an answer."""
        if isinstance(refusal, BudgetTooSmall) or not run.owns(refusal):
            raise in_graph(refusal) from None
        leave(self._at_end, refusal)
        if self._at_end == "stop":
            return ModelResponse(result=[notice(refusal)])
        return ask_person(refusal) if self._at_end == "ask" else None

    def _last(self, run: Run, states: tuple[AccountState, ...], request: Request, findings: Findings) -> _Step | None:
        """The final call: without tools, its prompt cut to what is left, the reserve included."""
        extra = self._structured.tools(request.response_format)
        settings = {k: v for k, v in request.model_settings.items() if k not in _ONLY_WITH_TOOLS}
        least = self._desk.ask(request.model, shortest_prompt(findings.question), extra, settings)
        room = Room(states, run.own(states), run.above)
        last = self._desk.last_call(room, least, findings, request.system_message, extra)
        if last is None:
            return None
        final = {"messages": last.messages, "system_message": None, "tools": [], "tool_choice": None}
        changes = {**final, "model_settings": settings, **_capped(request, last.cap, settings)}
        return _Step(_with(request, changes), least.costing, last.asked, keep=run.above)


def _with(request: Request, changes: dict[str, Any]) -> Request:
    """What `ModelRequest.override` returns; that one suppresses nine warnings, which takes as long as a step."""
    made = object.__new__(type(request))
    vars(made).update(vars(request), **changes)
    return made


def _capped(request: Request, cap: int | None, settings: dict[str, Any] | None = None) -> dict[str, Any]:
    """The change that ends the output at ``cap``; none without one."""
    settings = request.model_settings if settings is None else settings
    return {} if cap is None else {"model_settings": {**settings, **cap_settings(request.model, cap)}}


def _tool_name(tool: Any) -> str:
    if not isinstance(tool, dict):
        return str(tool.name)
    schema = cast("dict[str, Any]", tool)
    return str(schema.get("name") or schema.get("function", {}).get("name") or schema.get("type"))


def _place(request: Request) -> str:
    """The same when the node is entered again after an interrupt, so that a top-up is applied once."""
    info = getattr(request.runtime, "execution_info", None)
    return f"model:{getattr(info, 'checkpoint_ns', '')}"


def _unpaid(findings: Findings, refusal: BudgetExceeded, *, begun: bool) -> Response:
    """A task that was begun ends in words; one that cannot be begun, and that nothing was found for, is refused."""
    if not begun and not findings.passages:
        raise in_graph(refusal) from None
    return _free(findings, refusal)


def _free(findings: Findings, refusal: BudgetExceeded) -> Response:
    """An answer that costs nothing; without anything found it says just that."""
    text = free_answer(findings, f"{refusal.resource}: {refusal.spent} of {refusal.limit} used")
    return ModelResponse(result=[AIMessage(text, response_metadata={MARK: mark("free answer", refusal)})])


def _answered(response: Response, findings: Findings, refusal: BudgetExceeded) -> Response:
    """The last answer, marked; a model that asks for tools all the same, or says nothing, is read out in words."""
    if response.structured_response is not None:
        return response
    message = next((m for m in reversed(response.result) if isinstance(m, AIMessage)), None)
    if message is None or not message.text.strip():
        return _free(findings, refusal)
    return ModelResponse(result=[_without_calls(message, refusal)])


def _without_calls(message: AIMessage, refusal: BudgetExceeded) -> AIMessage:
    """The message as an answer: no call in it, in none of the places where providers write them."""
    update: dict[str, Any] = {"response_metadata": {**message.response_metadata, MARK: mark("answer", refusal)}}
    if message.tool_calls or message.invalid_tool_calls:
        update |= {"content": message.text, "tool_calls": [], "invalid_tool_calls": [], "additional_kwargs": {}}
    return message.model_copy(update=update)
