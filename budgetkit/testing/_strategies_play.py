"""A search in memory: asks, carries out and tells, in any order, and keeps books of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Final, TypeAlias, final

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage

from budgetkit.plugins import (
    Left,
    Lost,
    Move,
    Observation,
    Option,
    Policy,
    Result,
    SearchTree,
    Strategy,
    Task,
    ToolSpec,
    View,
    read_tree,
    settled,
    think,
    write_tree,
)

from ._strategies_policy import ScriptedPolicy

__all__ = ["Order", "Play", "finds", "never", "play"]

Order: TypeAlias = Callable[[list[Move]], Iterable[Move]]
"""In which order the moves of a batch come back: ``list`` as they were asked for, ``reversed``, or any other."""

_TASK: Final = Task("Who was first?", tools=(ToolSpec("search", "Finds anything."),))
_THOUGHT: Final = {"llm_calls": 1, "output_tokens": 50, "total_tokens": 500}
"""What a thought costs, where it is limited."""
_MOST: Final = 1_000
"""Moves after which a search of these sizes is taken to have no end."""


def finds(option: Option) -> Observation:
    """A tool that finds something for every call."""
    return Observation(f"found by {option.key}")


def never(move: Move) -> bool:  # noqa: ARG001 - whichever
    """No move is lost."""
    return False


@final
class Play:
    """A search, step by step.

    Args:
        strategy: who asks.
        policy: who thinks; None: a `ScriptedPolicy` without a script.
        tool: what carries out an option.
        limits: units per resource: ``tool_calls``, ``tool:search``, ``llm_calls``, ``output_tokens``, …
        order: in which order the moves of a batch come back.
        loses: which moves never do.
        twice: whether every result is told twice, the second time as lost.
        resumes: whether the tree goes through JSON after every change, as in a run that is interrupted there.

    Attributes:
        tree: what was asked and told.
        used: units spent so far.
    """

    def __init__(
        self,
        strategy: Strategy,
        policy: Policy | None = None,
        *,
        tool: Callable[[Option], Observation] = finds,
        limits: Mapping[str, int] | None = None,
        order: Order = list,
        loses: Callable[[Move], bool] = never,
        twice: bool = False,
        resumes: bool = False,
    ) -> None:
        self.limits = dict(limits or {})
        self.strategy = settled(strategy, Left(self.limits, self.limits))
        self.policy: Policy = policy or ScriptedPolicy()
        self.tree = SearchTree(_TASK.question, self.strategy.name, self.strategy.valuation)
        self.used: Counter[str] = Counter()
        self._tool, self._order, self._loses, self._twice, self._resumes = tool, order, loses, twice, resumes

    @property
    def left(self) -> Left:
        """What is left; calls under way are taken off."""
        return Left({name: max(0, cap - self.used[name]) for name, cap in self.limits.items()}, self.limits)

    @property
    def answer(self) -> str:
        """What it ended with.

        Raises:
            AssertionError: it has not ended.
        """
        if self.tree.finished is None:
            raise AssertionError(f"{self} has not ended")
        return self.tree.finished.answer

    def ask(self, n: int = 1) -> list[Move]:
        """Ask for moves, and mark those that are new; calls are charged here, as whoever sends them does."""
        fresh = self.tree.mark(self.strategy.ask(self.tree, self.left, n))
        for move in fresh:
            if move.kind == "act":
                self.used.update({"tool_calls": 1, f"tool:{self._option(move).tool}": 1})
        self._interrupted()
        return [move for move in fresh if move.kind != "finish"]

    def step(self, n: int = 1) -> bool:
        """Ask once, carry it all out, tell it; False at the end.

        Raises:
            AssertionError: nothing is under way, and still it asks for nothing.
        """
        if self.tree.finished:
            return False
        moves = self.ask(n)
        if not moves and not self.tree.finished:
            raise AssertionError(f"{self} asks for nothing new, although nothing is under way and it has not finished")
        results = {move.id: self.carry_out(move) for move in moves}
        for move in self._order(moves):
            self.tell(move, results[move.id])
        return self.tree.finished is None

    def run(self, n: int = 1, *, most: int = _MOST) -> Play:
        """Go on to the end.

        Raises:
            AssertionError: it has none.
        """
        while self.step(n):
            if len(self.tree.moves) > most:
                raise AssertionError(f"{self} has not ended after {len(self.tree.moves)} moves")
        return self

    def carry_out(self, move: Move) -> Result:
        """What a move comes to."""
        if self._loses(move):
            return Lost("on purpose")
        if move.kind == "act":
            return self._tool(self._option(move))
        if empty := [name for name in _THOUGHT if self.left.get(name) == 0]:
            return Lost(f"{empty[0]} is exhausted")
        self.used.update(_THOUGHT)
        return at_once(think(move, self._view(move), self.policy, _free))

    def tell(self, move: Move, result: Result) -> None:
        """Tell a result."""
        self.tree.tell(move.id, result)
        if self._twice:
            self.tree.lose(move.id, "told again")
        self._interrupted()

    def lose_all(self) -> None:
        """Lose all that is under way."""
        for move in list(self.tree.pending):
            self.tree.lose(move, "it never came back")

    def log(self) -> dict[str, Any]:
        """The tree as JSON data."""
        data: dict[str, Any] = json.loads(json.dumps(write_tree(self.tree, "play")))
        return data

    def again(self) -> Play:
        """The same search at the same place, to go on with in another way."""
        other = Play(self.strategy, self.policy, tool=self._tool, limits=self.limits)
        other.tree, other.used = read_tree(self.log()), Counter(self.used)
        return other

    def __str__(self) -> str:
        policy = type(self.policy).__name__
        return f"{self.strategy.name}, with {policy} and {self.limits or 'no limits'}"

    def _interrupted(self) -> None:
        if self._resumes:
            self.tree = read_tree(self.log())

    def _option(self, move: Move) -> Option:
        return self.tree.nodes[move.parent].options[move.option]

    def _view(self, move: Move) -> View:
        status = "left: " + ", ".join(f"{name} {n}" for name, n in self.left.items()) if self.strategy.tracker else ""
        node = self.tree.nodes[move.node]
        return View(_TASK, self.tree, node, self.left, move.mode, status, self.strategy.newest_only)


def play(
    strategy: Strategy,
    policy: Policy | None = None,
    tool: Callable[[Option], Observation] = finds,
    limits: Mapping[str, int] | None = None,
    *,
    order: Order = list,
    batch: int = 1,
    **how: Any,
) -> Play:
    """Play a search to its end; see `Play`.

    Args:
        strategy: who asks.
        policy: who thinks.
        tool: what carries out an option.
        limits: units per resource.
        order: in which order the moves of a batch come back.
        batch: how many moves are asked for at once.
        how: as for `Play`.

    Raises:
        AssertionError: it has no end.
    """
    return Play(strategy, policy, tool=tool, limits=limits, order=order, **how).run(batch)


def at_once(thought: Coroutine[Any, Any, Result]) -> Result:
    """Carry out a coroutine that waits for nothing."""
    try:
        thought.send(None)
    except StopIteration as done:
        result: Result = done.value
        return result
    finally:
        thought.close()
    raise AssertionError("a policy waited for something: in a search in memory there is nothing to wait for")


async def _free(model: BaseChatModel, messages: Any, **_: Any) -> list[AIMessage]:  # noqa: ARG001 - as `Pay` is called
    raise AssertionError(f"{model!r} was called: a search in memory has no model to pay for")
