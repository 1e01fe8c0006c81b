"""What a policy sees when it is asked for something at a node."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ._results import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._left import Left
    from ._moves import Mode
    from ._node_of import TreeNode
    from ._results import Plan
    from ._tree import Given, SearchTree

__all__ = ["Task", "ToolSpec", "View"]


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool that the search may call.

    Attributes:
        name: as the graph knows it.
        description: what it is for.
        parameters: the JSON schema of its arguments.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Task:
    """What is searched for, and with what.

    Attributes:
        question: the task, in a person's words.
        background: what was said before, and what the user's own system prompt asks for; may be empty.
        tools: what may be called.
    """

    question: str
    background: str = ""
    tools: tuple[ToolSpec, ...] = ()


@dataclass(frozen=True)
class View:
    """The search as a policy sees it from one node.

    Attributes:
        task: what is searched for.
        tree: all of the search; read it, never tell it.
        node: where something is asked for.
        left: what is left of the budget.
        mode: deepen: go on from here; widen: try something different from what was tried here.
        status: the Budget Tracker's lines, for strategies that show them to the model; else empty.
        newest_only: show the newest tool result alone; what was found before is in the summary (BATS).
    """

    task: Task
    tree: SearchTree
    node: TreeNode
    left: Left
    mode: Mode = "deepen"
    status: str = ""
    newest_only: bool = False

    @cached_property
    def path(self) -> tuple[TreeNode, ...]:
        """The steps to here, oldest first, since the last summary: a summary replaces what came before it."""
        steps = self.node.path()
        summed = since = 0
        for i, step in enumerate(steps):
            since += i > 0
            for _ in step.verdicts:
                since += 1
                if since > self.tree.valuation.keeps:
                    summed, since = i, 0
        return tuple(step for step in steps[summed + 1 :] if step.reached)

    @cached_property
    def seen(self) -> tuple[TreeNode, ...]:
        """Every step whose result is there and that this node may know of, oldest first."""
        within = None
        if self.tree.valuation.independent and self.node.parent is not None:
            within = self.node.path()
        return tuple(step for step in (within or self.tree) if step.seen is not None and not step.seen.error)

    @cached_property
    def plan(self) -> Plan | None:
        """The newest plan on the way here; None if there is none."""
        return next((step.plans[-1] for step in reversed(self.node.path()) if step.plans), None)

    @cached_property
    def verdict(self) -> Verdict | None:
        """The verdict whose summary stands for what came before; None if there is none.

        The newest one on the way to this node; where there is none, that of the last attempt.
        """
        on_the_way = next((step.verdicts[-1] for step in reversed(self.node.path()[1:]) if step.verdicts), None)
        told = reversed(self.tree.told.values())
        return on_the_way or next((result for result in told if isinstance(result, Verdict)), None)

    @property
    def answers(self) -> tuple[Given, ...]:
        """Answers given so far, oldest first."""
        return tuple(self.tree.answers)
