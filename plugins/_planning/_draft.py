"""Moves in the making: ids that follow from the tree, and no more tool calls than are left."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, final

from ._moves import Mode, Move

if TYPE_CHECKING:
    from ._left import Left
    from ._node_of import TreeNode
    from ._tree import SearchTree

__all__ = ["Draft"]


@final
class Draft:
    """What a strategy is about to ask for.

    Each method adds a move and says whether it was added: not if there are enough, if it is under way already, or, for
    an act, if no tool call is left for it.

    Args:
        tree: what was asked and told so far.
        left: what is left.
        n: how many moves are wanted at most.
    """

    def __init__(self, tree: SearchTree, left: Left, n: int) -> None:
        if n < 1:
            raise ValueError(f"n={n!r} moves cannot be asked for: use 1 or more")
        self.moves: list[Move] = []
        self._tree = tree
        self._tools = left.tools
        self._n = n
        self._children: Counter[str] = Counter()
        self._acts = 0
        self._taken: set[tuple[str, int]] = set()

    @property
    def full(self) -> bool:
        """Whether no further move is wanted."""
        return len(self.moves) >= self._n

    @property
    def can_act(self) -> bool:
        """Whether a tool call is left beside those asked for here."""
        return self._tools is None or self._acts < self._tools

    def untried(self, node: TreeNode) -> list[int]:
        """Options of a node that are not taken, here either; the best first."""
        return [i for i in node.untried if (node.id, i) not in self._taken]

    def plan(self, node: TreeNode, why: str = "") -> bool:
        """Ask for a plan at a node."""
        return self._add(Move(id=f"plan:{node.id}:{len(node.plans)}", kind="plan", node=node.id, why=why))

    def propose(self, node: TreeNode, n: int = 1, *, mode: Mode = "deepen", why: str = "") -> bool:
        """Ask for options at a node."""
        key = f"propose:{node.id}:{node.rounds}"
        return self._add(Move(id=key, kind="propose", node=node.id, mode=mode, n=n, why=why))

    def act(self, node: TreeNode, option: int, *, mode: Mode = "deepen", why: str = "") -> bool:
        """Take one of a node's options."""
        if not self.can_act or option in node.taken or (node.id, option) in self._taken:
            return False
        child = f"{node.id}.{len(node.children) + self._children[node.id]}"
        if not self._add(Move(id=f"act:{child}", kind="act", node=child, option=option, mode=mode, why=why)):
            return False
        self._children[node.id] += 1
        self._acts += 1
        self._taken.add((node.id, option))
        return True

    def appraise(self, node: TreeNode, why: str = "") -> bool:
        """Ask how much closer a step came."""
        return self._add(Move(id=f"appraise:{node.id}", kind="appraise", node=node.id, why=why))

    def verify(self, node: TreeNode, answer: str, why: str = "") -> bool:
        """Ask for a verdict on an answer."""
        key = f"verify:{node.id}:{len(node.verdicts)}"
        return self._add(Move(id=key, kind="verify", node=node.id, text=answer, why=why))

    def answer(self, node: TreeNode, why: str = "") -> bool:
        """Ask for an answer from what was found."""
        return self._add(Move(id=f"answer:{node.id}:{node.asked}", kind="answer", node=node.id, why=why))

    def finish(self, answer: str, node: str = "", why: str = "") -> bool:
        """End the search with an answer; an empty one leaves the last word to whoever runs it."""
        return self._add(Move(id="finish", kind="finish", node=node or self._tree.root.id, text=answer, why=why))

    def _add(self, move: Move) -> bool:
        if self.full or move.id in self._tree.moves or any(move.id == other.id for other in self.moves):
            return False
        self.moves.append(move)
        return True
