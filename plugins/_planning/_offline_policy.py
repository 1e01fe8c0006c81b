"""A policy that thinks in words alone: free, offline, deterministic, and the fall-back of every other one."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from .._extract import extract_answer
from .._keeping import progress, support
from .._leads import leads
from .._search_tools import pick_search_tool
from ._cues import cues
from ._evidence import Reader
from ._results import Answer, Appraisal, Option, Options, Plan, PlanStep, Verdict

if TYPE_CHECKING:
    from .._found import Found
    from .._leads import Lead
    from .._search_tools import SearchTool
    from ._policy import Pay
    from ._view import Task, View

__all__ = ["OfflinePolicy"]

_ENOUGH: Final = 0.8
_RESOLVES: Final = 3
"""Progress from which a step has resolved a hop."""


class OfflinePolicy:
    """Proposes, appraises, verifies and answers by words, without a model: a `Policy` that costs nothing.

    It follows names from passage to passage with the one tool of the task that takes a text to search for. It is weak:
    it understands nothing. Use it where everything has to run without a key, and as the floor of a comparison.

    Args:
        names: titles of the pages that can be found, if they are known: a closed collection has an index. Names that
            are titles are followed first.
        evidence: passages that an answer is read from.
    """

    model = None
    """No model answers from the reserve: words do."""

    def __init__(self, *, names: Collection[str] = (), evidence: int = 5) -> None:
        """See the class."""
        self._names = frozenset(names)
        self._evidence = evidence
        self._reader = Reader()

    async def plan(self, view: View, pay: Pay) -> Plan:  # noqa: ARG002 - it costs nothing
        """The names that the question mentions, each to be looked up."""
        first = leads(view.task.question, ())
        steps = tuple(PlanStep(lead.query, str(i)) for i, lead in enumerate(first, start=1))
        return Plan(steps, hops=cues(view.task.question).hops)

    async def propose(self, view: View, n: int, pay: Pay) -> Options:  # noqa: ARG002 - it costs nothing
        """The searches that all that was found leads to, best first; the first of all is the question itself."""
        tool = search_tool_of(view.task)
        if tool is None:
            return Options()
        found = self._reader.found(view.seen)
        ranked = leads(view.task.question, found, names=self._names)
        if not found and not view.tree.valuation.independent:
            ranked = ranked[:1]  # what the question brings says which of its names are worth a search
        here = [lead for lead in _in_order(ranked, view, found) if not view.tree.knows(_option(tool, lead), view.node)]
        return Options(tuple(_option(tool, lead) for lead in here[:n]))

    async def appraise(self, view: View, pay: Pay) -> Appraisal:  # noqa: ARG002 - it costs nothing
        """How many of the question's words are newly found, in a passage that something led to."""
        before = [step for step in view.seen if step.number < view.node.number]
        new = self._reader.found([view.node])
        if not new:
            return Appraisal(-1, why="the tool failed")
        found = self._reader.found(before)
        delta = progress(view.task.question, found, new[0])
        return Appraisal(delta, support(view.task.question, (*found, *new)) * _resolved(view, delta))

    async def verify(self, view: View, answer: str, pay: Pay) -> Verdict:  # noqa: ARG002 - it costs nothing
        """Whether the evidence has the question's words and the answer."""
        found = self._reader.found(view.seen)
        backed = support(view.task.question, found)
        stands = any(answer.lower() in passage.text.lower() for result in found for passage in result.passages)
        if backed >= _ENOUGH and stands:
            return Verdict("success", why="the question's words and the answer stand in the evidence")
        summary = f"tried: {'; '.join(result.query for result in found)}. Proposed: {answer}"
        return Verdict("continue" if view.left.can_act() else "pivot", why="words are missing", summary=summary)

    async def answer(self, view: View, pay: Pay) -> Answer:  # noqa: ARG002 - it costs nothing
        """The span that fits best in the passages that are kept."""
        found = self._reader.found(view.seen)
        kept = self._reader.kept(view.task.question, view.seen, self._evidence)
        return Answer(extract_answer(view.task.question, kept), support(view.task.question, found))


def search_tool_of(task: Task) -> SearchTool | None:
    """The tool of the task that takes a text to search for; None if there is none."""
    return pick_search_tool({tool.name: tool.parameters for tool in task.tools})


def _option(tool: SearchTool, lead: Lead) -> Option:
    return Option(tool.name, tool.args(lead.query), gain=lead.gain, why=f"about {lead.about}" if lead.about else "")


def _resolved(view: View, delta: int) -> float:
    """The share of the facts that the question takes which a step brought, this one included."""
    appraised = [step.appraisal.delta for step in view.seen if step.appraisal and step is not view.node]
    brought = sum(progress >= _RESOLVES for progress in (*appraised, delta))
    return min(1.0, brought / cues(view.task.question).hops)


def _in_order(ranked: list[Lead], view: View, found: tuple[Found, ...]) -> list[Lead]:
    """Deepen: whatever leads on best, all things considered. Widen: what this node's own result leads to comes last."""
    if view.mode == "deepen" or not found or view.node not in view.seen:
        return ranked
    at = view.seen.index(view.node)
    return sorted(ranked, key=lambda lead: lead.source == at)
