"""Searches that got somewhere, as a policy sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from budgetkit.plugins import (
    Left,
    Move,
    Observation,
    Option,
    Options,
    Plan,
    SearchTree,
    Task,
    ToolSpec,
    Verdict,
    View,
)

QUESTION = "Who designed the bridge of the town where the poet was born?"


def spec(name: str, *required: str, **properties: Mapping[str, Any]) -> ToolSpec:
    """A tool; arguments that are not required may be left out."""
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return ToolSpec(name, f"What {name} is for.", schema)


SEARCH = spec("search", "query", query={"type": "string", "description": "what to look for"})


class Searching:
    """A search that is told what it finds, step by step."""

    def __init__(self, *tools: ToolSpec, background: str = "") -> None:
        self.task = Task(QUESTION, background, tools or (SEARCH,))
        self.tree = SearchTree(QUESTION, "test")

    def step(self, found: str, *, at: str = "0", query: str = "", error: bool = False) -> str:
        """Make a search below a node; returns the new node."""
        node = self.tree.nodes[at]
        option = Option("search", {"query": query or f"query {len(self.tree)}"})
        self._tell(Move(id=f"propose:{at}:{node.rounds}", kind="propose", node=at), Options((option,)))
        child = f"{at}.{len(node.children)}"
        act = Move(id=f"act:{child}", kind="act", node=child, option=len(node.options) - 1)
        self._tell(act, Observation(found, error))
        return child

    def plan(self, plan: Plan, at: str = "0") -> None:
        """Make a plan at a node."""
        self._tell(Move(id=f"plan:{at}:{len(self.tree.nodes[at].plans)}", kind="plan", node=at), plan)

    def verdict(self, verdict: Verdict, at: str) -> None:
        """Judge an answer at a node."""
        key = f"verify:{at}:{len(self.tree.nodes[at].verdicts)}"
        self._tell(Move(id=key, kind="verify", node=at), verdict)

    def propose(self, options: Sequence[Option], at: str = "0") -> None:
        """Propose at a node."""
        key = f"propose:{at}:{self.tree.nodes[at].rounds}"
        self._tell(Move(id=key, kind="propose", node=at), Options(tuple(options)))

    def view(self, at: str = "0", **how: Any) -> View:
        """The search as it is seen from a node."""
        return View(self.task, self.tree, self.tree.nodes[at], Left({}, {}), **how)

    def _tell(self, move: Move, result: Any) -> None:
        self.tree.mark([move])
        self.tree.tell(move.id, result)


def passages(*named: str) -> str:
    """A search result with these passages."""
    return "\n\n".join(f"[{rank}] {name}\n{name} is a text of its own." for rank, name in enumerate(named, 1))
