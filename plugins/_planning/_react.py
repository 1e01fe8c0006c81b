"""One chain of steps, and the one that is told to keep going: baselines that every paper is measured against."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ._draft import Draft
from ._node_of import Valuation
from ._trees import ending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._left import Left
    from ._moves import Move
    from ._node_of import TreeNode
    from ._tree import SearchTree

__all__ = ["React", "Sequential", "has_seen_more", "newest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class React:
    """Think, act, think again (Yao et al., arXiv 2210.03629); the first answer ends it.

    Attributes:
        tracker: whether the model is shown what is left, and nothing else is changed: "ReAct + Budget Tracker" of
            arXiv 2511.17006.
    """

    tracker: bool = False
    valuation: Valuation = field(default=Valuation(), init=False)
    newest_only: bool = field(default=False, init=False)

    @property
    def name(self) -> str:
        """What reports call it."""
        return "react+tracker" if self.tracker else "react"

    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        """See `Strategy.ask`."""
        draft = Draft(tree, left, n)
        if tree.pending or tree.finished:
            return []
        node = newest(tree)
        if draft.can_act and not tree.answers:
            if node.untried:
                draft.act(node, node.untried[0], why="what the model wants to do next")
            elif not node.dry:
                draft.propose(node, mode="widen" if node.rounds else "deepen", why="the newest step")
        return draft.moves or ending(tree, draft, node=node)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequential:
    """ReAct that is not let off with its answer: as long as budget remains, it is told to look further.

    The sequential baseline of arXiv 2511.17006. The nudge is a proposal that widens.

    Attributes:
        patience: proposals in a row without a tool call after which it is let off (source: 5).
        tracker: whether the model is shown what is left (source: both are measured).
    """

    patience: int = 5
    tracker: bool = False
    valuation: Valuation = field(default=Valuation(), init=False)
    newest_only: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Refuse what could never begin."""
        if self.patience < 1:
            raise ValueError(f"patience={self.patience!r} never proposes anything: use 1 or more")

    @property
    def name(self) -> str:
        """What reports call it."""
        return "sequential+tracker" if self.tracker else "sequential"

    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        """See `Strategy.ask`."""
        draft = Draft(tree, left, n)
        if tree.pending or tree.finished:
            return []
        node = newest(tree)
        if draft.can_act and node.untried:
            draft.act(node, node.untried[0], why="what the model wants to do next")
        elif draft.can_act and node.rounds - len(node.taken) < self.patience:
            nudge = "budget remains: look further" if node.rounds else "the newest step"
            draft.propose(node, mode="widen" if node.rounds else "deepen", why=nudge)
        elif has_seen_more(tree, node):
            draft.answer(node, why="no answer takes the newest step into account")
        return draft.moves or ending(tree, draft)


def newest(tree: SearchTree) -> TreeNode:
    """The newest step whose result is there; the root if there is none."""
    return next(tree.numbered(i) for i in reversed(range(len(tree))) if tree.numbered(i).reached)


def has_seen_more(tree: SearchTree, node: TreeNode) -> bool:
    """Whether no answer was given, or asked for, at this step."""
    return not node.asked and all(given.node != node.id for given in tree.answers)
