"""Tool calls of a search: set aside when they are asked for, booked when the graph's tools have answered."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final, final

from langchain_core.messages.tool import ToolCall

from budgetkit import BudgetExceeded

from .._tool_gate import PLANNED
from ._conversation import observation_of, was_refused
from ._results import Lost

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.messages import ToolMessage

    from budgetkit import Spend

    from .._runs import Run
    from .._tariff import Tariff
    from .._ways import Way
    from ._moves import Move
    from ._results import Option, Result
    from ._tree import SearchTree

__all__ = ["Acts", "call_id"]

_NO_RESULT: Final = "the graph gave no result of this call"


def call_id(search: str, move: str) -> str:
    """The id of a move's tool call: the same whenever it is asked for, and no other search's."""
    return PLANNED + sha256(f"{search}/{move}".encode()).hexdigest()[:24]


@final
class Acts:
    """Pays for the tool calls of one search.

    A call is reserved under its own id before the graph sees it. A budget's own tool node finds that reservation and
    settles it; behind any other tool node it is booked here, when the graph comes back.

    Args:
        way: sync or async.
        run: who pays.
        search: the search's name.
        tariff: what the tools cost.
    """

    def __init__(self, way: Way, run: Run, search: str, tariff: Tariff) -> None:
        self._way = way
        self._run = run
        self._search = search
        self._tariff = tariff

    def call(self, move: Move, option: Option) -> ToolCall:
        """The tool call that the graph is asked to make."""
        return ToolCall(name=option.tool, args=dict(option.args), id=call_id(self._search, move.id), type="tool_call")

    async def set_aside(self, move: Move, option: Option) -> str:
        """Reserve a call; nobody's clock runs for it until a tool works on it. Says why if it is not paid for.

        Raises:
            BudgetExceeded: of a budget further out.
        """
        asked, ledger = self._price(option), self._run.scope.ledger
        try:
            held = await self._way.reserve(
                ledger, self._run.scope.account, asked, id=call_id(self._search, move.id), label=f"tool:{option.tool}"
            )
        except BudgetExceeded as refusal:
            if not self._run.owns(refusal):
                raise
            return str(refusal)
        await self._way.pause(ledger, held)
        return ""

    async def collect(self, tree: SearchTree, results: Mapping[str, ToolMessage]) -> dict[str, Result]:
        """What the calls under way came to, each booked.

        One without a result may have been made all the same, so it is booked as well; only what another budget refused
        was surely not made.
        """
        told: dict[str, Result] = {}
        for move in [move for move in tree.pending.values() if move.kind == "act"]:
            message = results.get(call_id(self._search, move.id))
            told[move.id] = Lost(_NO_RESULT) if message is None else observation_of(message)
            option = tree.nodes[move.node].made
            if option is not None:
                await self._book(move, option, refused=message is not None and was_refused(message))
        return told

    async def _book(self, move: Move, option: Option, *, refused: bool) -> None:
        ledger, account, name = self._run.scope.ledger, self._run.scope.account, call_id(self._search, move.id)
        if refused:
            await self._way.release(ledger, await self._way.reserve(ledger, account, self._price(option), id=name))
        else:
            await self._way.charge(ledger, account, self._price(option), id=name, label=f"tool:{option.tool}")

    def _price(self, option: Option) -> Spend:
        return self._tariff.of(option.tool, option.args)
