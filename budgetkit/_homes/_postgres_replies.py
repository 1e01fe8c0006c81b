"""What the server's answer means."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._wire import Document

__all__ = ["told"]


def told(request: Document, reply: Document) -> Document:
    """The reply with the texts that only we know: the server has digests of them."""
    path: list[str] = request["path"]
    if "missing" in reply:
        return {"missing": path[:-1] if request["op"] == "open" else path}
    if "refused" in reply:
        return {"refused": {**reply["refused"], "path": path[: reply["refused"]["depth"]]}}
    if "unknown" in reply:
        return {"fault": _unknown(path[: reply["unknown"]["depth"]], reply["unknown"]["resource"])}
    if "seconds" in reply:
        return {"fault": _seconds(path)}
    return _read(request, reply)


def _plain(request: Document, reply: Document) -> Document:
    """The common case: what the request says happened; the server adds what only it knows."""
    made = request["op"] == "reserve"
    call: Document = {
        "path": request["path"],
        "id": request["id"],
        "attempt": 1 if made else request["attempt"],
        "label": request["label"],
        "asked": request["asked"] if made else reply["asked"],
        "spend": None if made else request["spend"],
        "overshoot": {},
        "expires": reply["expires"],
        "state": "open" if made else "settled",
        "paused": False,
        "presence": False,
    }
    return {"call": call, "fresh": True, "time_left": None} if made else {"call": call}


def _read(request: Document, reply: Document) -> Document:
    op, path = request["op"], request["path"]
    if "expires" in reply:
        return _plain(request, reply)
    if op == "renew":
        return {"expires": reply["call"]["expires"]} if "call" in reply else {}
    if op in {"charges", "dump"} and "calls" in reply:
        reply["calls"] = [{**row["call"], "path": row["path"]} for row in reply["calls"]]
    if op == "dump" and "accounts" in reply:
        reply["accounts"] = [_account(row["path"], row) for row in reply["accounts"]]
    if op == "states" and "accounts" in reply:
        reply["accounts"] = [_account(path[:depth], row) for depth, row in enumerate(reply["accounts"], 1)]
    if op == "children":
        reply["children"] = [child[-1] for child in reply["children"]]
    if "call" in reply:
        reply["call"]["path"] = path
    return reply


def _account(path: Sequence[str], row: Document) -> Document:
    """An account as the wire has it, from its row."""
    held, spent, shares = row["held"], row["spent"], row["shares"]
    return {
        "path": list(path),
        "limits": _words(row["limits"]),
        "kept": _words(row["kept"]),
        "prepaid": row["prepaid"],
        "frozen": row["frozen"],
        "window": row["window"],
        "start": row["starts"],
        "end": row["ends"] or 0,
        "slices": {at: _words(part) for at, part in row["slices"].items()},
        "watch": [row["elapsed"], row["since"], row["users"]],
        "cells": {n: [str(held.get(n, 0)), str(spent.get(n, 0)), n in shares] for n in {**row["limits"], **held}},
        "marks": {kind: {n: by for n, by in row[kind].items() if by} for kind in ("estimated", "unmeasured")},
    }


def _words(units: Mapping[str, int]) -> dict[str, str]:
    return {name: str(n) for name, n in units.items()}


def _unknown(account: Sequence[str], name: str) -> str:
    return (
        f"account {'/'.join(account)!r} limits {name}, and how much of it is asked is unknown: "
        f"reserve with a worst case of {name}"
    )


def _seconds(account: Sequence[str]) -> str:
    return (
        f"account {'/'.join(account)!r}: a limit on seconds can be raised and lowered, not begun or "
        "taken away; open another account for that"
    )
