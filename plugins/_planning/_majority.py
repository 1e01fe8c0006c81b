"""Parallel chains, and which of their answers counts: the baselines of arXiv 2511.17006 and 2603.12634."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ._answers import majority, told_answers
from ._chains import advance, begin, begun, chains_of, count
from ._draft import Draft
from ._node_of import Valuation
from ._trees import ending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._left import Left
    from ._moves import Move
    from ._tree import Given, SearchTree

__all__ = ["BestOfN", "Majority"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Majority:
    """Parallel chains; the answer that most of them come to, of equals the one that was given first.

    Attributes:
        depth: tool calls of each chain. Where fewer chains than wanted come about, each may take more.
        chains: how many; None: as many as the tool calls pay for, but two from two calls on: one is no vote.
    """

    depth: int = 3
    chains: int | None = None
    name: str = field(default="majority", init=False)
    valuation: Valuation = field(default=Valuation(independent=True), init=False)
    tracker: bool = field(default=False, init=False)
    newest_only: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Refuse what are no chains."""
        _check(self.depth, self.chains)

    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        """See `Strategy.ask`."""
        draft = _going_on(tree, left, n, self.depth, self.chains)
        if not draft.moves and tree.answers and not tree.pending and not tree.finished:
            best = majority(told_answers(tree.answers))
            draft.finish(best.text, best.node, why=f"the majority of {len(tree.answers)} answers")
        return draft.moves or ending(tree, draft)


@dataclass(frozen=True, slots=True, kw_only=True)
class BestOfN:
    """Parallel chains; the answer that is thought best, of equals the one that was given first.

    Attributes:
        depth: tool calls of each chain. Where fewer chains than wanted come about, each may take more.
        chains: how many; None: as many as the tool calls pay for, but two from two calls on: one is no vote.
        by: ``confidence``: what whoever answered told; ``value``: what the critic says of each chain's last step, one
            more call for each chain.
    """

    depth: int = 3
    chains: int | None = None
    by: Literal["confidence", "value"] = "confidence"
    name: str = field(default="best-of-n", init=False)
    valuation: Valuation = field(default=Valuation(independent=True), init=False)
    tracker: bool = field(default=False, init=False)
    newest_only: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Refuse what are no chains."""
        _check(self.depth, self.chains)

    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        """See `Strategy.ask`."""
        draft = _going_on(tree, left, n, self.depth, self.chains)
        if not draft.moves and tree.answers and not tree.pending and not tree.finished:
            self._choose(tree, draft)
        return draft.moves or ending(tree, draft)

    def _choose(self, tree: SearchTree, draft: Draft) -> None:
        if self.by == "value":
            for chain in chains_of(tree):
                if chain.last is not None:
                    draft.appraise(chain.last, why="what this chain is worth")
        if not draft.moves:
            answers = told_answers(tree.answers)
            worth = {"confidence": _confidence, "value": _value}[self.by]
            best = max(answers, key=lambda given: worth(tree, given))
            draft.finish(best.text, best.node, why=f"the highest {self.by} of {len(answers)} answers")


def _going_on(tree: SearchTree, left: Left, n: int, depth: int, chains: int | None) -> Draft:
    """What the chains do next; nothing once they are over."""
    draft = Draft(tree, left, n)
    if not tree.finished:
        wanted = count(tree, left, depth, chains)
        if left.can_act():
            begin(tree, draft, wanted)
        advance(tree, left, draft, -(-wanted * depth // max(1, begun(tree))))
    return draft


def _confidence(_: SearchTree, given: Given) -> float:
    return -1.0 if given.confidence is None else given.confidence


def _value(tree: SearchTree, given: Given) -> float:
    node = tree.nodes[given.node]
    told = node.appraisal.support if node.appraisal else None
    return node.value if told is None else told


def _check(depth: int, chains: int | None) -> None:
    if depth < 1:
        raise ValueError(f"depth={depth!r} is no chain: use 1 or more tool calls")
    if chains is not None and chains < 1:
        raise ValueError(f"chains={chains!r} is no number of chains: use 1 or more, or None for what the budget pays")
