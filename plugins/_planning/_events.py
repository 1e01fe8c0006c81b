"""What a search tells whoever watches: LangGraph custom events, plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ._results import Answer, Appraisal, Lost, Observation, Options, Plan, Verdict

if TYPE_CHECKING:
    from ._left import Left
    from ._moves import Move
    from ._results import Result
    from ._tree import SearchTree

__all__ = ["asked_event", "told_event"]

_TYPE: Final = "budgetkit_search"
_MOST: Final = 200


def asked_event(tree: SearchTree, move: Move, left: Left) -> dict[str, Any]:
    """A move is about to be made: which node, what it is worth, and why.

    A call makes a node: its value is that of the node which it goes on from.
    """
    node = tree.nodes[move.parent if move.kind == "act" else move.node]
    made = node.options[move.option] if move.kind == "act" else node.made
    return {
        "type": _TYPE,
        "event": "asked",
        "strategy": tree.strategy,
        "move": move.id,
        "kind": move.kind,
        "node": move.node,
        "mode": move.mode,
        "value": node.value,
        "worth": node.worth / 1000,
        "action": made.key if made else None,
        "why": move.why,
        "left": dict(left.left),
    }


def told_event(tree: SearchTree, move: Move, result: Result) -> dict[str, Any]:
    """What a move came to."""
    node = tree.nodes[move.node]
    return {
        "type": _TYPE,
        "event": "told",
        "strategy": tree.strategy,
        "move": move.id,
        "kind": move.kind,
        "node": move.node,
        "value": node.value,
        "result": _short(result),
    }


def _short(result: Result) -> str:
    match result:
        case Plan():
            text = "; ".join(step.text for step in result.steps)
        case Options():
            text = "; ".join(option.key for option in result.options) or "nothing new"
        case Observation():
            text = result.text
        case Appraisal():
            text = f"{result.delta:+d} {result.why}".strip()
        case Verdict():
            text = f"{result.decision}: {result.why}"
        case Answer():
            text = result.text or "no answer"
        case Lost():
            text = f"lost: {result.why}"
        case _:
            text = result.answer
    return text if len(text) <= _MOST else f"{text[:_MOST]}…"
