"""From what a model said to what a skill comes to; None where nothing in it can be used."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from .._same import normalise
from ._plan_lines import read_step
from ._quoting import shortened
from ._results import DELTA, Answer, Appraisal, Constraint, Plan, PlanStep, Verdict

if TYPE_CHECKING:
    from ._reply import Record, Reply

__all__ = ["answer_text", "read_answer", "read_appraisal", "read_plan", "read_verdict", "tenths", "words"]

_NO_ANSWER: Final = {
    "", "none", "null", "unknown", "not known", "no answer", "unanswerable", "undetermined", "cannot be determined",
    "i dont know", "i do not know", "not enough information", "insufficient information",
}  # fmt: skip
_LONGEST_NOTE: Final = 1200
_LONGEST_REASON: Final = 240
_MOST_HOPS: Final = 20
_MOST_STEPS: Final = 12
_DELTA: Final = re.compile(r"\A\W*?([+-]?[0-4])\s*(?:[:;,.()-]|\Z)|\bdelta\b\W*?([+-]?[0-4])\b", re.IGNORECASE)
_LEAD: Final = re.compile(r"\A(?:final\s+)?answer\s*(?:is\s*)?[:=-]\s*", re.IGNORECASE)
_STATUS: Final = {"s": "satisfied", "c": "contradicted"}

_Status = Literal["satisfied", "contradicted", "unverifiable"]
_Decision = Literal["success", "continue", "pivot"]


def read_plan(reply: Reply) -> Plan | None:
    """A plan with a step or a hint in it; a plain checklist will do."""
    record: Record = reply.best("steps", "hops", "hint") or {}
    lines: list[Any] = record["steps"] if isinstance(record.get("steps"), list) else []
    if reply.prose is not None:
        lines = [line for line in reply.prose.splitlines() if re.match(r"\W*\d", line)]
    steps = [step for place, line in enumerate(lines, 1) if (step := _step(line, place))]
    hops = _number(record.get("hops"))
    hops = 0 if hops is None else max(0, min(_MOST_HOPS, round(hops)))
    hint = words(record, "hint")
    return Plan(tuple(steps[:_MOST_STEPS]), hops, hint) if steps or hint else None


def read_appraisal(reply: Reply) -> Appraisal | None:
    """A judgement with a number in it."""
    record = reply.best("delta", "support")
    if record is None:
        told = _DELTA.search(reply.prose or "")
        return Appraisal(int(told[1] or told[2])) if told else None
    delta = _number(record.get("delta"))
    if delta is None or reply.unfinished(record) == "delta":
        return None
    return Appraisal(_delta(delta), tenths(record.get("support")), words(record, "why", _LONGEST_REASON))


def read_verdict(reply: Reply) -> Verdict | None:
    """A decision and what it rests on; an answer with a condition that is not satisfied is no success yet."""
    record = reply.best("decision", "constraints", "summary", "details")
    if record is None:
        return None
    decision = str(record.get("decision")).strip().lower()
    if decision not in {"success", "continue", "pivot"}:
        return None
    listed: list[Any] = record["constraints"] if isinstance(record.get("constraints"), list) else []
    constraints = tuple(made for one in listed if (made := _constraint(one)))
    if decision == "success" and any(one.status != "satisfied" for one in constraints):
        decision = "continue"
    return Verdict(
        cast("_Decision", decision),
        constraints,
        words(record, "why", _LONGEST_REASON),
        words(record, "summary", _LONGEST_NOTE),
        "" if decision == "success" else words(record, "details", _LONGEST_NOTE),
    )


def read_answer(reply: Reply) -> Answer | None:
    """An answer that is whole; one that says that there is none is an empty one."""
    record = reply.best("answer") or _lone(reply)
    if record is None:
        return None if reply.prose is None else Answer(answer_text(reply.prose))
    name = "answer" if "answer" in record else next(iter(record))
    if reply.unfinished(record) == name:
        return None
    return Answer(answer_text(record[name]), tenths(record.get("confidence")))


def _lone(reply: Reply) -> Record | None:
    """The only object, if it has one value and that can be an answer, under whatever name."""
    record = reply.records[0] if len(reply.records) == 1 else {}
    return record if len(record) == 1 and not any(isinstance(value, dict) for value in record.values()) else None


def answer_text(value: object) -> str:
    """The words of an answer; empty if they say that there is none."""
    match value:
        case bool():
            text = "yes" if value else "no"
        case str() | int() | float():
            text = str(value)
        case list():
            text = ", ".join(filter(None, map(answer_text, cast("list[object]", value))))
        case _:
            text = ""
    text = _LEAD.sub("", " ".join(text.split())).strip()
    silent = normalise(text) in _NO_ANSWER or text.lower() == "n/a"
    return "" if silent else shortened(text, _LONGEST_NOTE)


def words(record: Record, name: str, most: int = _LONGEST_REASON) -> str:
    """A text of an object, on one line; empty without one, or where a model repeats the dots of the form."""
    value = record.get(name)
    text = " ".join(value.split()) if isinstance(value, str) else ""
    return shortened(text, most) if text.strip(" .…") else ""


def tenths(value: object) -> float | None:
    """A mark from 0 to 10 as a share; None without one."""
    number = _number(value)
    return None if number is None else max(0.0, min(1.0, number / 10))


def _number(value: object) -> float | None:
    if isinstance(value, str):
        found = re.match(r"\s*([+-]?\d{1,6}(?:\.\d+)?)", value)
        return float(found[1]) if found else None
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _delta(number: float) -> int:
    return round(max(-DELTA, min(DELTA, number)))


def _step(line: object, place: int) -> PlanStep | None:
    """A step out of a line, or out of an object with the same parts."""
    if isinstance(line, dict):
        parts = cast("dict[str, Any]", line)
        text = next((words(parts, name) for name in ("text", "step", "description", "query") if name in parts), "")
        head = f"{parts.get('number', place)} {parts.get('kind', 'explore')} {parts.get('state', 'pending')}"
        return read_step(f"{head}: {text}", place) if text else None
    return read_step(shortened(line, _LONGEST_REASON), place) if isinstance(line, str) else None


def _constraint(value: object) -> Constraint | None:
    """A condition out of an object, or out of a text that ends with its status."""
    if isinstance(value, str):
        text, _, status = value.rpartition(":")
        value = {"text": text, "status": status}
    if not isinstance(value, dict):
        return None
    parts = cast("dict[str, Any]", value)
    text = words(parts, "text")
    status = _STATUS.get(str(parts.get("status")).strip().lower()[:1], "unverifiable")
    return Constraint(text, cast("_Status", status)) if text else None
