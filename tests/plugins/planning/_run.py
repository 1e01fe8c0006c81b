"""A search in memory whose tokens are counted, and whose results come back in any order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from budgetkit.plugins import (
    Answer,
    Appraisal,
    Left,
    Lost,
    Move,
    Observation,
    Option,
    Options,
    Plan,
    SearchTree,
    Strategy,
    TreeNode,
)

__all__ = ["LAST_WORD", "Thinks", "Thought", "World", "give", "grow", "scripted"]

Thought = Plan | Options | Appraisal | Answer | Lost
"""What a thought comes to."""
Thinks = Callable[[Move, TreeNode], Thought]
"""What is made of a move that is a thought, at its node."""

LAST_WORD = "from the reserve"
MOST = 400
"""Rounds after which a search of these sizes is taken to have no end."""


@dataclass(slots=True)
class World:
    """Thinks, acts and counts; what the caps do not pay for is refused before it is done.

    Attributes:
        strategy: who asks.
        thinks: who thinks.
        calls: the cap on tool calls.
        tokens: the cap on output tokens.
        reserve: how many of them are kept for the answer.
        costs: tokens that a thought takes, by kind; 10 if it is not there.
        question: what is searched for.
        acts: what a tool says.
        seed: of the order in which results come back.
    """

    strategy: Strategy
    thinks: Thinks
    calls: int = 5
    tokens: int = 1000
    reserve: int = 0
    costs: Mapping[str, int] = field(default_factory=dict[str, int])
    question: str = "When was the company that built Alpha founded?"
    acts: Callable[[Option], Observation] = lambda option: Observation(f"found by {option.key}")
    seed: int = 0
    used: Counter[str] = field(default_factory=Counter[str])
    tree: SearchTree = field(init=False)

    def __post_init__(self) -> None:
        self.tree = SearchTree(self.question, self.strategy.name, self.strategy.valuation)

    @property
    def caps(self) -> dict[str, int]:
        return {"tool_calls": self.calls, "output_tokens": self.tokens}

    @property
    def left(self) -> Left:
        left = {name: cap - self.used[name] for name, cap in self.caps.items()}
        return Left({**left, "output_tokens": max(0, left["output_tokens"] - self.reserve)}, self.caps)

    def go(self, batch: int = 1) -> str:
        """Search to the end; the answer."""
        chance = random.Random(self.seed)
        for _ in range(MOST):
            moves = self.tree.mark(self.strategy.ask(self.tree, self.left, batch))
            if self.tree.finished:
                return self.tree.finished.answer
            assert moves, "nothing is under way, and nothing is asked for"
            results = {move.id: self._carry_out(move) for move in moves}
            for key in chance.sample(sorted(results), len(results)):
                told = results[key]
                self.tree.tell(key, told) if told is not None else self.tree.lose(key, "not paid for")
            if None in results.values():
                return self._conclude()
        raise AssertionError(f"no end after {MOST} rounds: {list(self.tree.moves)}")

    def _carry_out(self, move: Move) -> Thought | Observation | None:
        if move.kind == "act":
            assert self.used["tool_calls"] < self.calls
            self.used["tool_calls"] += 1
            return self.acts(self.tree.nodes[move.parent].options[move.option])
        cost, kept = self.costs.get(move.kind, 10), 0 if move.kind == "answer" else self.reserve
        if cost > self.tokens - self.used["output_tokens"] - kept:
            return None
        self.used["output_tokens"] += cost
        return self.thinks(move, self.tree.nodes[move.node])

    def _conclude(self) -> str:
        """What the strategy says when nothing at all is left."""
        broke = Left(dict.fromkeys(self.caps, 0), self.caps)
        while not self.tree.finished:
            for move in self.tree.mark(self.strategy.ask(self.tree, broke)):
                self.tree.lose(move.id, "not paid for")
        return self.tree.finished.answer or self._last_word()

    def _last_word(self) -> str:
        """An answer of whoever runs the search, from what was kept for it."""
        cost = self.costs.get("answer", 10)
        if cost > self.tokens - self.used["output_tokens"]:
            return ""
        self.used["output_tokens"] += cost
        return LAST_WORD


def scripted(
    deltas: Mapping[str, int] | None = None,
    *,
    supports: Mapping[str, float] | None = None,
    gains: tuple[float, ...] = (0.5,),
    answer: str = "1937",
    hops: int = 0,
) -> Thinks:
    """A mind with a script: progress and support by node, the same gains everywhere, the same answer."""

    def think(move: Move, node: TreeNode) -> Thought:
        match move.kind:
            case "plan":
                return Plan(hops=hops)
            case "propose":
                queries = (f"{node.id} {node.rounds} {i}" for i in range(len(gains)))
                options = (Option("search", {"query": q}, gain=g) for q, g in zip(queries, gains, strict=True))
                return Options(tuple(options))
            case "appraise":
                return Appraisal((deltas or {}).get(node.id, 0), (supports or {}).get(node.id))
            case _:
                return Answer(answer)

    return think


def grow(tree: SearchTree, parent: str, *deltas: int) -> list[str]:
    """Children of a node, made and appraised; their ids."""
    node = tree.nodes[parent]
    key = f"propose:{parent}:{node.rounds}"
    tree.mark([Move(id=key, kind="propose", node=parent)])
    queries = [Option("search", {"query": f"{key} {i}"}) for i in range(len(deltas))]
    first = len(node.options)
    tree.tell(key, Options(tuple(queries)))
    made = [f"{parent}.{len(node.children) + i}" for i in range(len(deltas))]
    for i, (child, delta) in enumerate(zip(made, deltas, strict=True)):
        acts = Move(id=f"act:{child}", kind="act", node=child, option=first + i)
        judges = Move(id=f"appraise:{child}", kind="appraise", node=child)
        tree.mark([acts])
        tree.tell(acts.id, Observation(f"found {child}"))
        tree.mark([judges])
        tree.tell(judges.id, Appraisal(delta))
    return made


def give(tree: SearchTree, node: str, text: str, confidence: float | None = None) -> None:
    """An answer that was asked for at a node."""
    move = Move(id=f"answer:{node}:{tree.nodes[node].asked}", kind="answer", node=node)
    tree.mark([move])
    tree.tell(move.id, Answer(text, confidence))
