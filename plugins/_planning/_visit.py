"""One visit of a planner's node: from what the graph's tools said to the next message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, final

from langchain_core.messages import AIMessage

from budgetkit import BudgetExceeded, BudgetTooSmall, Spend

from .._ends import MARK, AtEnd, ask_person, leave, mark, notice
from .._errors import in_graph
from .._extract import extract_answer
from .._refused import refused_rounds
from .._tool_gate import PAYER
from .._wrap_up import Findings
from ._answers import is_none
from ._conversation import results_by_call
from ._evidence import query_of
from ._state import SEARCH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage

    from .._words import Passage
    from ._acts import Acts
    from ._evidence import Reader
    from ._moves import Move
    from ._node_of import TreeNode
    from ._search import Search

__all__ = ["Visit"]

_NOTHING: Final = "No answer was found"
_BARRED: Final = 2
"""Rounds of calls in a row, all refused by another budget, after which no further one is asked for."""


@final
@dataclass(frozen=True, slots=True)
class Visit:
    """What a visit needs beside the search itself.

    Attributes:
        name: the search's name.
        place: names the visit: the same when it is entered anew.
        search: the search.
        acts: its tool calls.
        reader: reads what was found.
        keep: passages to answer from.
        at_end: what happens when the budget ends.
    """

    name: str
    place: str
    search: Search
    acts: Acts
    reader: Reader
    keep: int
    at_end: AtEnd

    async def message(self, messages: Sequence[BaseMessage]) -> AIMessage:
        """The next message: tool calls, or the answer.

        Raises:
            BudgetExceeded: the budget ended and that is the end that was chosen; or it was one further out.
        """
        results = await self.acts.collect(self.search.tree, results_by_call(messages))
        for move, result in results.items():
            self.search.told(self.search.tree.moves[move], result)
        if len(list(refused_rounds(messages))) >= _BARRED:
            return await self._answer(None)
        refusal, topped_up = await self.search.go(), 0
        while refusal is not None:
            end = await self._ending(refusal)
            if end is None:
                return await self._answer(refusal)
            if not isinstance(end, Spend):
                return end
            run, way = self.search.run, self.search.way
            await way.top_up(run.scope.ledger, run.owner, end, f"plan:{self.name}:{self.place}?{topped_up}")
            refusal, topped_up = await self.search.go(), topped_up + 1
        return self._calls() or await self._answer(None)

    async def _ending(self, refusal: BudgetExceeded) -> Spend | AIMessage | None:
        """What the chosen end does: leave the graph, a notice, a person's top-up; None for an answer."""
        if isinstance(refusal, BudgetTooSmall) or not self.search.run.owns(refusal):
            raise in_graph(refusal) from None
        leave(self.at_end, refusal)
        if self.at_end == "stop":
            await self.search.conclude()
            return notice(refusal)
        return ask_person(refusal) if self.at_end == "ask" else None

    def _calls(self) -> AIMessage | None:
        """The tool calls under way, as one message; None if there is none."""
        tree = self.search.tree
        acts = [move for move in tree.pending.values() if move.kind == "act"]
        if not acts:
            return None
        payer = list(self.search.run.scope.account)
        about = {SEARCH: {"id": self.name, "moves": [_told_of(move) for move in acts]}, PAYER: payer}
        return AIMessage("", tool_calls=[self.acts.call(tree, move) for move in acts], response_metadata=about)

    async def _answer(self, refusal: BudgetExceeded | None) -> AIMessage:
        """The last message: what the search says; else an answer from what was kept for it; else in words alone."""
        text, how, streamed = await self.search.conclude(), "answer", None
        if not text:
            text, streamed = await self._from_reserve()
        if not text:
            text, how = self._in_words(refusal), "free answer"
        marks = {} if refusal is None else {MARK: mark(how, refusal)}
        return AIMessage(text, id=streamed, response_metadata={**marks, SEARCH: self._summary()})

    async def _from_reserve(self) -> tuple[str, str | None]:
        """What the model says, and the id under which its tokens were streamed: it is one message."""
        model = getattr(self.search.policy, "model", None)
        if model is None:
            return "", None

        async def do() -> list[Any]:
            message = await self.search.till.last(model, self._findings())
            return [message.text.strip(), message.id] if message else ["", None]

        (said,) = await self.search.remember(do)
        if isinstance(said, BudgetExceeded):
            if not self.search.run.owns(said):
                raise in_graph(said)
            return "", None
        text, streamed = said
        return ("", None) if not text or is_none(text) else (text, streamed)

    def _in_words(self, refusal: BudgetExceeded | None) -> str:
        why = "" if refusal is None else f" ({refusal.resource}: {refusal.spent} of {refusal.limit} used)"
        answer = extract_answer(self.search.task.question, kept) if (kept := self._kept()) else ""
        if not answer:
            return f"{_NOTHING}{' before the budget ended' if refusal else ''}{why}."
        return f"{answer}\n\n(Read from the findings without a model{': the budget ended' if refusal else ''}{why}.)"

    # -- what there is to answer from -------------------------------------------------------------------------------

    def _steps(self) -> list[TreeNode]:
        return [node for node in self.search.tree if node.seen is not None]

    def _kept(self) -> list[Passage]:
        return self.reader.kept(self.search.task.question, self._steps(), self.keep)

    def _findings(self) -> Findings:
        """The best passages last: it is the newest that a prompt which is cut keeps."""
        kept = [f"[{rank}] {p.title}\n{p.text}" for rank, p in enumerate(self._kept(), start=1)]
        return Findings(self.search.task.question, tuple(reversed(kept)), tuple(kept), begun=bool(kept))

    def _summary(self) -> dict[str, Any]:
        """What the last message says of the search: for reports."""
        tree = self.search.tree
        return {
            "id": self.name,
            "strategy": tree.strategy,
            "nodes": len(tree),
            "moves": len(tree.moves),
            "answers": [given.text for given in tree.answers],
            "queries": [query_of(node.made) for node in tree if node.made],
            "kept": [passage.title for passage in self._kept()],
        }


def _told_of(move: Move) -> dict[str, str]:
    return {"id": move.id, "mode": move.mode, "why": move.why}
