"""Which strategy for which budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ._bats import Bats
from ._node_of import Valuation
from ._voi import Voi

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._left import Left
    from ._moves import Move
    from ._strategy import Strategy
    from ._tree import SearchTree

__all__ = ["Auto", "settled"]


def _needs() -> dict[str, int]:
    return {"llm_calls": 2, "output_tokens": 400, "input_tokens": 4_000, "total_tokens": 4_000}


def _by_size() -> tuple[tuple[int | None, Strategy], ...]:
    return (20, Voi(stops=False)), (None, Bats())


@dataclass(frozen=True, slots=True, kw_only=True)
class Auto:
    """The strategy that suits the size of the budget: its limits, not what is left of them.

    Whoever runs a search settles it, with `settled` and the limits at the start: how nodes are valued and what the
    model is shown are the chosen strategy's. Asked directly, it hands the question on to its choice.

    Attributes:
        choices: up to how many tool calls, and which strategy; the last has None, for any number above. The default is
            what was measured with words alone (docs/planners.md): up to 20 calls nothing was better than VOI order that
            does not stop early. The papers' own evidence, each with a model, is VOI for 1 to 3 calls, BAVT for 5 to 20
            and BATS beyond: ``((3, Voi()), (20, Bavt()), (None, Bats()))``.
        per_call: where nothing limits the tool calls, how much of another limit one of them is taken to need, the
            thoughts about it included (design; 400 output tokens for a call are the tiers of arXiv 2603.12634).
    """

    choices: tuple[tuple[int | None, Strategy], ...] = field(default_factory=_by_size)
    per_call: Mapping[str, int] = field(default_factory=_needs)
    name: str = field(default="auto", init=False)
    valuation: Valuation = field(default=Valuation(), init=False)
    tracker: bool = field(default=False, init=False)
    newest_only: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Refuse a table that leaves a budget out."""
        bounds = [upto for upto, _ in self.choices]
        known = [upto for upto in bounds if upto is not None]
        if [*known, None] != bounds or known != sorted(set(known)):
            raise ValueError(f"choices up to {bounds!r} tool calls: begin with the smallest, end with (None, strategy)")
        if wrong := next((name for name, units in self.per_call.items() if units < 1), None):
            raise ValueError(f"per_call[{wrong!r}]={self.per_call[wrong]!r} is no amount: use 1 or more")

    def calls(self, left: Left) -> int | None:
        """How many tool calls the budget was made for; None if it says nothing about them."""
        if left.tool_cap is not None:
            return left.tool_cap
        return min((left.caps[name] // need for name, need in self.per_call.items() if name in left.caps), default=None)

    def choose(self, left: Left) -> Strategy:
        """The strategy for a budget."""
        calls = self.calls(left)
        return next(choice for upto, choice in self.choices if upto is None or (calls is not None and calls <= upto))

    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        """See `Strategy.ask`."""
        return settled(self, left).ask(tree, left, n)


def settled(strategy: Strategy, left: Left) -> Strategy:
    """The strategy itself; for `Auto` the one that it chooses, so that a search keeps to one.

    Args:
        strategy: any.
        left: the budget at the start of the search; when it goes on the same one, whatever was added since.
    """
    return settled(strategy.choose(left), left) if isinstance(strategy, Auto) else strategy
