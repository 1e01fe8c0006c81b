"""What the VOI controller reads off a search tree. None of it is stated in the paper; all of it is ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .._words import content_terms
from ._cues import cues
from ._evidence import query_of
from ._node_of import HIGHEST
from ._results import Appraisal
from ._select import freshest

if TYPE_CHECKING:
    from ._draft import Draft
    from ._node_of import TreeNode
    from ._results import Option
    from ._tree import SearchTree

__all__ = [
    "answered_in_vain",
    "best_search",
    "best_supported",
    "hops_missing",
    "hops_needed",
    "idle_plans",
    "likeness",
    "support_of",
]

_RESOLVES: Final = 3
"""Progress from which a step has resolved a hop: that is how the critic's scale is explained to it."""


def best_search(tree: SearchTree, draft: Draft) -> tuple[TreeNode | None, int | None]:
    """Where to search on, and which option promises most; no option if new ones are to be asked for there.

    The newest of the nodes that are worth most is asked first, if it was not yet or a newer plan is there; options are
    weighed across the whole tree, for what was proposed elsewhere may promise more.
    """
    number = freshest(tree.frontier)
    if number is None:
        return None, None
    node = tree.numbered(number)
    if not node.rounds or _is_planned_anew(tree, node):
        return node, None
    waiting = [tree.numbered(at) for at in tree.frontier]
    options = [(other.options[i].gain, other.number, -i) for other in waiting for i in draft.untried(other)]
    if not options:
        return node, None
    _, at, place = max(options)
    return tree.numbered(at), -place


def _is_planned_anew(tree: SearchTree, node: TreeNode) -> bool:
    """Whether a plan came after the newest proposal."""
    asked = (move.kind for move in reversed(tree.moves.values()) if move.node == node.id)
    return next((kind for kind in asked if kind in {"plan", "propose"}), "") == "plan"


def likeness(option: Option, tree: SearchTree) -> float:
    """The largest share of words, of both together, that a call has in common with one that was made: 0 to 1."""
    words = content_terms(query_of(option))
    made = (content_terms(query_of(node.made)) for node in tree if node.made)
    return max((len(words & other) / len(words | other) for other in made if words or other), default=0.0)


def hops_needed(tree: SearchTree) -> int:
    """Facts that the question takes: as the newest plan says, else as its words have it."""
    plans = [plan for node in tree for plan in node.plans]
    planned = plans[-1].hops or len(plans[-1].steps) if plans else 0
    return planned or cues(tree.question).hops


def hops_missing(tree: SearchTree) -> int:
    """Facts that no step has brought yet."""
    brought = sum(node.appraisal is not None and node.appraisal.delta >= _RESOLVES for node in tree)
    return max(0, hops_needed(tree) - brought)


def idle_plans(tree: SearchTree) -> int:
    """Plans that were asked for since a step last brought something."""
    idle = 0
    for move in reversed(tree.moves.values()):
        result = tree.told.get(move.id)
        if isinstance(result, Appraisal) and result.delta > 0:
            break
        idle += move.kind == "plan"
    return idle


def support_of(node: TreeNode, root: int) -> float:
    """How far the evidence supports an answer at a node: as the critic says, else by its progress from the root."""
    told = node.appraisal.support if node.appraisal else None
    if told is None:
        told = (node.score - root) / (HIGHEST - root) if node.score > root else 0.0
    return max(0.0, min(1.0, told))


def best_supported(tree: SearchTree) -> TreeNode:
    """Where to answer: the step with the most support; of equals one that brought something, and the newest."""
    reached = (node for node in tree if node.reached)
    root = tree.valuation.root
    return max(reached, key=lambda node: (support_of(node, root), not node.brought_nothing, node.number))


def answered_in_vain(tree: SearchTree) -> bool:
    """Whether an answer was asked for since the newest call: if it had brought one, that would be the end."""
    kinds = (move.kind for move in reversed(tree.moves.values()) if move.kind in {"act", "answer"})
    return next(kinds, "") == "answer"
