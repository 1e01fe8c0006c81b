"""Books as documents: how spends, calls and accounts are written down in JSON, and read back.

Amounts are whole units as decimal strings, since they may be larger than what every store's numbers hold; times are
microseconds since 1970.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._memory_tree import Node
from .._reservation import MICRO, Reservation
from .._spend import Spend
from .._stopwatch import Stopwatch
from .._window import Window

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Document", "account_doc", "call_doc", "call_from", "node_from", "nodes_from", "spend_doc", "spend_from", "update",
    "words",
]  # fmt: skip

Document = dict[str, Any]

_NOTHING: Final = Spend()


def words(units: Mapping[str, int]) -> dict[str, str]:
    """Amounts as decimal strings."""
    return {name: str(n) for name, n in units.items()}


def _numbers(units: Mapping[str, str]) -> dict[str, int]:
    return {name: int(n) for name, n in units.items()}


# -- spends -----------------------------------------------------------------------------------------------------------


def spend_doc(spend: Spend) -> Document:
    """A spend, with what it says about itself."""
    return {
        "units": words(spend.as_units()),
        "estimated": sorted(spend.estimated),
        "unmeasured": sorted(spend.unmeasured),
    }


def spend_from(doc: Document) -> Spend:
    """The spend of a document."""
    return Spend.from_units(_numbers(doc["units"]), estimated=doc["estimated"], unmeasured=doc["unmeasured"])


# -- calls ------------------------------------------------------------------------------------------------------------


def call_doc(call: Reservation) -> Document:
    """A call; a presence is open as long as it has no spend."""
    return {
        "path": list(call.account),
        "id": call.id,
        "attempt": call.attempt,
        "label": call.label,
        "asked": spend_doc(call.asked),
        "spend": None if call.spend is None else spend_doc(call.spend),
        "overshoot": words(call.overshoot.as_units()),
        "expires": round(call.expires * MICRO),
        "state": _state(call),
        "paused": call.paused,
        "presence": call.presence,
    }


def _state(call: Reservation) -> str:
    if call.released:
        return "released"
    if call.lapsed:
        return "lapsed"
    return "open" if call.spend is None else "settled"


def call_from(doc: Document) -> Reservation:
    """The call of a document."""
    call = Reservation(doc["id"], tuple(doc["path"]), doc["label"], _NOTHING, doc["attempt"], presence=doc["presence"])
    update(call, doc)
    return call


def update(call: Reservation, doc: Document) -> None:
    """Bring a call that was handed out before up to what the books say of it now."""
    call.asked = spend_from(doc["asked"])
    call.spend = None if doc["spend"] is None else spend_from(doc["spend"])
    call.overshoot = Spend.from_units(_numbers(doc["overshoot"])) if doc["overshoot"] else _NOTHING
    call.expires = doc["expires"] / MICRO
    call.lapsed = doc["state"] == "lapsed"
    call.released = doc["state"] == "released"
    call.paused = doc["paused"]


# -- accounts ---------------------------------------------------------------------------------------------------------


def account_doc(node: Node) -> Document:
    """An account: its terms, its cells, its clock."""
    rolling = node.rolling
    return {
        "path": list(node.account),
        "limits": words({name: cell.limit for name, cell in node.limited().items()}),
        "kept": words(node.kept.as_units()),
        "prepaid": node.prepaid,
        "frozen": node.frozen,
        "window": None if rolling is None else str(rolling.window),
        "start": 0 if rolling is None else rolling.start,
        "end": 0 if rolling is None else rolling.end,
        "slices": {} if rolling is None else {str(at): words(part) for at, part in rolling.slices.items()},
        "watch": [node.watch.elapsed, node.watch.since, node.watch.users],
        "cells": {name: [str(cell.held), str(cell.spent), cell.prepaid] for name, cell in node.cells.items()},
        "marks": {
            kind: {name: n for (of, name), n in node.marks.items() if of == kind and n}
            for kind in ("estimated", "unmeasured")
        },
    }


def node_from(doc: Document, parent: Node | None) -> Node:
    """The account of a document, below ``parent``."""
    window = None if doc["window"] is None else Window.parse(doc["window"])
    limits, kept = _numbers(doc["limits"]), Spend.from_units(_numbers(doc["kept"]))
    node = Node(tuple(doc["path"]), parent, limits, kept, prepaid=doc["prepaid"], window=window)
    for name, (held, spent, prepaid) in doc["cells"].items():
        cell = node.cell(name)
        cell.held, cell.spent, cell.prepaid = int(held), int(spent), prepaid
    node.frozen = doc["frozen"]
    node.chilled = node.chilled or node.frozen
    node.watch = Stopwatch(*doc["watch"])
    node.marks = {(kind, name): n for kind, marks in doc["marks"].items() for name, n in marks.items()}
    if node.rolling is not None:
        node.rolling.start, node.rolling.end = doc["start"], doc["end"]
        node.rolling.slices = {int(at): _numbers(part) for at, part in doc["slices"].items()}
    return node


def nodes_from(docs: list[Document]) -> dict[tuple[str, ...], Node]:
    """Accounts by their path, parents before their children in ``docs``."""
    nodes: dict[tuple[str, ...], Node] = {}
    for doc in docs:
        path = tuple(doc["path"])
        nodes[path] = node_from(doc, nodes.get(path[:-1]))
    return nodes
