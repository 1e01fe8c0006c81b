"""Chains of steps side by side, each of which knows nothing of the others."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final

from ._moves import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._draft import Draft
    from ._left import Left
    from ._node_of import TreeNode
    from ._tree import SearchTree

__all__ = ["Chain", "advance", "begin", "begun", "chains_of", "count"]

_UNLIMITED: Final = 8
"""Chains where nothing limits the tool calls: the largest number that arXiv 2511.17006 tries."""
_VOTES: Final = 2
"""One chain is no vote: from two tool calls on there are two."""
_ROUNDS: Final = 2
"""How often the first steps are asked for: a model that repeats itself is asked once more (design)."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A child of the root and what lies below it.

    Attributes:
        id: its first step.
        steps: calls made, those that came to nothing among them.
        last: its newest step whose result is there; None if there is none.
        waiting: whether something is under way in it.
        over: whether it was answered from, or asked for an answer.
    """

    id: str
    steps: int
    last: TreeNode | None
    waiting: bool
    over: bool


def chains_of(tree: SearchTree) -> list[Chain]:
    """The chains of a tree, the shortest first, so that they advance side by side."""
    steps: dict[str, list[TreeNode]] = {}
    for node in tree:
        steps.setdefault(_chain(node.id), []).append(node)
    del steps[ROOT]
    waiting = {_chain(move.node) for move in tree.pending.values()}
    over = {_chain(given.node) for given in tree.answers}
    over |= {_chain(move.node) for move in tree.moves.values() if move.kind == "answer"}
    found = [
        Chain(key, len(nodes), next((n for n in reversed(nodes) if n.reached), None), key in waiting, key in over)
        for key, nodes in steps.items()
    ]
    return sorted(found, key=lambda chain: chain.steps)


def count(tree: SearchTree, left: Left, depth: int, chains: int | None) -> int:
    """How many chains there should be: decided once, when their first steps are asked for."""
    first = tree.moves.get(f"propose:{ROOT}:0")
    if first is not None:
        return first.n
    if chains is not None:
        return chains
    if left.tools is None:
        return _UNLIMITED
    return max(min(_VOTES, left.tools), 1, -(-left.tools // depth))


def begun(tree: SearchTree) -> int:
    """How many there are; those that answered without any step among them."""
    at_once = sum(given.node == ROOT for given in tree.answers)
    return at_once + sum(node.lost is None for node in tree.root.children)


def begin(tree: SearchTree, draft: Draft, wanted: int) -> None:
    """Ask for the first steps as samples of one prompt, and take them."""
    root = tree.root
    missing = wanted - begun(tree)
    fresh = _unlike(root, draft.untried(root))
    for option in fresh[: max(0, missing)]:
        draft.act(root, option, why=f"the first step of one of {wanted} chains")
    if missing > len(fresh) and draft.can_act and not root.busy and root.rounds < _ROUNDS:
        why = f"the first steps of {missing - len(fresh)} of {wanted} chains"
        draft.propose(root, missing - len(fresh), mode="widen" if root.rounds else "deepen", why=why)


def advance(tree: SearchTree, left: Left, draft: Draft, depth: int) -> None:
    """Take each chain a step further, until its calls are used up; then answer from it."""
    chains = [chain for chain in chains_of(tree) if not chain.over]
    asked = sum(move.kind == "propose" for move in tree.pending.values())
    in_hand = sum(bool(chain.last and chain.last.untried) for chain in chains)
    spare = inf if left.tools is None else left.tools - asked - in_hand
    for chain in chains:
        node = chain.last
        if chain.waiting or node is None:
            continue
        if node.untried and chain.steps < depth and draft.can_act:
            draft.act(node, node.untried[0], why=f"step {chain.steps + 1} of {depth} of this chain")
        elif not node.untried and not node.dry and chain.steps < depth and spare > 0:
            spare -= draft.propose(node, mode="widen" if node.rounds else "deepen", why="the newest step of this chain")
        else:
            draft.answer(node, why=f"this chain is over after {chain.steps} of {depth} steps")


def _unlike(root: TreeNode, options: Iterable[int]) -> list[int]:
    """Options that are no chain yet: two chains that begin alike are one."""
    known = {root.options[taken].key for taken in root.taken}
    first = {root.options[option].key: option for option in reversed(list(options))}
    return sorted(option for key, option in first.items() if key not in known)


def _chain(node: str) -> str:
    """The chain that a node belongs to; the root is its own."""
    return ".".join(node.split(".")[:2])
