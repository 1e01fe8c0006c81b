"""What is said to the server for a request."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from .._window import Window
from ._postgres_replies import told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ._postgres_talk import Talk
    from ._wire import Document

__all__ = ["converse"]


def converse(schema: str, request: Document, now: int | None, windows: list[Any]) -> Talk[Document]:
    """The statements of a request, one for all but a dump; returns the reply."""
    op = request["op"]
    keys = _keys(request["path"])
    act, make = _ACTS[op]
    common: tuple[Any, ...] = () if op == "children" else (_digits(now), _windows(windows))
    values = ("{" + ",".join(keys) + "}", *common, *make(request))
    statement = f"SELECT {schema}.{act}({', '.join(['%s'] * len(values))})".encode()
    reply: Document = {"more": True}
    while "more" in reply:  # a crowd has lapsed: each time a part of it is booked
        [[reply]] = yield statement, values
    if act == "refresh" and reply.keys() == {"now"}:
        reply = yield from _dump(schema, keys[0], reply["now"])
    return told(request, reply)


def _dump(schema: str, root: str, now: int) -> Talk[Document]:
    """One statement sees one moment, however long it takes."""
    dump: Document = {"accounts": [], "calls": [], "journal": []}
    yield b"BEGIN READ ONLY", None
    yield b"SET LOCAL statement_timeout = 0", None
    for kind, doc in (yield f"SELECT * FROM {schema}.dump(%s)".encode(), (root,)):  # noqa: S608 - a quoted name
        dump[kind].append(doc)
    yield b"COMMIT", None
    # Every operation books what is due by its time: the moment is that of the last, if it is later.
    return {**dump, "now": max([now, *(entry["at"] for entry in dump["journal"][-1:])])}


# -- to the server ----------------------------------------------------------------------------------------------------


def _keys(path: Sequence[str]) -> list[str]:
    """The keys of the accounts from the root down. Texts may hold anything, and be long; a digest is short."""
    keys: list[str] = []
    for name in path:
        above = keys[-1] if keys else ""
        keys.append(_digest(above + json.dumps(name)))
    return keys


def _digest(text: str) -> str:
    return blake2b(text.encode("ascii"), digest_size=16).hexdigest()


def _digits(n: int | None) -> str | None:
    """Numbers travel as digits, which are of no type: one plan serves all sizes."""
    return None if n is None else str(n)


def _windows(windows: list[Any]) -> str | None:
    return json.dumps({key: [start, end] for key, start, end in windows}) if windows else None


def _amounts(units: Mapping[str, str | None] | None) -> str | None:
    """Amounts as JSON numbers, which are exact on the server."""
    return units if units is None else json.dumps({name: n if n is None else int(n) for name, n in units.items()})


def _text(doc: object) -> str | None:
    return None if doc is None else json.dumps(doc)


def _entry(request: Document) -> tuple[Any, ...]:
    return (json.dumps(request),)


def _named(request: Document) -> tuple[Any, ...]:
    name = json.dumps(request["id"])
    return json.dumps(request), _digest(name), name


def _call(request: Document) -> tuple[Any, ...]:
    entry, key, name = _named(request)
    nth = 0 if request.get("presence") else request["attempt"]
    return entry, key, str(nth), name, json.dumps(request["label"])


def _open(request: Document) -> tuple[Any, ...]:
    window = None if request["window"] is None else Window.parse(request["window"])
    return (
        json.dumps(request),
        json.dumps(request["path"]),
        _amounts(request["limits"]),
        list(request["limits"]),
        _amounts(request["keep"]),
        request["prepaid"],
        request["window"],
        str(window.slice) if window is not None and window.kind == "sliding" else None,
    )


def _start(request: Document) -> tuple[Any, ...]:
    return *_named(request), str(request["lease"])


def _stop(request: Document) -> tuple[Any, ...]:
    return _named(request)[:2]


def _top_up(request: Document) -> tuple[Any, ...]:
    return *_named(request), _amounts(request["amounts"]), list(request["amounts"])


def _set_limits(request: Document) -> tuple[Any, ...]:
    return json.dumps(request), _amounts(request["limits"]), list(request["limits"])


def _reserve(request: Document) -> tuple[Any, ...]:
    return (
        *_named(request),
        json.dumps(request["label"]),
        json.dumps(request["asked"]),
        _amounts(request["keep"]),
        request["final"],
        request["again"],
        str(request["lease"]),
    )


def _settle(request: Document) -> tuple[Any, ...]:
    return *_call(request), _text(request["spend"])


def _lease(request: Document) -> tuple[Any, ...]:
    return *_call(request), str(request["lease"])


def _charge(request: Document) -> tuple[Any, ...]:
    return *_named(request), json.dumps(request["label"]), _text(request["spend"])


_ACTS: Final[Mapping[str, tuple[str, Callable[[Document], tuple[Any, ...]]]]] = {
    "open": ("open", _open),
    "close": ("close", _entry),
    "freeze": ("freeze", lambda request: (json.dumps(request), True)),
    "unfreeze": ("freeze", lambda request: (json.dumps(request), False)),
    "start": ("start", _start),
    "stop": ("stop", _stop),
    "top_up": ("top_up", _top_up),
    "set_limits": ("set_limits", _set_limits),
    "reserve": ("reserve", _reserve),
    "renew": ("renew", _lease),
    "settle": ("settle", _settle),
    "release": ("release", _call),
    "pause": ("pause", _lease),
    "charge": ("charge", _charge),
    "states": ("states", lambda _: ()),
    "charges": ("charges", lambda _: ()),
    "children": ("children", lambda _: ()),
    "dump": ("refresh", lambda _: ()),
}
"""By operation: the function on the server, and what it is given after the keys, the time and the windows."""
