"""What a model call may cost: the pure arithmetic between a prompt, a budget and a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from budgetkit import BudgetTooSmall, Spend

from ._costing import Costing
from ._model_info import cap_of, choices_of, most_output, name_of, provider_of
from ._prompt_counts import PromptCounts
from ._room import Room
from ._wrap_up import Findings, final_prompt, shortest_prompt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage, SystemMessage

    from budgetkit import Budget

    from ._in_flight import Money

__all__ = ["SHARE", "Ask", "Desk", "LastCall", "Plan"]

_FLOOR: Final = 16
"""Output tokens below which a call is refused rather than clamped."""
_OVERHEAD: Final = 96
"""Input tokens that the final prompt may need beyond the conversation: its instruction and headings."""
_MOST: Final = 4096
"""Output tokens that a model may write, if it does not say itself."""
SHARE: Final = 4
"""A call without a cap of its own may write one part in so many of what is left."""
_LEAST_SHARE: Final = 512
"""... but at least so many tokens, where there are so many."""
_KEPT_SHARE: Final = 4
"""At most one part in so many of what is left is kept for the answer, unless even the shortest one needs more."""
_QUESTIONS_KEPT: Final = 256
_TIME_SHARE: Final = 10
_MOST_TIME: Final = 30_000
"""Of the time one part in so many is kept for the answer, at most so many milliseconds."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A model call as the graph wants it.

    Attributes:
        costing: the model at its price.
        tokens_in: the counted prompt.
        cap: output tokens, if the user set a cap.
        most: output tokens that the model may write at most.
        choices: how many answers the call asks for; cap and most hold for each of them.
    """

    costing: Costing
    tokens_in: int
    cap: int | None
    most: int
    choices: int = 1

    def asked(self, tokens_in: int, cap: int | None) -> Spend:
        """The worst case of this call with such a prompt and such a cap."""
        return self.costing.asked(tokens_in, None if cap is None else cap * self.choices)


@dataclass(frozen=True, slots=True)
class Plan:
    """The same call as the budget allows it.

    Attributes:
        asked: what to set aside.
        keep: what to keep for the answer; None leaves what is kept as it is.
        cap: where the output ends.
        ours: the same, if it is not the user's own cap.
    """

    asked: Spend
    keep: Spend | None
    cap: int | None
    ours: int | None


@dataclass(frozen=True, slots=True)
class LastCall:
    """The final call: its prompt, its price, and where its output ends."""

    messages: list[BaseMessage]
    asked: Spend
    cap: int | None


class Desk:
    """Plans model calls for one budget.

    Args:
        budget: its answer reserve, where the user set one, goes before what is worked out here.
        money: prices and counter.
        answer_tokens: output tokens that the final answer should have.
        keeps: whether anything is kept for a final answer.
    """

    def __init__(self, budget: Budget, money: Money, *, answer_tokens: int, keeps: bool) -> None:
        self._money = money
        self._given = budget.answer_reserve.as_units() if budget.answer_reserve else {}
        self._limits = frozenset(budget.limits_in_units)
        self._answer_tokens = answer_tokens
        self._keeps = keeps
        self._counts = PromptCounts(money.counter)
        self._least: dict[tuple[str, str, int], int] = {}

    def costing(self, model: BaseChatModel) -> Costing:
        """The model at its price.

        Raises:
            PriceUnknown: it has none, and dollars are limited.
        """
        costing = Costing(name_of(model), provider_of(model), self._money)
        if "usd" in self._limits:
            costing.require_price()
        return costing

    def ask(
        self,
        model: BaseChatModel,
        messages: Sequence[BaseMessage],
        tools: Sequence[Any],
        settings: Mapping[str, Any],
    ) -> Ask:
        """Count a call's prompt and find its price."""
        costing = self.costing(model)
        tokens_in = self._counts.of(costing.model, messages, tools)
        most, choices = most_output(model) or _MOST, choices_of(model, settings)
        return Ask(costing, tokens_in, cap_of(model, settings), most, choices)

    def least(self, model: BaseChatModel, question: str, tools: Sequence[Any]) -> int:
        """Tokens of the shortest final prompt: the instruction and the question."""
        key = name_of(model), question, id(tools) if tools else 0
        if key not in self._least:
            if len(self._least) >= _QUESTIONS_KEPT:
                self._least.clear()
            self._least[key] = self._counts.of(key[0], shortest_prompt(question), tools)
        return self._least[key]

    def plan(self, room: Room, ask: Ask, least_in: int, *, share: int = SHARE) -> Plan:
        """What to set aside for an ordinary call; the ledger is the judge of whether it fits.

        Args:
            room: what is left.
            ask: the call.
            least_in: tokens of the shortest final prompt.
            share: a call without a cap of its own may write one part in so many of what is left.

        Raises:
            BudgetTooSmall: nothing was spent yet, and not even one answer can be paid.
        """
        _refuse_too_small(room, ask, least_in)
        keep = self._keep(room, ask, least_in) if self._keeps else Spend()
        cap = _cap(room.less(keep), ask, share)
        ours = cap if ask.cap is None or (cap or 0) < ask.cap else None
        return Plan(ask.asked(ask.tokens_in, cap), _both(room.above, keep) if self._keeps else None, cap, ours)

    def _keep(self, room: Room, ask: Ask, least_in: int) -> Spend:
        """The final call's own worst case, which grows with the conversation.

        At most a quarter of what is left is kept beyond the shortest final call: findings can be cut to fit.
        """
        full_in, out = ask.tokens_in + _OVERHEAD, self._answer_tokens * ask.choices
        worst = ask.costing.worst if "usd" in self._limits else _free
        keep = {
            "llm_calls": 1,
            "input_tokens": _part(full_in, room["input_tokens"], least_in),
            "output_tokens": _part(out, room["output_tokens"], _FLOOR),
            "total_tokens": _part(full_in + out, room["total_tokens"], least_in + _FLOOR),
            "usd": _part(worst(full_in, out), room["usd"], worst(least_in, _FLOOR)),
            "seconds": min(room.own.limits.get("seconds", 0) // _TIME_SHARE, _MOST_TIME),
        } | self._given
        return Spend.from_units({name: n for name, n in keep.items() if name in self._limits})

    def whole(self, room: Room, ask: Ask) -> Plan:
        """What to set aside for a final call as it stands: what was kept for it may be used."""
        cap = _cap(room.less(Spend()), ask)
        return Plan(ask.asked(ask.tokens_in, cap), room.above, cap, None)

    def last_call(
        self, room: Room, ask: Ask, findings: Findings, system: SystemMessage | None, tools: Sequence[Any]
    ) -> LastCall | None:
        """The final call, as large as what is left pays for; None if not even the shortest is paid.

        Args:
            room: what is left, the answer reserve included.
            ask: the shortest final call.
            findings: what to answer from.
            system: the user's own system prompt, kept if it fits.
            tools: schemas that are sent along all the same, as for structured output.
        """
        left = room.less(Spend())
        made = [self._last(left, ask, findings, system, tools, out) for out in self._last_caps(_cap(left, ask))]
        return max(made, key=_length, default=None)

    def _last_caps(self, most: int | None) -> list[int | None]:
        """Where the answer may end, the longest first: what it does not get is left for findings."""
        if most is None:
            return [None]
        return list(dict.fromkeys((most, min(most, self._answer_tokens), min(most, self._answer_tokens // SHARE))))

    def _last(
        self,
        left: Mapping[str, int],
        ask: Ask,
        findings: Findings,
        system: SystemMessage | None,
        tools: Sequence[Any],
        out: int | None,
    ) -> LastCall | None:
        def asked(messages: list[BaseMessage]) -> Spend:
            return ask.asked(self._counts.of(ask.costing.model, messages, tools), out)

        prompt = final_prompt(findings, system, lambda messages: _fits(left, asked(messages)))
        return None if prompt is None else LastCall(prompt, asked(prompt), out)


def _length(call: LastCall | None) -> int:
    """How much the final prompt says; the first of the longest is taken, so that the answer may be long as well."""
    return -1 if call is None else sum(len(message.text) for message in call.messages)


def _refuse_too_small(room: Room, ask: Ask, least_in: int) -> None:
    """Say before anything is spent that not even one answer can be paid."""
    own = room.own
    if own.spent.in_units("llm_calls") or own.reserved or room.above:
        return
    least = ask.asked(least_in, min(_FLOOR, ask.cap or _FLOOR))
    for name, need in least.as_units().items():
        limit = own.limits.get(name, need)
        if need > limit:
            spent = own.spent.in_units(name)
            raise BudgetTooSmall(resource=name, account=own.account, limit=limit, spent=spent, reserved=0, asked=need)


def _both(above: Spend, keep: Spend) -> Spend:
    return above + keep if above else keep


def _cap(left: Mapping[str, int], ask: Ask, share: int = SHARE) -> int | None:
    """Where the output ends: the user's own cap or a share of what is left, lowered to what fits; None if unlimited.

    Never below a floor: a call that could say nothing is refused by the ledger instead.
    """
    spent = {"output_tokens": 0, "total_tokens": ask.tokens_in}
    rooms = [left[name] - n for name, n in spent.items() if name in left]
    if not rooms and "usd" not in left:
        return ask.cap
    most = ask.most * ask.choices
    room = max(0, min(rooms, default=most))
    if "usd" in left:
        room = max(0, ask.costing.most_output(left["usd"], ask.tokens_in, min(room, most)))
    room //= ask.choices
    wanted = ask.cap or min(ask.most, max(room // share, _LEAST_SHARE))
    return max(min(wanted, room), min(_FLOOR, wanted))


def _free(_tokens_in: int, _tokens_out: int) -> int:
    """The price where nobody counts dollars."""
    return 0


def _part(wanted: int, left: int | None, least: int) -> int:
    return wanted if left is None else min(wanted, max(least, left // _KEPT_SHARE))


def _fits(left: Mapping[str, int], asked: Spend) -> bool:
    return all(n <= left.get(name, n) for name, n in asked.as_units().items())
