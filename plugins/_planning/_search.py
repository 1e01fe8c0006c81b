"""One search, during one visit of its node: ask, think, tell, until tools have to act or the search is over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, final

from budgetkit import BudgetExceeded, BudgetTooSmall

from .._errors import in_graph
from .._tracker import status
from ._events import asked_event, told_event
from ._left import Left
from ._moves import ROOT, Move
from ._refusals import read_refusal, write_refusal
from ._results import Finish, Lost, dump, load
from ._thinking import think
from ._view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .._runs import Run
    from .._ways import Way
    from ._acts import Acts
    from ._policy import Policy
    from ._remember import Do, Remember
    from ._results import Result
    from ._strategy import Strategy
    from ._till import Till
    from ._tree import SearchTree
    from ._view import Task

__all__ = ["Search"]

_ROUNDS: Final = 10_000
"""Rounds of asking after which a search is taken to be stuck: a strategy of the user's own may never end."""
_ENDED: Final = "the budget ended"
_REFUSED: Final = "refused"


@final
@dataclass(slots=True)
class Search:
    """What a search needs while it runs.

    Attributes:
        leaves: whether the graph is left when the budget ends, so that a thought that was refused is tried again when
            the graph goes on. Else the refusal is remembered: what came after it, came after it.
    """

    way: Way
    run: Run
    till: Till
    acts: Acts
    remember: Remember
    tree: SearchTree
    task: Task
    strategy: Strategy
    policy: Policy
    parallel: int
    leaves: bool
    tell: Callable[[Mapping[str, Any]], None]
    _left: Left = field(default_factory=lambda: Left({}, {}))
    _status: str = ""

    async def go(self) -> BudgetExceeded | None:
        """Go on until tools have to act, the search is over or stuck, or the budget does not pay for a thought."""
        for _ in range(_ROUNDS):
            if thoughts := self._thoughts():
                if (refusal := await self._thought(thoughts)) is not None:
                    return refusal
            elif self.tree.finished or self.tree.pending or not await self._asked():
                return None
        raise RuntimeError(f"strategy {self.strategy.name!r} asked {_ROUNDS} times without an end")

    def view(self, move: Move) -> View:
        """What the policy sees for a move."""
        return View(
            self.task,
            self.tree,
            self.tree.nodes[move.node],
            self._left,
            move.mode,
            self._status if self.strategy.tracker else "",
            self.strategy.newest_only,
        )

    async def conclude(self) -> str:
        """The answer of a search that cannot go on: what the strategy says when nothing at all is left.

        It is over from then on, whatever the strategy says.
        """
        await self.acts.give_back(self.tree)
        for under_way in list(self.tree.pending.values()):
            self.told(under_way, Lost(_ENDED))
        broke = Left(dict.fromkeys(self._left.caps, 0) | {"tool_calls": 0}, self._left.caps)
        for _ in range(_ROUNDS):
            moves = [] if self.tree.finished else self.tree.mark(self.strategy.ask(self.tree, broke, 1))
            for move in moves:
                self.tree.lose(move.id, _ENDED)
            if not moves:
                break
        end = self.tree.finished or Finish("")
        self.tree.mark([Move(id="finish", kind="finish", node=ROOT, why=_ENDED)])
        return end.answer or (self.tree.answers[-1].text if self.tree.answers else "")

    # -- asking -----------------------------------------------------------------------------------------------------

    def _thoughts(self) -> list[Move]:
        """Thoughts under way: asked for, and not told yet."""
        return [move for move in self.tree.pending.values() if move.kind != "act"]

    async def _asked(self) -> bool:
        """Ask what to do next; False for nothing. What was left at that moment is remembered: it decided."""
        step = await self._once(self._ask)
        self._left, self._status = Left(step["left"], step["caps"]), step["status"]
        marked = self.tree.mark(Move.from_json(move) for move in step["moves"])
        for move in marked:
            if move.kind == "finish":
                self.tell(told_event(self.tree, move, move.end))
        acts = [move for move in marked if move.kind == "act"]
        if acts:
            await self._set_aside(acts)
        return bool(marked)

    async def _ask(self) -> dict[str, Any]:
        states = await self.way.states(self.run.scope)
        left = Left.of(states)
        moves = [move for move in self.strategy.ask(self.tree, left, self.parallel) if move.id not in self.tree.moves]
        for move in moves:
            self.tell(asked_event(self.tree, move, left))
        return {
            "moves": [move.to_json() for move in moves],
            "left": dict(left.left),
            "caps": dict(left.caps),
            "status": status(states, self.run.scope.budget.levels),
        }

    async def _set_aside(self, acts: list[Move]) -> None:
        """Set calls aside; those that are not paid for are lost. It is a step of its own: asking changes no books."""

        async def do() -> dict[str, str]:
            return {move.id: why for move in acts if (why := await self.acts.set_aside(self.tree, move))}

        refused = await self._once(do)
        for move in acts:
            if move.id in refused:
                self.told(move, Lost(refused[move.id]))

    async def _once(self, do: Do) -> Any:
        (came,) = await self.remember(do)
        if isinstance(came, BudgetExceeded):
            raise in_graph(came)
        return came

    # -- thinking ---------------------------------------------------------------------------------------------------

    async def _thought(self, moves: list[Move]) -> BudgetExceeded | None:
        """Think all of these; the first refusal, once all have come back."""
        results = [_or_refusal(came) for came in await self.remember(*map(self._thinker, moves))]
        refusals = [came for came in results if isinstance(came, BudgetExceeded)]
        for move, came in zip(moves, results, strict=True):
            if not isinstance(came, BudgetExceeded):
                self.told(move, load(move.kind, came))
        return refusals[0] if refusals else None

    def told(self, move: Move, result: Result) -> None:
        """Record what a move came to, and let whoever watches know."""
        self.tree.tell(move.id, result)
        self.tell(told_event(self.tree, move, result))

    def _thinker(self, move: Move) -> Do:
        async def do() -> dict[str, Any]:
            try:
                return dump(move.kind, await self._paid(move))
            except BudgetTooSmall:
                raise
            except BudgetExceeded as refusal:
                if self.leaves or not self.run.owns(refusal):
                    raise
                return {_REFUSED: write_refusal(refusal)}

        return do

    async def _paid(self, move: Move) -> Result:
        """Think; an answer that what is left does not pay for may use what was kept for it."""
        view = self.view(move)
        try:
            return await think(move, view, self.policy, self.till)
        except BudgetExceeded as refusal:
            if move.kind != "answer" or not self.run.owns(refusal):
                raise
            return await think(move, view, self.policy, self.till.from_reserve)


def _or_refusal(came: Any) -> Any:
    """What a thought came to; a refusal as the exception that it was."""
    return read_refusal(came[_REFUSED]) if not isinstance(came, BudgetExceeded) and _REFUSED in came else came
