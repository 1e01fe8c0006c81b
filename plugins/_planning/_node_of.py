"""One node of a search tree, and how it is valued."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ._results import DELTA

if TYPE_CHECKING:
    from ._results import Appraisal, Observation, Option, Plan, Verdict

__all__ = ["HIGHEST", "LOWEST", "TreeNode", "Valuation"]

LOWEST: Final = 1
HIGHEST: Final = 10
_THOUSANDTHS: Final = 100
"""A score of 1 to 10 is a value of 0.1 to 1.0: never 0, so that every open node can be selected."""


@dataclass(frozen=True, slots=True)
class Valuation:
    """How a tree values its nodes (BAVT, arXiv 2603.12634; what no source states is marked).

    Attributes:
        root: the root's score, 1 to 10 (stated nowhere; with 3 one step of +4 is deepened rather than answered).
        residual: a step's progress is added to its parent's score; off: to the root's, whatever the parent was worth.
        blend: the children's share in a node's worth once the first answer is there (the paper's back-up formula is
            unknown): ``(1 - blend) * V + blend * mean(worth of children)``.
        progress_only: a step that brought nothing is not gone on from.
        answer_ends: neither is a node whose answer was asked for, and came.
        independent: each child of the root is an attempt of its own, which sees nothing of the others.
        keeps: iterations since the last summary (calls, and answers that were verified) that a further verdict leaves
            in view; 0: each summary replaces the steps before it (the K of BATS, arXiv 2511.17006).
    """

    root: int = 3
    residual: bool = True
    blend: float = 0.5
    progress_only: bool = False
    answer_ends: bool = False
    independent: bool = False
    keeps: int = 0

    def __post_init__(self) -> None:
        """Refuse what is no valuation."""
        if not LOWEST <= self.root <= HIGHEST:
            raise ValueError(f"root={self.root!r} is no score: use {LOWEST} to {HIGHEST}")
        if not 0 <= self.blend <= 1:
            raise ValueError(f"blend={self.blend!r} is no share: use 0 to 1")

    def score(self, parent: int, delta: int) -> int:
        """The score of a step that made ``delta`` progress from a node with the score ``parent``."""
        step = max(-DELTA, min(DELTA, delta))
        return max(LOWEST, min(HIGHEST, (parent if self.residual else self.root) + step))


@dataclass(slots=True, eq=False)
class TreeNode:
    """A state of the search: what was done to get here, what came of it, and what could be done next.

    Attributes:
        id: the path from the root: ``0.2.1``.
        number: its place in the order in which nodes were made.
        parent: the node above; None for the root.
        made: the option that was taken to get here; None for the root.
        seen: what came of it; None until it is told.
        score: 1 to 10.
        appraisal: what the critic said; None until it is told.
        options: what could be done from here, in the order in which it was proposed.
        newest: where in them the newest begin.
        taken: which of them were.
        rounds: how often options were asked for here, in all.
        dry: whether the last proposal brought nothing new.
        busy: proposals and plans under way here.
        plans: plans made here, the newest last.
        verdicts: what the verifier said of answers given here, the newest last.
        asked: how often an answer was asked for here.
        answered: whether one came.
        lost: why it came to nothing; None if it did not.
        worth: in thousandths, as it was weighed last.
        below: the worth of the children that were reached, summed up.
        counted: how many those are.
        is_counted: whether this node is among its parent's.
    """

    id: str
    number: int
    parent: TreeNode | None
    made: Option | None
    score: int
    seen: Observation | None = None
    appraisal: Appraisal | None = None
    options: list[Option] = field(default_factory=list["Option"])
    newest: int = 0
    taken: set[int] = field(default_factory=set[int])
    rounds: int = 0
    dry: bool = False
    busy: int = 0
    children: list[TreeNode] = field(default_factory=list["TreeNode"])
    plans: list[Plan] = field(default_factory=list["Plan"])
    verdicts: list[Verdict] = field(default_factory=list["Verdict"])
    asked: int = 0
    answered: bool = False
    lost: str | None = None
    worth: int = 0
    below: int = 0
    counted: int = 0
    is_counted: bool = False

    @property
    def depth(self) -> int:
        """Steps from the root."""
        return self.id.count(".")

    @property
    def value(self) -> float:
        """The score as a value, 0.1 to 1.0."""
        return self.score / HIGHEST

    @property
    def reached(self) -> bool:
        """Whether its result is there; the root's always is."""
        return self.parent is None or self.seen is not None

    @property
    def untried(self) -> list[int]:
        """Options that were not taken, by index; the best first, as they were proposed."""
        return [i for i in range(len(self.options)) if i not in self.taken]

    def path(self) -> list[TreeNode]:
        """The nodes from the root down to this one, both included."""
        steps: list[TreeNode] = []
        node: TreeNode | None = self
        while node is not None:
            steps.append(node)
            node = node.parent
        return steps[::-1]

    @property
    def brought_nothing(self) -> bool:
        """Whether its step failed, or the critic saw no progress in it."""
        failed = self.seen is not None and self.seen.error
        return failed or (self.appraisal is not None and self.appraisal.delta <= 0)

    def is_open(self, how: Valuation) -> bool:
        """Whether the search can go on from here."""
        over = (how.progress_only and self.brought_nothing) or (how.answer_ends and self.answered)
        return self.reached and not over and not self.busy and (not self.dry or len(self.taken) < len(self.options))

    def rate(self, how: Valuation) -> int:
        """Its score: that of its parent, and the progress from there once the critic has told."""
        above = self.parent.score if self.parent else how.root
        return above if self.appraisal is None else how.score(above, self.appraisal.delta)

    def weigh(self, how: Valuation, *, backed: bool) -> int:
        """What it is worth, in thousandths: its value, and that of what lies below once there is an answer."""
        own = self.score * _THOUSANDTHS
        if not backed or not self.counted:
            return own
        return round((1 - how.blend) * own + how.blend * self.below / self.counted)

    def count(self, before: int) -> bool:
        """Let the parent know what this node is worth now; False if that changes nothing for it."""
        if self.parent is None or not self.reached or (self.is_counted and before == self.worth):
            return False
        self.parent.below += self.worth - (before if self.is_counted else 0)
        self.parent.counted += not self.is_counted
        self.is_counted = True
        return True
