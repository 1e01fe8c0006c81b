"""What a model call may cost: the pure arithmetic between a prompt, a budget and a request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, SystemMessage

from budgetkit import AccountState, Budget, BudgetTooSmall, Spend

from ._costing import Costing
from ._in_flight import Money
from ._model_info import cap_of, most_output, name_of, provider_of
from ._prompt import Schemas, plain
from ._wrap_up import Findings, final_prompt

__all__ = ["Ask", "Desk", "LastCall", "Plan", "Room"]

_FLOOR: Final = 16
_OVERHEAD: Final = 96
_MOST: Final = 4096
_SHARE: Final = 4
_TIME_SHARE: Final = 10
_MOST_TIME: Final = 30_000
_NO_KEEP: Final = Spend()


@dataclass(frozen=True, slots=True)
class Ask:
    """A model call as the graph wants it."""

    costing: Costing
    tokens_in: int
    cap: int | None
    most: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The same call as the budget allows it: what to set aside, what to keep, and where the output ends."""

    asked: Spend
    keep: Spend | None
    cap: int | None


@dataclass(frozen=True, slots=True)
class LastCall:
    """The final call: its prompt and its price."""

    messages: list[BaseMessage]
    asked: Spend
    cap: int


class Room:
    """The least that is left over a chain of accounts, net of what ancestors keep for their own answers."""

    def __init__(self, states: tuple[AccountState, ...]) -> None:
        self.own = states[-1]
        self._left: dict[str, int] = {}
        for state in states:
            for name in state.limits:
                kept = 0 if state is self.own else state.kept.in_units(name)
                left = max(0, (state.left(name) or 0) - kept)
                self._left[name] = min(left, self._left.get(name, left))

    def __getitem__(self, name: str) -> int | None:
        return self._left.get(name)

    def less(self, keep: Spend) -> dict[str, int]:
        """What is left once ``keep`` is set aside."""
        return {name: max(0, left - keep.in_units(name)) for name, left in self._left.items()}

    def empty_tools(self) -> set[str]:
        """Names of tools that have no call left; "*" if none may be called at all."""
        empty = {name.removeprefix("tool:") for name, left in self._left.items() if name.startswith("tool:") and not left}
        return empty | ({"*"} if self._left.get("tool_calls") == 0 else set())


class Desk:
    """Plans model calls for one budget.

    Args:
        budget: its answer reserve, where the user set one, goes before what is worked out here.
        money: prices and counter.
        answer_tokens: output tokens that the final answer should have.
        keeps: whether anything is kept for a final answer.
    """

    def __init__(self, budget: Budget, money: Money, *, answer_tokens: int, keeps: bool) -> None:
        self.money = money
        self._given = budget.answer_reserve
        self._limits = frozenset(budget.limits_in_units)
        self._answer_tokens = answer_tokens
        self._keeps = keeps
        self._schemas = Schemas()

    def ask(
        self, model: BaseChatModel, messages: Sequence[BaseMessage], tools: Sequence[Any], settings: dict[str, Any]
    ) -> Ask:
        """Count a call's prompt and find its price."""
        name = name_of(model)
        costing = Costing(name, provider_of(model), self.money)
        if "usd" in self._limits:
            costing.require_price()
        counted = self.money.counter.count(plain(messages), tools=self._schemas.of(tools), model=name)
        return Ask(costing, counted.tokens, cap_of(model, settings), most_output(model) or _MOST)

    def plan(self, states: tuple[AccountState, ...], ask: Ask, least_in: int) -> Plan:
        """What to set aside for an ordinary call; the ledger is the judge of whether it fits.

        Args:
            states: the accounts from the root down.
            ask: the call.
            least_in: tokens of the shortest final prompt.

        Raises:
            BudgetTooSmall: nothing was spent yet, and not even one answer can be paid.
        """
        room = Room(states)
        keep = self._keep(room, ask, least_in) if self._keeps else None
        if keep is not None:
            self._refuse_too_small(room, ask, least_in)
        left = room.less(keep or _NO_KEEP)
        return Plan(ask.costing.asked(ask.tokens_in, cap := _cap(left, ask)), keep, cap)

    def _keep(self, room: Room, ask: Ask, least_in: int) -> Spend:
        """The final call's own worst case, which grows with the conversation.

        At most half of what is left is kept beyond the shortest final call: findings can be cut to fit.
        """
        full_in, out, worst = ask.tokens_in + _OVERHEAD, self._answer_tokens, ask.costing.worst
        keep = {
            "llm_calls": 1,
            "input_tokens": _half(full_in, room["input_tokens"], least_in),
            "output_tokens": _half(out, room["output_tokens"], _FLOOR),
            "total_tokens": _half(full_in + out, room["total_tokens"], least_in + _FLOOR),
            "usd": _half(worst(full_in, out), room["usd"], worst(least_in, _FLOOR)),
        }
        if (seconds := room.own.limits.get("seconds")) is not None:
            keep["seconds"] = min(seconds // _TIME_SHARE, _MOST_TIME)
        given = self._given.as_units() if self._given is not None else {}
        return Spend.from_units({name: given.get(name, n) for name, n in keep.items() if name in self._limits})

    def _refuse_too_small(self, room: Room, ask: Ask, least_in: int) -> None:
        if room.own.spent.in_units("llm_calls") or room.own.reserved:
            return
        least = ask.costing.asked(least_in, min(_FLOOR, ask.cap or _FLOOR))
        for name, need in least.as_units().items():
            limit = room.own.limits.get(name)
            if limit is not None and need > limit:
                raise BudgetTooSmall(
                    resource=name,
                    account=room.own.account,
                    limit=limit,
                    spent=room.own.spent.in_units(name),
                    reserved=0,
                    asked=need,
                )

    def least_in(self, model: BaseChatModel, findings: Findings) -> int:
        """Tokens of the shortest final prompt: the instruction and the question."""
        shortest = final_prompt(replace(findings, entries=()), None, lambda _: True) or []
        return self.money.counter.count(plain(shortest), model=name_of(model)).tokens

    def last_call(
        self,
        states: tuple[AccountState, ...],
        model: BaseChatModel,
        findings: Findings,
        system: SystemMessage | None,
        cap: int | None,
    ) -> LastCall | None:
        """The final call, as large as what is left pays for; None if not even the shortest is paid."""
        costing = Costing(name_of(model), provider_of(model), self.money)
        left = Room(states).less(_NO_KEEP)
        least_in = self.least_in(model, findings)
        ask = Ask(costing, least_in, min(self._answer_tokens, cap or self._answer_tokens), self._answer_tokens)
        out = _cap(left, ask)
        if out is None or out < min(_FLOOR, ask.cap or _FLOOR) or left.get("llm_calls", 1) < 1:
            return None
        count = self._counter(name_of(model))
        prompt = final_prompt(findings, system, lambda messages: _fits(left, costing, count(messages), out))
        return None if prompt is None else LastCall(prompt, costing.asked(count(prompt), out), out)

    def _counter(self, model: str) -> Callable[[Sequence[BaseMessage]], int]:
        return lambda messages: self.money.counter.count(plain(messages), model=model).tokens


def _cap(left: dict[str, int], ask: Ask) -> int | None:
    """Where the output ends: the user's own cap or a quarter of what is left, lowered to what fits; None if unlimited.

    Never below a floor: a call that could say nothing is refused by the ledger instead.
    """
    rooms = [left[name] - spent for name, spent in (("output_tokens", 0), ("total_tokens", ask.tokens_in)) if name in left]
    if not rooms and "usd" not in left:
        return ask.cap
    room = max(0, min(rooms, default=ask.most))
    if "usd" in left:
        room = max(0, ask.costing.most_output(left["usd"], ask.tokens_in, min(room, ask.most)))
    wanted = ask.cap or min(ask.most, max(room // _SHARE, 512))
    return max(min(wanted, room), min(_FLOOR, wanted))


def _half(wanted: int, left: int | None, least: int) -> int:
    return wanted if left is None else min(wanted, max(least, left // 2))


def _fits(left: dict[str, int], costing: Costing, tokens_in: int, tokens_out: int) -> bool:
    asked = costing.asked(tokens_in, tokens_out).as_units()
    return all(n <= left.get(name, n) for name, n in asked.items())
