"""The server-side scripts: one per operation, with what they share in front of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from importlib.resources import files

__all__ = ["Script", "operation", "store_script"]

_FIRST = {"reserve": ("fast_reserve",), "settle": ("fast_settle",)}
"""What may answer by itself, before the rest is even defined."""
_SHARED = ("numbers", "accounts", "clocks", "calls")
_MORE = {
    "open": ("judge", "limits"),
    "close": ("judge", "limits"),
    "top_up": ("judge", "limits"),
    "set_limits": ("judge", "limits"),
    "reserve": ("judge",),
    "states": ("docs",),
    "dump": ("docs",),
}


@dataclass(frozen=True, slots=True)
class Script:
    """A script, and the name under which a server keeps it."""

    source: str
    sha: str


@cache
def operation(op: str) -> Script:
    """The script of an operation on the books."""
    return _script(*_FIRST.get(op, ()), *_SHARED, *_MORE.get(op, ()), f"op_{op}")


@cache
def store_script(name: str) -> Script:
    """A script that is about the store as a whole, or brings a tree up to date."""
    return _script(f"store_{name}")


def _script(*parts: str) -> Script:
    folder = files("budgetkit._homes") / "lua"
    source = "\n".join(folder.joinpath(f"{part}.lua").read_text(encoding="utf-8") for part in parts)
    return Script(source, sha1(source.encode(), usedforsecurity=False).hexdigest())
