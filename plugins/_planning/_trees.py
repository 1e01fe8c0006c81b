"""Two trees that pay no heed to the budget: what any clever one is measured against."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ._answers import told_answers
from ._draft import Draft
from ._node_of import Valuation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._left import Left
    from ._moves import Move
    from ._node_of import TreeNode
    from ._tree import SearchTree

__all__ = ["RandomTree", "UniformTree"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UniformTree:
    """Breadth first: every option of the oldest node, then every option of the next.

    Attributes:
        width: options asked for at each node.
    """

    width: int = 5
    name: str = field(default="uniform", init=False)
    valuation: Valuation = field(default=Valuation(), init=False)
    tracker: bool = field(default=False, init=False)
    newest_only: bool = field(default=False, init=False)

    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        """See `Strategy.ask`."""
        draft = Draft(tree, left, n)
        for number in tree.frontier:
            node = tree.numbered(number)
            for option in draft.untried(node):
                draft.act(node, option, why=f"option {option + 1} of the oldest node that is open")
            if not draft.untried(node) and not node.rounds and draft.can_act:
                draft.propose(node, self.width, why="nothing was asked for here yet")
            if draft.full or not draft.can_act:
                break
        return draft.moves or ending(tree, draft)


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomTree:
    """Any open node, any of its options, each as likely as the other.

    Attributes:
        width: options asked for at each node.
        seed: of the choices; they follow from the tree as well, so that a resumed search goes on as it would have.
    """

    width: int = 5
    seed: int = 0
    name: str = field(default="random tree", init=False)
    valuation: Valuation = field(default=Valuation(), init=False)
    tracker: bool = field(default=False, init=False)
    newest_only: bool = field(default=False, init=False)

    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        """See `Strategy.ask`."""
        draft = Draft(tree, left, n)
        chance = random.Random(f"{self.seed}:{len(tree.moves)}")
        nodes = [tree.numbered(number) for number in tree.frontier]
        chance.shuffle(nodes)
        for node in nodes:
            if draft.full or not draft.can_act:
                break
            options = draft.untried(node)
            if options:
                draft.act(node, chance.choice(options), why="any option of any open node")
            else:
                draft.propose(node, self.width, mode="widen" if node.rounds else "deepen", why="any open node")
        return draft.moves or ending(tree, draft)


def ending(tree: SearchTree, draft: Draft, *, node: TreeNode | None = None) -> list[Move]:
    """How a search ends that has nothing further to try: with its last answer, else with one from what was found."""
    if tree.pending or tree.finished:
        return []
    if tree.answers:
        last = told_answers(tree.answers)[-1]
        draft.finish(last.text, last.node, why="answered, and nothing further to try")
    elif any(move.kind == "answer" for move in tree.moves.values()):
        draft.finish("", why="no answer came of what was found")
    else:
        draft.answer(node or tree.root, why="nothing further to try, or no tool call left")
    return draft.moves
