"""A step of a plan as one line of text, for the prompt and back: ``1.2 verify pending: when it was built``."""

from __future__ import annotations

import re
from typing import Final, Literal, cast

from ._results import PlanStep

__all__ = ["read_step", "write_step"]

_LINE: Final = re.compile(
    r"\W*(?P<number>\d+(?:\.\d+)*)\W+(?P<kind>explor\w*|verif\w*)(?:\W+(?P<state>pending|done|failed|partial))?\s*:\s*(?P<text>.+)",
    re.IGNORECASE,
)
_NUMBERED: Final = re.compile(r"\W*(?P<number>\d+(?:\.\d+)*)[.):]*\s+(?P<text>.+)")
_CHECKS: Final = re.compile(r"\W*(?:verif|check|confirm)", re.IGNORECASE)

_Kind = Literal["explore", "verify"]
_State = Literal["pending", "done", "failed", "partial"]


def write_step(step: PlanStep) -> str:
    """The line of a step."""
    return f"{step.number} {step.kind} {step.state}: {step.text}"


def read_step(line: str, place: int) -> PlanStep | None:
    """The step of a line; None if it says nothing.

    Args:
        line: as `write_step` writes it, or what comes near: the parts that are missing are guessed.
        place: the number of a line that has none.
    """
    line = " ".join(line.split())
    exact = _LINE.fullmatch(line)
    near = exact or _NUMBERED.fullmatch(line)
    number, text = (near["number"], near["text"]) if near else (str(place), line)
    if not any(letter.isalpha() for letter in text):
        return None
    if exact is None:
        return PlanStep(text, number, "verify" if _CHECKS.match(text) else "explore")
    kind: _Kind = "verify" if exact["kind"].lower().startswith("v") else "explore"
    return PlanStep(text, number, kind, cast("_State", (exact["state"] or "pending").lower()))
