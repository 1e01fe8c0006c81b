"""BATS: plan, act, verify every answer, and then take it, dig deeper or pivot (arXiv 2511.17006)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ._answers import is_none
from ._candidates import select
from ._draft import Draft
from ._moves import ROOT
from ._node_of import Valuation
from ._react import has_seen_more, newest
from ._results import Verdict
from ._trees import ending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._left import Left
    from ._moves import Mode, Move
    from ._node_of import TreeNode
    from ._results import Result
    from ._tree import SearchTree

__all__ = ["Bats"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bats:
    """One attempt after the other, each a chain of steps with a verifier at its answers.

    A success ends the search, or begins another attempt; *continue* goes on from where the answer was given; *pivot*
    begins a new attempt at the root. In either case the verifier's summary replaces the steps before it. In the end the
    answer is chosen among all that were given. Any exhausted tool budget ends it.

    Attributes:
        verifies: whether answers are verified (source: an ablation).
        plans: whether there is a plan at the root (source: an ablation).
        replans: whether each new attempt has a plan of its own (design).
        early_stop: whether the first success ends it (source: both modes; which one is the default is ours).
        replaces: whether each summary replaces the steps before it (source); off: only the K rule does.
        reset: K: a summary replaces the steps before it if they are more than so many iterations, calls and answers
            counted, since the last one (source: 10).
        patience: answers verified at one step after which *continue* is a pivot: no call came between them (design).
        attempts: attempts at most (design).
        iterations: proposals at most (design; the source has none, its rebuilds all do).
        tracker: whether the model is shown what is left (source).
        newest_only: whether the model is shown the newest tool result alone (source: both are measured).
    """

    verifies: bool = True
    plans: bool = True
    replans: bool = True
    early_stop: bool = True
    replaces: bool = True
    reset: int = 10
    patience: int = 2
    attempts: int = 10
    iterations: int = 200
    tracker: bool = True
    newest_only: bool = True
    name: str = field(default="bats", init=False)

    def __post_init__(self) -> None:
        """Refuse guards that let nothing through."""
        for name, value, least in (
            ("reset", self.reset, 0),
            ("patience", self.patience, 1),
            ("attempts", self.attempts, 1),
            ("iterations", self.iterations, 1),
        ):
            if value < least:
                raise ValueError(f"{name}={value!r} is too small: use {least} or more")

    @property
    def valuation(self) -> Valuation:
        """How long the steps before a verdict stay in view."""
        return Valuation(keeps=0 if self.replaces else self.reset)

    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        """See `Strategy.ask`."""
        draft = Draft(tree, left, n)
        if tree.pending or tree.finished:
            return []
        last = next(reversed(tree.moves.values()), None)
        if last is None:
            self._attempt(tree, draft, "the question")
        elif last.kind == "propose":
            self._proposed(tree, draft, last)
        elif last.kind == "verify":
            self._verified(tree, left, draft, last)
        elif last.kind == "plan" and self._may_go_on(tree, draft):
            draft.propose(tree.root, mode="widen" if tree.root.rounds else "deepen", why=last.why)
        elif last.kind == "act":
            self._went(tree, draft, tree.nodes[last.node])
        return draft.moves or _collect(tree, draft)

    # -- what follows on the newest move ----------------------------------------------------------------------------

    def _went(self, tree: SearchTree, draft: Draft, node: TreeNode) -> None:
        """Go on from a step; from the one before it if it came to nothing."""
        if node.reached or node.parent is None:
            self._step(tree, draft, node, "the newest step")
        else:
            self._step(tree, draft, node.parent, f"step {node.id} came to nothing", mode="widen")

    def _proposed(self, tree: SearchTree, draft: Draft, last: Move) -> None:
        """Verify an answer that was proposed, else do what was proposed, else try something different."""
        node = tree.nodes[last.node]
        answer = next((given.text for given in tree.answers if given.move == last.id and not is_none(given.text)), None)
        if answer is not None:
            self._answered(tree, draft, node, answer)
        elif node.untried:
            draft.act(node, node.untried[0], why="what the model wants to do next")
        elif node.parent is not None:
            self._attempt(tree, draft, f"nothing further to try at {node.id}")

    def _answered(self, tree: SearchTree, draft: Draft, node: TreeNode, answer: str) -> None:
        if not self.verifies and self.early_stop:
            draft.finish(answer, node.id, why="the first answer is taken, unverified")
        elif not self.verifies or not draft.verify(node, answer, why="an answer is proposed"):
            self._attempt(tree, draft, "an answer was given, unverified")

    def _verified(self, tree: SearchTree, left: Left, draft: Draft, last: Move) -> None:
        """Take the answer, dig deeper or pivot."""
        node, told = tree.nodes[last.node], tree.told[last.id]
        decision, why = self._decide(told, node, left)
        if decision == "success" and self.early_stop:
            draft.finish(last.text, node.id, why=why)
        elif decision == "continue":
            self._step(tree, draft, node, why)
        else:
            self._attempt(tree, draft, why)

    def _decide(self, told: Result, node: TreeNode, left: Left) -> tuple[str, str]:
        """The verdict, or a pivot where it cannot be followed."""
        if not isinstance(told, Verdict):
            return "pivot", "the verifier said nothing"
        empty = next((name for name, units in left.items() if units <= 0 < left.caps.get(name, 1)), None)
        if told.decision == "continue" and empty is not None:
            return "pivot", f"to be continued, but {empty} is exhausted"
        if told.decision == "continue" and len(node.verdicts) >= self.patience:
            return "pivot", f"to be continued, but {len(node.verdicts)} answers were given here"
        return told.decision, f"{told.decision}: {told.why or 'no reason given'}"

    # -- the two ways on --------------------------------------------------------------------------------------------

    def _step(self, tree: SearchTree, draft: Draft, node: TreeNode, why: str, mode: Mode = "deepen") -> None:
        """Dig deeper: do what was proposed here, or ask for it."""
        if node.untried:
            draft.act(node, node.untried[0], why=why)
        elif self._may_go_on(tree, draft):
            draft.propose(node, mode=mode, why=why)

    def _attempt(self, tree: SearchTree, draft: Draft, why: str) -> None:
        """Pivot: begin at the root, with a plan."""
        root, begun = tree.root, _attempts(tree)
        if not self._may_go_on(tree, draft) or begun >= self.attempts:
            return
        planned = self.plans and (self.replans or not begun) and draft.plan(root, why=why)
        if not planned:
            draft.propose(root, mode="widen" if begun else "deepen", why=why)

    def _may_go_on(self, tree: SearchTree, draft: Draft) -> bool:
        asked = sum(move.kind == "propose" for move in tree.moves.values())
        return draft.can_act and asked < self.iterations


def _attempts(tree: SearchTree) -> int:
    """How many attempts began: each one after the first with something different at the root."""
    root = [move.mode for move in tree.moves.values() if move.kind == "propose" and move.node == ROOT]
    return bool(root) + root.count("widen")


def _collect(tree: SearchTree, draft: Draft) -> list[Move]:
    """The end: an answer that takes the newest step into account, and then the best of all."""
    best, node = select(tree), newest(tree)
    if best is None:
        return ending(tree, draft, node=node)
    given, verdict = best
    if has_seen_more(tree, node) and (verdict is None or verdict.decision != "success"):
        draft.answer(node, why="no answer takes the newest step into account")
    else:
        draft.finish(given.text, given.node, why=f"the best of {len(tree.answers)} answers")
    return draft.moves
