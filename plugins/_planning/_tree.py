"""The search tree: an explicit record of what was asked and what was told, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from ._answers import is_none
from ._frontier import Frontier
from ._moves import ROOT, Move
from ._node_of import TreeNode, Valuation
from ._results import (
    Answer,
    Appraisal,
    Finish,
    Lost,
    Observation,
    Option,
    Options,
    Plan,
    Result,
    Verdict,
    result_type,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Given", "SearchTree"]


@dataclass(frozen=True, slots=True)
class Given:
    """An answer that was given somewhere in the tree.

    Attributes:
        node: where.
        text: the answer.
        move: the move that brought it.
        confidence: 0 to 1, in the eyes of whoever answered; None: not told.
    """

    node: str
    text: str
    move: str
    confidence: float | None = None


@final
class SearchTree:
    """What was asked, what was told, and the tree that follows from it.

    A strategy reads it and asks for moves; the moves are marked here, carried out by anybody, and told here: in any
    order, some of them never. Telling twice is telling once: the first result stays. As JSON data it is two growing
    maps, moves and results, so that two copies merge by putting their entries together.

    Args:
        question: what is searched for.
        strategy: the name of who searches.
        valuation: how nodes are valued.

    Attributes:
        moves: what was asked for, by id, in order.
        told: what it came to, by id, in order.
        pending: what was asked for and not told yet.
        answers: the answers that were given, oldest first.
        finished: the end; None as long as there is none.
        frontier: the nodes that can be gone on from.
        offered: numbers of the nodes whose newest options wait for one of them to be taken.
        unjudged: numbers of the nodes that came to something and that nobody was asked to appraise.

    Example:
        >>> tree = SearchTree("Who designed the bridge?", "uniform")
        >>> [node.id for node in tree]
        ['0']
    """

    __slots__ = (
        "_backed", "_by_number", "_keys", "answers", "finished", "frontier", "moves", "nodes", "offered", "pending",
        "question", "strategy", "told", "unjudged", "valuation",
    )  # fmt: skip

    def __init__(self, question: str, strategy: str, valuation: Valuation | None = None) -> None:
        self.question = question
        self.strategy = strategy
        self.valuation = valuation or Valuation()
        self.moves: dict[str, Move] = {}
        self.told: dict[str, Result] = {}
        self.pending: dict[str, Move] = {}
        self.answers: list[Given] = []
        self.finished: Finish | None = None
        root = TreeNode(ROOT, 0, None, None, self.valuation.root)
        self.nodes: dict[str, TreeNode] = {ROOT: root}
        self.frontier = Frontier()
        self.offered: set[int] = set()
        self.unjudged: set[int] = set()
        self._by_number: list[TreeNode] = [root]
        self._keys: set[str] = set()
        self._backed = False
        self._refresh(root)

    def __iter__(self) -> Iterator[TreeNode]:
        """The nodes, in the order in which they were made."""
        return iter(self._by_number)

    def __len__(self) -> int:
        return len(self._by_number)

    @property
    def root(self) -> TreeNode:
        """The node of the question itself."""
        return self._by_number[0]

    def numbered(self, number: int) -> TreeNode:
        """The node with that number."""
        return self._by_number[number]

    def knows(self, option: Option, node: TreeNode) -> bool:
        """Whether this call was made, or is proposed, already: in the tree, or in its own attempt."""
        if not self.valuation.independent:
            return option.key in self._keys
        if node.parent is None:
            return False
        return any(option.key == step.made.key for step in node.path() if step.made)

    # -- asking and telling -----------------------------------------------------------------------------------------

    def mark(self, moves: Iterable[Move]) -> list[Move]:
        """Record that these moves are being carried out; those that are recorded already are left out.

        Raises:
            LookupError: a move is for a node or an option that is not there; those before it are recorded.
        """
        fresh: list[Move] = []
        for move in moves:
            if move.id in self.moves:
                continue
            self._check(move)
            fresh.append(move)
            self.moves[move.id] = self.pending[move.id] = move
            self._begun(move)
            if move.kind == "finish":
                self.tell(move.id, move.end)
        return fresh

    def tell(self, move: str, result: Result) -> bool:
        """Record what a move came to; False if it was told before, and nothing changes.

        Raises:
            LookupError: nobody asked for that move.
            TypeError: the result is not what such a move comes to.
        """
        asked = self.moves.get(move)
        if asked is None:
            raise LookupError(f"move {move!r} was never asked for: mark it first")
        if not isinstance(result, (Lost, result_type(asked.kind))):
            raise TypeError(
                f"move {move!r} was told {type(result).__name__}: a {asked.kind} comes to "
                f"{result_type(asked.kind).__name__}, or is Lost"
            )
        if move in self.told:
            return False
        self.told[move] = result
        del self.pending[move]
        self._apply(asked, result)
        return True

    def lose(self, move: str, why: str = "") -> bool:
        """Record that a move will not come back."""
        return self.tell(move, Lost(why))

    def _check(self, move: Move) -> None:
        at = self.nodes.get(move.parent if move.kind == "act" else move.node)
        if at is None:
            raise LookupError(f"move {move.id!r} is for node {move.node!r}: there is no such place in the tree")
        if move.kind == "act" and not 0 <= move.option < len(at.options):
            raise LookupError(
                f"move {move.id!r} takes option {move.option!r} of node {at.id!r}: it has {len(at.options)}"
            )

    # -- what follows -----------------------------------------------------------------------------------------------

    def _begun(self, move: Move) -> None:
        if move.kind == "act":
            self._grow(move)
            return
        node = self.nodes[move.node]
        node.rounds += move.kind == "propose"
        node.asked += move.kind == "answer"
        if move.kind == "appraise":
            self.unjudged.discard(node.number)
        node.busy += move.kind in {"propose", "plan"}
        self._refresh(node)

    def _grow(self, move: Move) -> None:
        parent = self.nodes[move.parent]
        option = parent.options[move.option]
        node = TreeNode(move.node, len(self._by_number), parent, option, parent.score)
        parent.taken.add(move.option)
        if move.option >= parent.newest:
            self.offered.discard(parent.number)
        parent.children.append(node)
        self.nodes[node.id] = node
        self._by_number.append(node)
        self._refresh(node)
        self._refresh(parent)

    def _apply(self, move: Move, result: Result) -> None:
        node = self.nodes[move.node]
        node.busy -= move.kind in {"propose", "plan"}
        match result:
            case Options():
                self._offer(move, node, result)
            case Observation():
                node.seen = result
                if not result.error:
                    self.unjudged.add(node.number)
            case Appraisal():
                node.appraisal = result
                self._rescore(node)
            case Plan():
                node.plans.append(result)
            case Verdict():
                node.verdicts.append(result)
            case Answer():
                node.answered |= bool(result.text.strip()) and not is_none(result.text)
                self._answered(Given(node.id, result.text.strip(), move.id, result.confidence))
            case Finish():
                self.finished = result
            case Lost():
                node.dry = node.dry or move.kind == "propose"
                node.lost = result.why if move.kind == "act" else node.lost
        self._refresh(node)

    def _offer(self, move: Move, node: TreeNode, offered: Options) -> None:
        fresh: dict[str, Option] = {}
        for option in offered.options:
            if option.tool and not self.knows(option, node):
                fresh.setdefault(option.key, option)
        if fresh:
            node.newest = len(node.options)
            node.options += fresh.values()
            self.offered.add(node.number)
        if not self.valuation.independent:
            self._keys.update(fresh)
        node.dry = not fresh
        for option in offered.options:
            if not option.tool:
                self._answered(Given(node.id, option.answer.strip(), move.id, option.gain))

    def _answered(self, given: Given) -> None:
        if not given.text:
            return
        self.answers.append(given)
        if not self._backed:
            self._backed = True  # the first answer: from now on a path is worth what lies below it, too
            for node in reversed(self._by_number):
                self._weigh(node)

    def _rescore(self, node: TreeNode) -> None:
        """Score a node anew, and what lies below it as far as that changes: critics tell in any order."""
        below = [node]
        while below:
            at = below.pop()
            before, at.score = at.score, at.rate(self.valuation)
            if at.score != before:
                self._refresh(at)
                below += at.children

    def _refresh(self, node: TreeNode) -> None:
        """Weigh a node anew, and what lies above it as far as that changes."""
        at: TreeNode | None = node
        while at is not None and self._weigh(at) and self._backed:
            at = at.parent

    def _weigh(self, node: TreeNode) -> bool:
        """Weigh one node anew; False if that changes nothing for its parent."""
        before, node.worth = node.worth, node.weigh(self.valuation, backed=self._backed)
        if node.is_open(self.valuation):
            self.frontier.put(node.number, node.worth)
        else:
            self.frontier.drop(node.number)
        return node.count(before)
