"""Tool calls of a search: set aside when they are asked for, booked when the graph's tools have answered."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final, final

from langchain_core.messages.tool import ToolCall

from budgetkit import BudgetExceeded, Reservation

from .._tool_gate import PLANNED
from ._conversation import observation_of, was_refused
from ._results import Lost

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.messages import ToolMessage

    from .._runs import Run
    from .._tariff import Tariff
    from .._ways import Way
    from ._moves import Move
    from ._results import Result
    from ._tree import SearchTree

__all__ = ["Acts", "call_id"]

_NO_RESULT: Final = "the graph gave no result of this call"


def call_id(search: str, move: str, visit: str) -> str:
    """The id of a move's tool call: the same when its visit is entered anew, and no other search's or visit's."""
    return PLANNED + sha256(f"{search}/{move}/{visit}".encode()).hexdigest()[:24]


@final
class Acts:
    """Pays for the tool calls of one search.

    A call is reserved under its own id before the graph sees it. A budget's own tool node finds that reservation and
    settles it; behind any other tool node it is booked here, when the graph comes back.

    Args:
        way: sync or async.
        run: who pays.
        search: the search's name.
        visit: the visit's name: from an older checkpoint it is another one, and its calls are paid for anew.
        tariff: what the tools cost.
        known: the ids of calls that earlier visits asked for, by move.
    """

    def __init__(
        self, way: Way, run: Run, search: str, visit: str, tariff: Tariff, known: Mapping[str, str] | None = None
    ) -> None:
        self._way = way
        self._run = run
        self._search = search
        self._visit = visit
        self._tariff = tariff
        self._known = known or {}
        self._aside: dict[str, Reservation] = {}

    def ids(self, tree: SearchTree) -> dict[str, str]:
        """The ids of the calls under way, by move."""
        return {move.id: self._id(move) for move in _under_way(tree)}

    def call(self, tree: SearchTree, move: Move) -> ToolCall:
        """The tool call that the graph is asked to make."""
        option = tree.nodes[move.parent].options[move.option]
        return ToolCall(name=option.tool, args=dict(option.args), id=self._id(move), type="tool_call")

    async def set_aside(self, tree: SearchTree, move: Move) -> str:
        """Reserve a call; nobody's clock runs for it until a tool works on it. Says why if it is not paid for.

        Raises:
            BudgetExceeded: of a budget further out.
        """
        ledger, wanted = self._run.scope.ledger, self._held(tree, move)
        self._aside[wanted.id] = wanted  # also if this is cancelled before the ledger answers
        try:
            held = await self._way.reserve(ledger, wanted.account, wanted.asked, id=wanted.id, label=wanted.label)
        except BudgetExceeded as refusal:
            if not self._run.owns(refusal):
                raise
            return str(refusal)
        self._aside[wanted.id] = held
        await self._way.pause(ledger, held)
        return ""

    async def give_back(self, tree: SearchTree) -> None:
        """Release the calls under way: the graph has not seen them, and will not."""
        for move in _under_way(tree):
            held = self._aside.get(self._id(move)) or self._held(tree, move)
            await self._way.release(self._run.scope.ledger, held)

    async def let_go(self) -> None:
        """Release whatever this visit set aside: it broke off, and nothing is kept to go on from."""
        for held in self._aside.values():
            await self._way.release(self._run.scope.ledger, held)

    async def collect(self, tree: SearchTree, results: Mapping[str, ToolMessage]) -> dict[str, Result]:
        """What the calls under way came to, each booked.

        One without a result may have been made all the same, so it is booked as well; only what another budget refused
        was surely not made.
        """
        told: dict[str, Result] = {}
        for move in _under_way(tree):
            message = results.get(self._id(move))
            told[move.id] = Lost(_NO_RESULT) if message is None else observation_of(message)
            await self._book(self._held(tree, move), refused=message is not None and was_refused(message))
        return told

    async def _book(self, held: Reservation, *, refused: bool) -> None:
        ledger = self._run.scope.ledger
        if refused:
            await self._way.release(ledger, held)
        else:
            await self._way.charge(ledger, held.account, held.asked, id=held.id, label=held.label)

    def _held(self, tree: SearchTree, move: Move) -> Reservation:
        """What is set aside for a call, as the ledger finds it by its name."""
        option = tree.nodes[move.parent].options[move.option]
        asked = self._tariff.of(option.tool, option.args)
        return Reservation(self._id(move), self._run.scope.account, f"tool:{option.tool}", asked)

    def _id(self, move: Move) -> str:
        return self._known.get(move.id) or call_id(self._search, move.id, self._visit)


def _under_way(tree: SearchTree) -> list[Move]:
    return [move for move in tree.pending.values() if move.kind == "act"]
