"""How a strategy takes what it is told: in any order, late, never, twice, or after an interruption."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from budgetkit.plugins import Left, Move, SearchTree, Strategy

from ._strategies_play import Order, Play
from ._strategies_policy import ScriptedPolicy
from ._strategies_property import BATCHES, MakeStrategy, expect, holds, same, situations

_KINDS = ("plan", "propose", "act", "appraise", "verify", "answer")


@holds("telling", "in whatever order the results of a batch come back, the same is found")
def any_order_finds_the_same(make: MakeStrategy) -> None:
    for calls in (2, 5, 20):
        found = [_found(_played(make, calls, order)) for order in (list, reversed, _shuffled)]
        same(f"{make().name} with {calls} tool calls, moves told as asked and backwards", found[0], found[1])
        same(f"{make().name} with {calls} tool calls, moves told as asked and shuffled", found[0], found[2])


@holds("telling", "telling a result twice is telling it once")
def twice_is_once(make: MakeStrategy) -> None:
    for calls in (0, 2, 5, 20):
        once, twice = (Play(make(), limits={"tool_calls": calls}, twice=twice).run(4) for twice in (False, True))
        same(f"{once}, told once and told twice", once.log(), twice.log())


@holds("telling", "interrupted at every step and read back from JSON it does as it would have done")
def interruptions_change_nothing(make: MakeStrategy) -> None:
    for calls in (0, 2, 5, 9):
        for batch in BATCHES:
            limits = {"tool_calls": calls}
            whole = Play(make(), limits=limits).run(batch)
            parts = Play(_Anew(make, limits), limits=limits, resumes=True).run(batch)
            same(f"{whole}, uninterrupted and interrupted", whole.log(), parts.log())


@holds("telling", "moves of one kind that never come back are no reason not to end")
def what_is_lost_is_no_end(make: MakeStrategy) -> None:
    for kind in _KINDS:
        for calls in (1, 5):
            Play(make(), limits={"tool_calls": calls}, loses=_of_kind(kind)).run(2)


@holds("telling", "when nothing comes back any more it ends, with an answer if one was given")
def a_breakdown_is_an_end(make: MakeStrategy) -> None:
    for run, batch in situations(make):
        for _ in range(12):
            broken = run.again()
            broken.limits = {**run.limits, "tool_calls": 0, "llm_calls": 0}
            broken.run(batch)
            expect(bool(broken.answer or not broken.tree.answers), f"{run} loses its answers when all else is lost")
            if not run.step(batch):
                break


@holds("telling", "every second move that is lost is no reason not to end")
def half_of_it_is_enough(make: MakeStrategy) -> None:
    for calls in (1, 5, 20):
        for seed in range(4):
            chance = random.Random(seed)
            Play(make(), limits={"tool_calls": calls}, loses=_now_and_then(chance)).run(3)


class _Anew:
    """A strategy that is made anew whenever it is asked, as after an interruption."""

    def __init__(self, make: MakeStrategy, limits: dict[str, int]) -> None:
        self._make, self._limits = make, limits
        made = self._made()
        self.name, self.valuation = made.name, made.valuation
        self.tracker, self.newest_only = made.tracker, made.newest_only

    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        """See `Strategy.ask`."""
        return self._made().ask(tree, left, n)

    def _made(self) -> Strategy:
        return Play(self._make(), limits=self._limits).strategy


def _played(make: MakeStrategy, calls: int, order: Order) -> Play:
    return Play(make(), ScriptedPolicy(), limits={"tool_calls": calls}, order=order).run(4)


def _found(run: Play) -> dict[str, Any]:
    """What was told, whatever came first."""
    told: dict[str, Any] = run.log()["told"]
    return {key: told[key] for key in sorted(told) if key != "finish"}


def _shuffled(moves: list[Move]) -> Iterable[Move]:
    return random.Random(len(moves)).sample(moves, len(moves))


def _of_kind(kind: str) -> Callable[[Move], bool]:
    return lambda move: move.kind == kind


def _now_and_then(chance: random.Random) -> Callable[[Move], bool]:
    return lambda _: chance.random() < 0.5  # noqa: PLR2004 - one in two
