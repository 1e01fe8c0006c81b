"""A policy that needs no model: it says what the test wrote down, and then what a made-up world has to say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, TypeVar
from zlib import crc32

from budgetkit.plugins import (
    Answer,
    Appraisal,
    Constraint,
    Mode,
    Option,
    Options,
    Pay,
    Plan,
    PlanStep,
    TreeNode,
    Verdict,
    View,
)

__all__ = ["Asked", "Scripted", "ScriptedPolicy"]

T = TypeVar("T")
_DECISIONS: Final[tuple[Literal["success", "continue", "pivot"], ...]] = ("success", "continue", "pivot")
Scripted: TypeAlias = "T | BaseException | Callable[[View], T]"
"""One thing that a scripted policy says: itself, an exception to raise, or a function of what the policy sees."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a policy was asked, and what it saw at that moment.

    Attributes:
        kind: plan, propose, appraise, verify or answer.
        node: where.
        mode: deepen or widen.
        n: options wanted.
        text: the answer that was to be verified.
        path: the steps in view.
        seen: every step whose result it may know of.
        plan: the plan in view.
        verdict: the verdict in view, whose summary replaces what came before.
        status: the tracker's lines.
    """

    kind: str
    node: str
    mode: Mode
    n: int
    text: str
    path: tuple[str, ...]
    seen: tuple[str, ...]
    plan: Plan | None
    verdict: Verdict | None
    status: str


class ScriptedPolicy:
    """A `Policy` for tests that replays what was written down, kind by kind.

    When a script is over, or where there is none, it speaks of a made-up world: every step offers new queries until
    ``hops`` steps were made, and then an answer. What it says there follows from the node alone, so that it does not
    matter in which order it is asked. Derive from it, and override the ``made_…`` methods, for another world.

    Args:
        plans: what it plans, one entry per call.
        proposals: what it proposes.
        appraisals: what it says of steps.
        verdicts: what it says of answers.
        answers: what it answers.
        hops: steps after which the made-up world proposes an answer.

    Example:
        >>> from budgetkit.plugins import Option, Options, React
        >>> from budgetkit.testing import play
        >>> policy = ScriptedPolicy(proposals=[Options((Option(answer="1937"),))])
        >>> play(React(), policy).answer
        '1937'
    """

    def __init__(
        self,
        *,
        plans: Sequence[Scripted[Plan]] = (),
        proposals: Sequence[Scripted[Options]] = (),
        appraisals: Sequence[Scripted[Appraisal]] = (),
        verdicts: Sequence[Scripted[Verdict]] = (),
        answers: Sequence[Scripted[Answer]] = (),
        hops: int = 3,
    ) -> None:
        self.asked: list[Asked] = []
        self.hops = hops
        self._plans, self._proposals, self._appraisals = list(plans), list(proposals), list(appraisals)
        self._verdicts, self._answers = list(verdicts), list(answers)

    def of(self, kind: str) -> list[Asked]:
        """What it was asked of one kind."""
        return [asked for asked in self.asked if asked.kind == kind]

    # -- the protocol -----------------------------------------------------------------------------------------------

    async def plan(self, view: View, pay: Pay) -> Plan:  # noqa: ARG002 - it costs nothing
        """See `Policy`."""
        self._record("plan", view)
        return _said(self._plans, view) or self.made_plan(view)

    async def propose(self, view: View, n: int, pay: Pay) -> Options:  # noqa: ARG002 - it costs nothing
        """See `Policy`."""
        self._record("propose", view, n=n)
        return _said(self._proposals, view) or self.made_options(view, n)

    async def appraise(self, view: View, pay: Pay) -> Appraisal:  # noqa: ARG002 - it costs nothing
        """See `Policy`."""
        self._record("appraise", view)
        return _said(self._appraisals, view) or self.made_appraisal(view)

    async def verify(self, view: View, answer: str, pay: Pay) -> Verdict:  # noqa: ARG002 - it costs nothing
        """See `Policy`."""
        self._record("verify", view, text=answer)
        return _said(self._verdicts, view) or self.made_verdict(view, answer)

    async def answer(self, view: View, pay: Pay) -> Answer:  # noqa: ARG002 - it costs nothing
        """See `Policy`."""
        self._record("answer", view)
        return _said(self._answers, view) or self.made_answer(view)

    # -- the made-up world ------------------------------------------------------------------------------------------

    def made_plan(self, view: View) -> Plan:
        """A plan with as many steps as there are hops."""
        steps = tuple(PlanStep(f"{view.task.question} ({hop + 1})", str(hop + 1)) for hop in range(self.hops))
        return Plan(steps, self.hops, "one call for each hop")

    def made_options(self, view: View, n: int) -> Options:
        """New queries, or an answer after enough steps."""
        if view.node.depth >= self.hops:
            return Options((Option(answer=self.made_answer(view).text, gain=0.9),))
        return Options(tuple(self.query(view.node, i, gain=1 / (i + 2)) for i in range(n)))

    def made_appraisal(self, view: View) -> Appraisal:
        """Any progress, from -4 to 4."""
        return Appraisal(_chance(view.node.id, 9) - 4, _chance(f"support {view.node.id}", 11) / 10)

    def made_verdict(self, view: View, answer: str) -> Verdict:
        """Any decision, with a summary."""
        place = _chance(f"{view.node.id} {len(view.node.verdicts)}", 3)
        conditions = (Constraint("the first", "satisfied"), Constraint("the second", "unverifiable"))
        return Verdict(_DECISIONS[place], conditions[: place + 1], "made up", f"tried {view.node.id}", f"not {answer}")

    def made_answer(self, view: View) -> Answer:
        """One of three answers."""
        return Answer(f"answer {_chance(view.node.id, 3)}", _chance(f"confidence {view.node.id}", 11) / 10)

    def query(self, node: TreeNode, place: int, *, gain: float = 0.5) -> Option:
        """A query that nobody made yet."""
        return Option("search", {"query": f"{node.id} {node.rounds} {place}"}, gain=gain)

    def _record(self, kind: str, view: View, *, n: int = 1, text: str = "") -> None:
        path, seen = (tuple(step.id for step in steps) for steps in (view.path, view.seen))
        self.asked.append(
            Asked(kind, view.node.id, view.mode, n, text, path, seen, view.plan, view.verdict, view.status)
        )


def _said(script: list[Any], view: View) -> Any:
    """The next entry of a script; None when it is over."""
    if not script:
        return None
    said = script.pop(0)
    if isinstance(said, BaseException):
        raise said
    return said(view) if callable(said) else said


def _chance(name: str, sides: int) -> int:
    """Any number below ``sides``, always the same for the same name."""
    return crc32(name.encode()) % sides
