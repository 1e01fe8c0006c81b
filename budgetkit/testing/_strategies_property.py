"""`StrategyProperty`: one thing that every strategy does, as a sentence and as a check."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final, TypeAlias

from budgetkit.plugins import Left, SearchTree, Strategy

from ._strategies_broken import BROKEN_POLICIES
from ._strategies_play import Play
from ._strategies_policy import ScriptedPolicy

__all__ = [
    "BATCHES", "CALLS", "MakeStrategy", "StrategyProperty", "at_every_ask", "expect", "holds", "same", "situations",
]  # fmt: skip

MakeStrategy: TypeAlias = Callable[[], Strategy]
"""Makes a strategy, always the same; a class whose settings all have defaults is one."""

CALLS: Final = (0, 1, 2, 5, 20)
"""Tool calls."""
BATCHES: Final = (1, 4)
"""Moves at once."""
_LONG_ENOUGH: Final = 60
"""Moves after which a search shows nothing new; that it ends is another property's concern."""


@dataclass(frozen=True, slots=True)
class StrategyProperty:
    """One thing that every strategy does.

    Attributes:
        group: the concern (``asking``, ``telling``, ``ending``).
        sentence: what holds.
        run: the check itself, on a strategy.
    """

    group: str
    sentence: str
    run: Callable[[MakeStrategy], None]

    @property
    def name(self) -> str:
        """Short and stable, such as ``asking_changes_nothing``."""
        return self.run.__name__

    def check(self, make: MakeStrategy) -> None:
        """Check it.

        Raises:
            AssertionError: it does not hold; the message says with whom it was played, what was found and expected.
        """
        try:
            self.run(make)
        except AssertionError as broken:
            broken.add_note(f"This breaks {self}")
            raise

    def __str__(self) -> str:
        return f"{self.group}: {self.sentence}"


def holds(group: str, sentence: str) -> Callable[[Callable[[MakeStrategy], None]], StrategyProperty]:
    """Make a property of a check."""
    return lambda run: StrategyProperty(group, sentence, run)


def expect(told: bool, what: str) -> None:
    """Say what was found if it is not as it should be."""
    if not told:
        raise AssertionError(what)


def same(what: str, first: object, second: object) -> None:
    """Say what two things are if they are not the same."""
    if first != second:
        raise AssertionError(f"{what}: {first}\nand {second}")


def situations(make: MakeStrategy) -> Iterator[tuple[Play, int]]:
    """Searches at their beginning, and how many moves to ask for at once: good and bad models, few and many calls."""
    policies: tuple[type[ScriptedPolicy], ...] = (ScriptedPolicy, *BROKEN_POLICIES)
    for policy, calls, batch in product(policies, CALLS, BATCHES):
        yield Play(make(), policy(), limits={"tool_calls": calls}), batch
    for batch in BATCHES:
        yield Play(make(), limits={"tool:search": 6, "tool_calls": 9, "output_tokens": 900}), batch


def at_every_ask(make: MakeStrategy, check: Callable[[Strategy, SearchTree, Left, int], None]) -> None:
    """Check something at every point of many searches where a strategy is asked."""
    for run, batch in situations(make):
        going = True
        while going and len(run.tree.moves) < _LONG_ENOUGH:
            check(run.strategy, run.tree, run.left, batch)
            going = run.step(batch)
