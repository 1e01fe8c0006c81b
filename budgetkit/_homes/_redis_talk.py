"""What is said to the server for one request: written once, for those who wait for answers and those who await them.

A talk yields commands and is sent what the server answers, or the error that it raised.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import NoScriptError

from .._window import Window
from ._redis_scripts import Script, operation, store_script
from ._redis_texts import call_key, json_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._redis_store import Store
    from ._wire import Document

__all__ = ["Command", "Talk", "run", "talk"]

Command = tuple[Any, ...]
Talk = Generator[Command, Any, Any]

VERSION: Final = 2
_PAGE: Final = 500
"""Calls or journal entries in one answer: others wait meanwhile."""
_KINDS: Final = dict.fromkeys(("reserve", "settle", "release", "pause", "charge"), "call") | dict.fromkeys(
    ("start", "stop"), "presence"
)
"""What an operation is about, besides an account."""


def run(script: Script, keys: Sequence[str], *args: object) -> Talk:
    """Run a script; a server that was restarted, or told to forget its scripts, is given it again."""
    command = ("EVALSHA", script.sha, len(keys), *keys, *args)
    try:
        return (yield command)
    except NoScriptError:
        yield ("SCRIPT", "LOAD", script.source)
        return (yield command)


def talk(store: Store, request: Document, now: int | None, windows: list[Any]) -> Talk:
    """Perform a request; returns the reply.

    Raises:
        LedgerError: the store is of a newer version, or is not the one that it was.
    """
    yield from store.known()
    path = request["path"]
    if not path:
        return {"children": (yield from store.roots())} if request["op"] == "children" else {"missing": []}
    if request["op"] == "open" and len(path) == 1:
        yield from store.enlist(path[0])
    return _in_words((yield from _acts(store, request, now, windows)), request)


def _acts(store: Store, request: Document, now: int | None, windows: list[Any]) -> Talk:
    if request["op"] == "charges":
        return (yield from _charges(store, request, now, windows))
    if request["op"] == "dump":
        return (yield from _dump(store, request, now, windows))
    return (yield from _perform(store, request, now, windows, *_extras(request)))


def _perform(store: Store, request: Document, now: int | None, windows: list[Any], *extras: object) -> Talk:
    """One operation, one script; a tree of an older version is brought up to date first."""
    op, keys = request["op"], store.keys(request["path"])
    begun = "\n".join(_begun(store, *window) for window in windows) if windows else ""
    args = ("" if now is None else now, VERSION, len(keys), begun, json_text(request), *extras)
    if (kind := _KINDS.get(op) or _renewed_kind(request)) is not None:
        keys = (*keys, call_key(keys[-1], kind, request["id"]))
    reply = json.loads((yield from run(operation(op), keys, *args)))
    if "version" in reply:
        yield from _migrate(store, keys[0], reply["version"])
        reply = json.loads((yield from run(operation(op), keys, *args)))
    if "missing" in reply:
        yield from store.check()
    return reply


def _migrate(store: Store, root: str, version: int) -> Talk:
    store.refuse_newer(version)
    yield from run(store_script("migrate"), [root])


def _renewed_kind(request: Document) -> str | None:
    if request["op"] != "renew":
        return None
    return "presence" if request["presence"] else "call"


def _begun(store: Store, path: Sequence[str], start: int, end: int) -> str:
    return f"{store.keys(path)[-1].rpartition(':')[2]} {start} {end}"


def _extras(request: Document) -> tuple[object, ...]:
    if request["op"] != "open":
        return ()
    window = request["window"]
    return json_text(request["path"][-1]), Window.parse(window).slice if window else 0


def _charges(store: Store, request: Document, now: int | None, windows: list[Any]) -> Talk:
    calls: list[Document] = []
    first: int | None = 0
    while first is not None:
        reply = yield from _perform(store, request, now, windows, first, _PAGE)
        if "calls" not in reply:
            return reply
        calls += reply["calls"]
        first = reply["next"]
    return {"calls": calls}


def _dump(store: Store, request: Document, now: int | None, windows: list[Any]) -> Talk:
    reply = yield from _perform(store, request, now, windows)
    if "last" in reply:
        reply["journal"] = yield from _journal(store, request, reply.pop("last"))
    return reply


def _journal(store: Store, request: Document, last: str) -> Talk:
    key = store.keys(request["path"])[0].partition(":account:")[0] + ":journal"
    entries: list[Document] = []
    after = "-"
    while page := (yield ("XRANGE", key, after, last, "COUNT", _PAGE)):
        for _, (_, at, _, text) in page:
            entries.append({"seq": len(entries) + 1, "at": int(at), "request": json.loads(text)})
        after = f"({page[-1][0].decode()}"
    return entries


def _in_words(reply: Document, request: Document) -> Document:
    """What a script cannot say, as the books say it."""
    if "missing" in reply:
        return {"missing": request["path"][:-1] if request["op"] == "open" else request["path"]}
    if "unknown" in reply:
        name, account = reply["unknown"]["resource"], "/".join(reply["unknown"]["path"])
        return {
            "fault": f"account {account!r} limits {name}, and how much of it is asked is unknown: "
            f"reserve with a worst case of {name}"
        }
    if "seconds" in reply:
        return {
            "fault": f"account {'/'.join(reply['seconds'])!r}: a limit on seconds can be raised and lowered, not begun "
            "or taken away; open another account for that"
        }
    return reply
