"""The controller that weighs each action: what it is worth per unit of what is left (VOI, arXiv 2605.05701)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from ._answers import is_none, told_answers
from ._cues import cues
from ._draft import Draft
from ._evidence import Reader
from ._finalizer import finalize, refine
from ._node_of import Valuation
from ._voi_features import (
    answered_in_vain,
    best_search,
    best_supported,
    hops_missing,
    hops_needed,
    idle_plans,
    likeness,
    support_of,
)
from ._voi_score import Situation, VoiCoefficients, choose, relative_cost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._left import Left
    from ._moves import Mode, Move
    from ._node_of import TreeNode
    from ._tree import Given, SearchTree
    from ._voi_score import Action

__all__ = ["Voi"]

_CALLS: Final = "tool"
_TOKENS: Final = "output"


@dataclass(frozen=True, slots=True, kw_only=True)
class Voi:
    """Scores search, decompose and answer, and does what is worth most per unit of what is left.

    The node of the highest value is asked for options, and of all options in the tree the one that promises most is
    searched for; a decomposition plans there, and the answer is asked for where the evidence supports it most. One
    action at a time, each on all that is known. Where tool calls or output tokens are limited, it ends when a further
    search is worth less than an answer; it never spends for the sake of spending.

    What the features of the score are is stated in no source (see `VoiCoefficients`), and neither is what follows.

    Attributes:
        coefficients: the numbers in the score and in its guards.
        penalty: off: the ablation without the penalty for cost under pressure.
        stops: answer as soon as that has the highest score; off: not as long as a search is affordable.
        finalizes: let the selective finalizer look over the answer; it costs nothing.
        children: options asked for at once (design).
        root: the root's score, 1 to 10 (design; see `Valuation`).
        evidence: passages that the finalizer reads (design).
        unproposed_gain: what a search may bring that nobody has proposed yet (design).
        propose_tokens: output tokens that a proposal takes, as an expectation (design).
        appraise_tokens: that an appraisal takes (design).
        plan_tokens: that a decomposition takes (design).
        answer_tokens: that an answer takes (design).
    """

    coefficients: VoiCoefficients = field(default_factory=VoiCoefficients)
    penalty: bool = True
    stops: bool = True
    finalizes: bool = True
    children: int = 3
    root: int = 3
    evidence: int = 5
    unproposed_gain: float = 0.5
    propose_tokens: int = 40
    appraise_tokens: int = 20
    plan_tokens: int = 60
    answer_tokens: int = 30
    name: str = field(default="voi", init=False)
    tracker: bool = field(default=False, init=False)
    newest_only: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Refuse what cannot be asked for."""
        for name in ("children", "evidence"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)!r} cannot be asked for: use 1 or more")
        for name in ("propose_tokens", "appraise_tokens", "plan_tokens", "answer_tokens"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}={getattr(self, name)!r} is no number of tokens: use 0 or more")
        _ = self.valuation

    @property
    def valuation(self) -> Valuation:
        """How its trees value their nodes."""
        return Valuation(root=self.root, progress_only=True)

    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        """See `Strategy.ask`."""
        draft = Draft(tree, left, n)
        if tree.pending or tree.finished:
            return []
        answer = _answered(tree)
        if answer:
            self._finish(tree, draft, answer)
        elif self._judges(left):
            for number in sorted(tree.unjudged):
                draft.appraise(tree.numbered(number), why="how much closer this step came")
        if not draft.moves:
            self._act_on(tree, left, draft)
        return draft.moves

    def _judges(self, left: Left) -> bool:
        """An appraisal decides whether to search on: where no search is left it is of no use."""
        return left.can_act() and relative_cost({_TOKENS: self.appraise_tokens}, _limits(left)) is not None

    def _act_on(self, tree: SearchTree, left: Left, draft: Draft) -> None:
        node, option = best_search(tree, draft)
        at = self._situation(tree, left, node, option)
        by = self.coefficients if self.penalty else replace(self.coefficients, cost=0.0)
        action, worth = choose(at, by)
        why = f"{action}: score {worth:.3g} under pressure {at.rho:.2g}, support {at.support:.2g}"
        if node is None or action == "answer":
            self._answer(tree, draft, why)
        elif action == "decompose" and draft.plan(node, why=why):
            return
        elif option is not None:
            draft.act(node, option, mode=_mode(node), why=why)
        else:
            draft.propose(node, self.children, mode=_mode(node), why=why)

    def _situation(self, tree: SearchTree, left: Left, node: TreeNode | None, option: int | None) -> Situation:
        made = None if node is None or option is None else node.options[option]
        return Situation(
            rho=left.pressure,
            costs=self._costs(left, node, proposed=made is not None),
            gain=self.unproposed_gain if made is None else max(0.0, min(1.0, made.gain)),
            loop=0.0 if made is None else likeness(made, tree),
            hops=hops_needed(tree),
            open_hops=hops_missing(tree),
            support=support_of(best_supported(tree), self.root),
            searches=len(tree) - 1,
            idle=idle_plans(tree),
            answerable=self.stops and not answered_in_vain(tree),
        )

    def _costs(self, left: Left, node: TreeNode | None, *, proposed: bool) -> dict[Action, float]:
        """What each action takes of what is left; an action that the budget does not pay for is not in it."""
        limits = _limits(left)
        judged = self.appraise_tokens if left.can_act(2) else 0
        searched = judged + (0 if proposed else self.propose_tokens)
        costs: dict[Action, float | None] = {"answer": relative_cost({_TOKENS: self.answer_tokens}, limits)}
        if node is not None:
            costs["search"] = relative_cost({_CALLS: 1, _TOKENS: searched}, limits)
            after = {_CALLS: 1, _TOKENS: self.plan_tokens + self.propose_tokens + judged}
            if relative_cost(after, limits) is not None:  # sub-questions that cannot be searched for are no use
                costs["decompose"] = relative_cost({_TOKENS: self.plan_tokens}, limits)
        return {action: cost for action, cost in costs.items() if cost is not None}

    def _answer(self, tree: SearchTree, draft: Draft, why: str) -> None:
        """Take the answer that was proposed on the same evidence, else ask for one."""
        given = told_answers(tree.answers)
        node = best_supported(tree)
        if given and (given[-1].node == node.id or answered_in_vain(tree)):
            self._finish(tree, draft, given[-1])
        elif answered_in_vain(tree):
            draft.finish("", why="no answer came of what was found")
        else:
            draft.answer(node, why=why)

    def _finish(self, tree: SearchTree, draft: Draft, given: Given) -> None:
        if not self.finalizes:
            draft.finish(given.text, given.node, why="answered")
            return
        found = Reader().kept(tree.question, tree, self.evidence)
        resolved = hops_needed(tree) == 1 or not hops_missing(tree)
        final = finalize(
            tree.question,
            given.text,
            refine(tree.question, found),
            found,
            resolved=resolved,
            ambiguous=cues(tree.question).ambiguous,
        )
        done = "kept as it was given" if final.kept else "replaced by what the evidence has"
        draft.finish(final.answer, given.node, why=f"{done}: {final.reason}")


def _answered(tree: SearchTree) -> Given | None:
    """The newest answer that was asked for and tells something."""
    asked = (given for given in reversed(tree.answers) if tree.moves[given.move].kind == "answer")
    return next((given for given in asked if not is_none(given.text)), None)


def _limits(left: Left) -> dict[str, int]:
    """Tool calls and output tokens left, where they are limited; a limit on all tokens is one on output as well."""
    tokens = left.get("output_tokens", left.get("total_tokens"))
    limits = {_CALLS: left.tools, _TOKENS: tokens}
    return {name: units for name, units in limits.items() if units is not None}


def _mode(node: TreeNode) -> Mode:
    return "widen" if node.children else "deepen"
