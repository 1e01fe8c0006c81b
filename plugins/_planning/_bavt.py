"""The value tree: what is left of the budget decides how greedily it is searched (BAVT, arXiv 2603.12634)."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Final

from ._answers import is_none, same_answer
from ._draft import Draft
from ._node_of import Valuation
from ._select import exponent, pick

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ._left import Left
    from ._moves import Mode, Move
    from ._node_of import TreeNode
    from ._tree import Given, SearchTree

__all__ = ["Bavt"]

_THOUSANDTHS: Final = 1000
_TOKENS: Final = ("output_tokens", "total_tokens", "input_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bavt:
    """Expands nodes of a value tree, as greedily as the budget is short.

    A node is drawn with a probability in proportion to its worth to the power ``1/r``, ``r`` being the least share of
    any limit that is left. It is asked for what to do next, the best of that is done, and a critic says how much closer
    the step came. A value of ``tau`` is answered from; a step that brought nothing is not gone on from, and its parent
    tries something different when it is drawn again (widen); any other step can be drawn itself (deepen).

    No source has more than a description of the paper; what that leaves open is marked as design. How many expansions
    a budget has to pay for: `expansions_needed`.

    Attributes:
        tau: the value from which a node is answered (reported: 0.8).
        eta: the share of the tokens below which nothing is expanded any more (reported: 0.2). What the budget itself
            keeps for the answer comes on top.
        alpha_cap: the largest exponent (design; PrimeScientist, arXiv 2609.17846, uses the same).
        root: the root's score, 1 to 10 (design; see `Valuation`).
        blend: the children's share in a node's worth once there is an answer (design; see `Valuation`).
        children: options asked for at once. The best is taken; the others are there when the node widens (design).
        plans: begin with a plan at the root (reported).
        appraises: have each step appraised; off: the ablation without a critic, where all nodes are worth the same.
        residual: a step's progress is added to its parent's score; off: the ablation, to the root's. With a root of 3
            no step then reaches ``tau``: use a root of 6 to compare.
        conditioned: off: the ablation without budget-conditioned selection, whose exponent is always 1.
        progress_only: a step that brought nothing is not gone on from (reported: the parent widens).
        stop_at_first: end with the first answer (design; reported: the search goes on until the budget is short). It
            always ends so where neither tool calls nor tokens are limited, and nothing ever gets short.
        seed: of the draws.
    """

    tau: float = 0.8
    eta: float = 0.2
    alpha_cap: float = 10
    root: int = 3
    blend: float = 0.5
    children: int = 3
    plans: bool = True
    appraises: bool = True
    residual: bool = True
    conditioned: bool = True
    progress_only: bool = True
    stop_at_first: bool = False
    seed: int = 0
    name: str = field(default="bavt", init=False)
    tracker: bool = field(default=False, init=False)
    newest_only: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Refuse what is no search."""
        if not 0 < self.tau <= 1:
            raise ValueError(f"tau={self.tau!r} is no value of a node: use more than 0 and at most 1")
        if not 0 <= self.eta < 1:
            raise ValueError(f"eta={self.eta!r} is no share of the tokens to stop at: use 0 or more and less than 1")
        if self.alpha_cap < 1:
            raise ValueError(f"alpha_cap={self.alpha_cap!r} is less than the exponent of a full budget: use 1 or more")
        if self.children < 1:
            raise ValueError(f"children={self.children!r} options cannot be asked for: use 1 or more")
        _ = self.valuation

    @property
    def valuation(self) -> Valuation:
        """How its trees value their nodes."""
        return Valuation(
            root=self.root,
            residual=self.residual,
            blend=self.blend,
            progress_only=self.progress_only,
            answer_ends=True,
        )

    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        """See `Strategy.ask`."""
        draft = Draft(tree, left, n)
        if not tree.finished and not self._is_short(tree, left):
            self._go_on(tree, left, draft)
        return draft.moves or self._end(tree, draft)

    def _is_short(self, tree: SearchTree, left: Left) -> bool:
        """Whether nothing is thought of any more, but an answer if there is none yet."""
        endless = left.tools is None and not any(name in left for name in _TOKENS)
        return left.token_ratio < self.eta or ((self.stop_at_first or endless) and bool(_said(tree)))

    def _go_on(self, tree: SearchTree, left: Left, draft: Draft) -> None:
        if self.plans and left.can_act() and f"plan:{tree.root.id}:0" not in tree.moves:
            draft.plan(tree.root, why="how many hops it takes, and how to spend the budget on them")
            return
        if self.appraises:
            for number in sorted(tree.unjudged):
                draft.appraise(tree.numbered(number), why="how much closer this step came")
        for node in self._ripe(tree):
            draft.answer(node, why=f"its value of {node.value} reaches {self.tau}")
        offered = [tree.numbered(number) for number in tree.offered if number in tree.frontier]
        for node in sorted(offered, key=lambda node: (-node.worth, node.number)):
            _take(draft, node, "the best option of those just proposed")
        self._expand(tree, left, draft)

    def _ripe(self, tree: SearchTree) -> Iterator[TreeNode]:
        """Nodes to answer from: none that waits for its critic, none whose answer came to nothing."""
        for worth, number in tree.frontier.rows():
            if worth < self.tau * _THOUSANDTHS:
                return
            for place in range(number):
                node = tree.numbered(tree.frontier.at(worth, place))
                judged = node.appraisal is not None or not self.appraises or f"appraise:{node.id}" in tree.told
                if node.parent and node.value >= self.tau and judged and not node.asked:
                    yield node

    def _expand(self, tree: SearchTree, left: Left, draft: Draft) -> None:
        """Draw nodes and go on from them: from no more than there are tool calls for what comes of it."""
        alpha = exponent(left.ratio, self.alpha_cap) if self.conditioned else 1.0
        chance = random.Random(f"{self.seed}:{len(tree.moves)}")
        held = _held(tree, draft)
        room = inf if left.tools is None else left.tools - _begun(tree, draft)
        while room > 0 and not draft.full:
            drawn = pick(tree.frontier, alpha, chance, held)
            if drawn is None:
                return
            node, likely = tree.numbered(drawn[0]), drawn[1]
            why = f"worth {node.worth / _THOUSANDTHS}, drawn with probability {likely:.2g} at exponent {alpha:.3g}"
            if not _take(draft, node, why):
                draft.propose(node, self.children, mode=_mode(node), why=_told(node, why))
            if not draft.untried(node):
                held.append(node)
            room -= 1

    def _end(self, tree: SearchTree, draft: Draft) -> list[Move]:
        if tree.pending or tree.finished:
            return []
        answers = _said(tree)
        if answers:
            best = _best(tree, answers)
            why = f"worth {tree.nodes[best.node].worth / _THOUSANDTHS}, the most of {len(answers)} answers"
            draft.finish(best.text, best.node, why=why)
        elif next((move.kind for move in reversed(tree.moves.values())), "") == "answer":
            last = tree.answers[-1].text if tree.answers else ""
            draft.finish(last, why="no answer came of what was found")
        else:
            draft.answer(_last_resort(tree), why="nothing further to try, or too little left: the best that there is")
        return draft.moves


def _said(tree: SearchTree) -> list[Given]:
    """The answers that tell something."""
    return [given for given in tree.answers if not is_none(given.text)]


def _take(draft: Draft, node: TreeNode, why: str) -> bool:
    """Take the best option that is left at a node; False if there is none."""
    options = draft.untried(node)
    return bool(options) and draft.act(node, options[0], mode=_mode(node), why=_told(node, why))


def _mode(node: TreeNode) -> Mode:
    """Deepen where nothing was tried yet; from then on only something different is of use."""
    return "widen" if node.children else "deepen"


def _told(node: TreeNode, why: str) -> str:
    if not node.children:
        return f"deepen: {why}"
    tried = (
        "the newest step from here brought nothing" if node.children[-1].brought_nothing else "another way from here"
    )
    return f"widen: {tried}; {why}"


def _held(tree: SearchTree, draft: Draft) -> list[TreeNode]:
    """Nodes that are being thought about, and those whose options are all asked for."""
    moves = [*tree.pending.values(), *draft.moves]
    held = [tree.nodes[move.node] for move in moves if move.kind != "act"]
    parents = [tree.nodes[move.parent] for move in draft.moves if move.kind == "act"]
    return [*held, *(node for node in parents if not draft.untried(node))]


def _begun(tree: SearchTree, draft: Draft) -> int:
    """Tool calls that are asked for, or will be once a proposal comes back."""
    proposed = sum(move.kind == "propose" for move in tree.pending.values())
    return proposed + sum(move.kind == "act" for move in draft.moves)


def _best(tree: SearchTree, answers: Sequence[Given]) -> Given:
    """The answer at the node that is worth most; of equals the one that most agree with, then the surest."""
    agree = Counter(same_answer(given.text) for given in answers)

    def rank(given: Given) -> tuple[int, int, float, int]:
        node = tree.nodes[given.node]
        return node.worth, agree[same_answer(given.text)], given.confidence or 0.0, -node.number

    return max(answers, key=rank)


def _last_resort(tree: SearchTree) -> TreeNode:
    """The open node of the highest value, or one with nothing new to propose that beats it; of equals the newest."""
    reached = (node for node in tree if node.reached)
    return max(reached, key=lambda node: (node.score, node.number in tree.frontier, node.number))
