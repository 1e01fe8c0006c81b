"""Pays for the thoughts of a search: reserve, clamp, call, settle."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast, final

from langchain_core.messages import AIMessage
from langchain_core.runnables.config import ensure_config

from budgetkit import BudgetExceeded

from .._cut import too_short
from .._desk import Plan
from .._in_flight import MODEL, InFlight, outer_call
from .._model_info import cap_settings
from .._paying import pay, take_over
from .._room import Room
from .._told import Told
from .._ways import AWAITING
from .._wrap_up import shortest_prompt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGeneration, LLMResult

    from .._desk import Desk
    from .._runs import Run
    from .._ways import Way
    from .._wrap_up import Findings

__all__ = ["Till"]

_LEAST: Final = 2
"""A thought that may write less than one part in so many of its cap is refused: cut JSON is paid for and no use."""
_HIDDEN: Final = "nostream"
"""LangGraph streams no tokens of calls with this tag: thoughts are not the answer."""


@final
class Till:
    """Pays for one search, on one budget; what is kept for the answer stays untouched until `last` is asked.

    Args:
        way: sync or async.
        run: who pays.
        desk: counts, prices and keeps.
        question: what the search is about: the shortest answer to it is always kept aside.
    """

    def __init__(self, way: Way, run: Run, desk: Desk, question: str) -> None:
        self._way = way
        self._run = run
        self._desk = desk
        self._question = question
        self._told = Told()

    async def __call__(
        self,
        model: BaseChatModel,
        messages: Sequence[BaseMessage],
        *,
        cap: int,
        n: int = 1,
        settings: Mapping[str, Any] | None = None,
    ) -> list[AIMessage]:
        """See `Pay`: what is kept for the answer is left alone."""
        wanted = {**(settings or {}), **cap_settings(model, cap)}
        if n == 1 or "n" in type(model).model_fields:
            return await self._ordinary(model, messages, cap, {**wanted, "n": n} if n > 1 else wanted)
        return await self._one_by_one(model, messages, cap, n, wanted)

    async def from_reserve(
        self,
        model: BaseChatModel,
        messages: Sequence[BaseMessage],
        *,
        cap: int,
        n: int = 1,  # noqa: ARG002 - an answer is one
        settings: Mapping[str, Any] | None = None,
    ) -> list[AIMessage]:
        """See `Pay`: what was kept for the answer may be used, for one call."""
        wanted = {**(settings or {}), **cap_settings(model, cap)}
        room = await self._room()
        plan = self._desk.whole(room, self._desk.ask(model, messages, (), wanted))
        return await self._sent(model, messages, plan, wanted, hidden=True)

    async def last(self, model: BaseChatModel, findings: Findings) -> AIMessage | None:
        """The final call, its prompt cut to what is left; None if not even the shortest is paid."""
        room = await self._room()
        least = self._desk.ask(model, shortest_prompt(findings.question), (), {})
        call = self._desk.last_call(room, least, findings, None, ())
        if call is None:
            return None
        plan = Plan(call.asked, room.above, call.cap, None)
        answers = await self._sent(model, call.messages, plan, {}, hidden=False)
        return answers[0] if answers else None

    # -- the shared core --------------------------------------------------------------------------------------------

    async def _room(self) -> Room:
        states = await self._way.states(self._run.scope)
        return Room(states, self._run.own(states), self._run.above)

    async def _one_by_one(
        self, model: BaseChatModel, messages: Sequence[BaseMessage], cap: int, n: int, settings: Mapping[str, Any]
    ) -> list[AIMessage]:
        """As many calls as answers are wanted; those that the budget still pays for, and at least one."""
        made: list[AIMessage] = []
        if self._way is AWAITING:
            calls = [self._ordinary(model, messages, cap, settings) for _ in range(n)]
            results = await asyncio.gather(*calls, return_exceptions=True)
            made = [message for result in results if isinstance(result, list) for message in result]
            failed = next((result for result in results if isinstance(result, BaseException)), None)
            if failed is not None and not (made and isinstance(failed, BudgetExceeded)):
                raise failed
            return made
        for _ in range(n):
            try:
                made += await self._ordinary(model, messages, cap, settings)
            except BudgetExceeded:
                if not made:
                    raise
                break
        return made

    async def _ordinary(
        self, model: BaseChatModel, messages: Sequence[BaseMessage], cap: int, settings: Mapping[str, Any]
    ) -> list[AIMessage]:
        states = await self._way.states(self._run.scope)
        room = Room(states, self._run.own(states), self._run.above)
        ask = self._desk.ask(model, messages, (), settings)
        plan = self._desk.plan(room, ask, self._desk.least(model, self._question, ()))
        if plan.cap is not None and plan.cap * _LEAST < cap:
            raise too_short(states, plan.cap)
        return await self._sent(model, messages, plan, settings, hidden=True)

    async def _sent(
        self,
        model: BaseChatModel,
        messages: Sequence[BaseMessage],
        plan: Plan,
        settings: Mapping[str, Any],
        *,
        hidden: bool,
    ) -> list[AIMessage]:
        costing = self._desk.costing(model)
        await take_over(self._way, outer_call(MODEL))
        call = await self._run.reserve(self._way, plan.asked, label=f"model:{costing.model}", keep=plan.keep)
        flight = InFlight(MODEL, self._run.scope, call)
        sent = {**settings, **({} if plan.cap is None else cap_settings(model, plan.cap))}
        result: LLMResult = await pay(
            self._way,
            self._run,
            flight,
            lambda: self._generate(model, list(messages), sent, hidden=hidden),
            lambda got: self._told.cost(costing, flight, _messages(got)),
        )
        return _messages(result)

    def _generate(
        self, model: BaseChatModel, messages: list[BaseMessage], settings: dict[str, Any], *, hidden: bool
    ) -> Any:
        """One request; LangChain's own context brings callbacks, tags and metadata along."""
        config = ensure_config()
        tags = [*(config.get("tags") or ()), *((_HIDDEN,) if hidden else ())]
        about: dict[str, Any] = {"callbacks": config.get("callbacks"), "tags": tags, "metadata": config.get("metadata")}
        ask = model.agenerate if self._way is AWAITING else model.generate
        return cast("Any", ask)([messages], **about, **settings)


def _messages(result: LLMResult | None) -> list[AIMessage]:
    """The answers of one request."""
    found = cast("list[ChatGeneration]", result.generations[0]) if result and result.generations else []
    return [generation.message for generation in found if isinstance(generation.message, AIMessage)]
