"""What a move can come to. All of it is plain data: it goes into a checkpoint and comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Literal

from pydantic import TypeAdapter

__all__ = [
    "DELTA",
    "Answer",
    "Appraisal",
    "Constraint",
    "Finish",
    "Kind",
    "Lost",
    "Observation",
    "Option",
    "Options",
    "Plan",
    "PlanStep",
    "Result",
    "Verdict",
    "dump",
    "load",
    "result_type",
]

DELTA: Final = 4
"""A step's progress lies in -4 to 4 (arXiv 2603.12634, as reported)."""

Kind = Literal["plan", "propose", "act", "appraise", "verify", "answer", "finish"]


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One line of the checklist (arXiv 2511.17006, planning prompt).

    Attributes:
        text: what to find out.
        number: its place in the tree of steps: ``1``, ``1.2``; branches are alternative leads.
        kind: exploration finds candidates; verification is only applied to candidates.
        state: how far it is.
    """

    text: str
    number: str = "1"
    kind: Literal["explore", "verify"] = "explore"
    state: Literal["pending", "done", "failed", "partial"] = "pending"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to find out, and how much it should take.

    Attributes:
        steps: the checklist; the sub-questions of a decomposition.
        hops: how many facts the answer needs, one after the other; 0: not known.
        hint: how to spend the budget, in a sentence.
    """

    steps: tuple[PlanStep, ...] = ()
    hops: int = 0
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Option:
    """One thing to do next: a tool call, or an answer.

    Attributes:
        tool: the tool to call; empty for an answer.
        args: its arguments.
        answer: the answer that is proposed.
        gain: what it may bring, 0 to 1, in the eyes of whoever proposed it.
        why: in a few words.
    """

    tool: str = ""
    args: Mapping[str, Any] = field(default_factory=dict[str, Any])
    answer: str = ""
    gain: float = 0.5
    why: str = ""

    @property
    def key(self) -> str:
        """The same for the same call, however it is written."""
        return f"{self.tool}({_plain(self.args)})" if self.tool else f"={_plain(self.answer)}"


@dataclass(frozen=True, slots=True)
class Options:
    """What a policy proposes, best first; empty: it knows nothing further here."""

    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """What a tool said; ``error`` if it failed."""

    text: str
    error: bool = False


@dataclass(frozen=True, slots=True)
class Appraisal:
    """How much closer a step came (residual value, arXiv 2603.12634).

    Attributes:
        delta: -4 misleading, 0 nothing new, 4 resolves a hop.
        support: 0 to 1, how far the evidence supports an answer; None: not told.
        why: in a few words.
    """

    delta: int
    support: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Constraint:
    """One condition of the question, and how an answer stands to it."""

    text: str
    status: Literal["satisfied", "contradicted", "unverifiable"] = "unverifiable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verifier says of a proposed answer (arXiv 2511.17006, verifier prompt).

    Attributes:
        decision: take it, go on with this plan, or start anew with another one.
        constraints: each condition of the question.
        why: the reason.
        summary: what was tried and found, in place of the trajectory.
        details: what to do next: what failed, findings that stay useful, where to return to.
    """

    decision: Literal["success", "continue", "pivot"]
    constraints: tuple[Constraint, ...] = ()
    why: str = ""
    summary: str = ""
    details: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; an empty text is none.

    Attributes:
        text: in as few words as answer the question.
        confidence: 0 to 1, in the eyes of whoever answered; None: not told.
    """

    text: str
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """The end of a search.

    Attributes:
        answer: what is answered.
        node: where it was found.
    """

    answer: str
    node: str = ""


@dataclass(frozen=True, slots=True)
class Lost:
    """A move that came to nothing: refused, failed or never returned."""

    why: str = ""


Result = Plan | Options | Observation | Appraisal | Verdict | Answer | Finish | Lost

_TYPES: Final[Mapping[str, type[Any]]] = {
    "plan": Plan,
    "propose": Options,
    "act": Observation,
    "appraise": Appraisal,
    "verify": Verdict,
    "answer": Answer,
    "finish": Finish,
    "lost": Lost,
}


def result_type(kind: str) -> type[Any]:
    """What a move of that kind comes to."""
    return _TYPES[kind]


def dump(kind: str, result: Result) -> dict[str, Any]:
    """A result as JSON data."""
    name = "lost" if isinstance(result, Lost) else kind
    made: dict[str, Any] = _adapter(name).dump_python(result, mode="json", exclude_defaults=True)
    return {"lost": made} if name == "lost" else made


def load(kind: str, data: Mapping[str, Any]) -> Result:
    """Read what `dump` wrote.

    Raises:
        ValidationError: it is no such thing.
    """
    if "lost" in data:
        return Lost(**data["lost"])
    made: Result = _adapter(kind).validate_python(data)
    return made


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(_TYPES[name])


def _plain(value: object) -> str:
    """Lower case, single spaces: two ways to write the same call are the same call."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_plain(item)}" for name, item in sorted(value.items()))  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # of any arguments
    if isinstance(value, (list, tuple)):
        return "; ".join(map(_plain, value))  # pyright: ignore[reportUnknownArgumentType]  # of any arguments
    return " ".join(str(value).lower().split())
