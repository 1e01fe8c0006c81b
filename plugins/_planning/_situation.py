"""What a model is told before it is told what to do.

It is the same for all skills at a node, what changes least stands first, and a step deeper only appends: so a prefix
cache keeps it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from .._words import Passage
from ._evidence import Reader
from ._plan_lines import write_step
from ._quoting import call_line, quoted, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ._node_of import TreeNode
    from ._results import Plan, Verdict
    from ._view import Task, ToolSpec, View

__all__ = ["Shown", "findings", "situation"]

_LONGEST_FAILURE: Final = 200
_NOTHING_NEW: Final = "(nothing that does not stand above)"


@dataclass(frozen=True, slots=True)
class Shown:
    """How much of what was found a prompt shows.

    Attributes:
        passages: of each result, and of all of them together for an answer.
        chars: of each passage.
        reader: what parses results.
    """

    passages: int
    chars: int
    reader: Reader = field(default_factory=Reader)


def situation(view: View, shown: Shown) -> str:
    """The question, the tools, the plan, and what was done and found on the way to a node."""
    parts = [_opening(view.task), _tools(view.task.tools), _plan(view.plan), _notes(view.verdict)]
    return "\n\n".join(filter(None, [*parts, *_steps(view, shown)]))


def findings(view: View, shown: Shown) -> str:
    """The question and the passages that are kept of all that was found."""
    kept = shown.reader.kept(view.task.question, view.seen, shown.passages)
    found = f"Found:\n{_quotation(_listed(kept, shown.chars))}" if kept else "Nothing was found."
    return "\n\n".join(filter(None, [_opening(view.task), _notes(view.verdict), found]))


def _opening(task: Task) -> str:
    background = f"\n\nBackground:\n{quoted(task.background.strip())}" if task.background.strip() else ""
    return f"Question: {quoted(task.question.strip())}{background}"


def _tools(tools: Sequence[ToolSpec]) -> str:
    lines = [quoted(f"- {tool.name}({_arguments(tool)}): {' '.join(tool.description.split())}") for tool in tools]
    return "\n".join(["Tools:", *lines]) if lines else ""


def _arguments(tool: ToolSpec) -> str:
    required = tool.parameters.get("required") or ()
    properties: Mapping[str, Mapping[str, Any]] = tool.parameters.get("properties") or {}
    return ", ".join(
        f"{name}{'' if name in required else '?'}: {_kind(part)}{_about(part)}" for name, part in properties.items()
    )


def _kind(part: Mapping[str, Any]) -> str:
    if choices := part.get("enum"):
        return " | ".join(json.dumps(choice, ensure_ascii=False) for choice in choices)
    if variants := part.get("anyOf") or part.get("oneOf"):
        return " | ".join(_kind(variant) for variant in variants)
    kind = part.get("type", "any")
    if kind == "array":
        return f"list of {_kind(part.get('items') or {})}"
    return kind if isinstance(kind, str) else " | ".join(map(str, kind))


def _about(part: Mapping[str, Any]) -> str:
    about = " ".join(str(part.get("description", "")).split())
    return f" ({about})" if about else ""


def _plan(plan: Plan | None) -> str:
    if plan is None:
        return ""
    hops = f" ({plan.hops} facts, one after the other)" if plan.hops else ""
    lines = [f"Plan{hops}: {plan.hint}".rstrip(" "), *map(write_step, plan.steps)]
    return quoted("\n".join(lines))


def _notes(verdict: Verdict | None) -> str:
    text = "\n".join(filter(None, [verdict.summary, verdict.details])) if verdict else ""
    return f"What was done before:\n<notes>\n{quoted(text)}\n</notes>" if text else ""


def _steps(view: View, shown: Shown) -> Iterator[str]:
    """Every call on the way, and what it brought; a passage that stands above is not told again."""
    known: set[Passage] = set()
    for number, step in enumerate(view.path, 1):
        call = f"{number}. {quoted(call_line(step.made)) if step.made else ''}"
        if view.newest_only and step is not view.path[-1]:
            yield call
            continue
        passages = [passage for found in shown.reader.found([step]) for passage in found.passages[: shown.passages]]
        yield f"{call}\n{_quotation(_result(step, [one for one in passages if one not in known], shown.chars))}"
        known.update(passages)


def _result(step: TreeNode, fresh: Sequence[Passage], chars: int) -> str:
    if step.seen is not None and step.seen.error:
        return f"failed: {shortened(step.seen.text.strip(), _LONGEST_FAILURE)}"
    return _listed(fresh, chars) if fresh else _NOTHING_NEW


def _listed(passages: Iterable[Passage], chars: int) -> str:
    return "\n\n".join(f"[{rank}] {_passage(passage, chars)}" for rank, passage in enumerate(passages, 1))


def _passage(passage: Passage, chars: int) -> str:
    return "\n".join(filter(None, [passage.title, shortened(passage.text, chars)]))


def _quotation(text: str) -> str:
    return f"<found>\n{quoted(text)}\n</found>"
