"""How a request is written for the scripts, and under which keys its accounts and its call are found.

Every key of a tree has the digest of its root in braces, so that a cluster keeps the tree on one node.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from json import JSONEncoder
from typing import Any, Final

__all__ = ["account_keys", "call_key", "json_text", "roots_key", "store_key"]

_encode: Final = JSONEncoder(separators=(",", ":")).encode
_ESCAPED: Final = re.compile(r"\\(.)")


def json_text(value: Any) -> str:
    """Compact ASCII JSON in which no string holds a raw quote: the scripts take it apart with patterns."""
    text = _encode(value)
    return _ESCAPED.sub(_without_quote, text) if "\\" in text else text


def _without_quote(escaped: re.Match[str]) -> str:
    return "\\u0022" if escaped[1] == '"' else escaped[0]


@lru_cache(maxsize=4096)
def account_keys(prefix: str, path: tuple[str, ...]) -> tuple[str, ...]:
    """The keys of the accounts from the root down to ``path``."""
    names = [json_text(name) for name in path]
    digests = [_digest(",".join(names[:depth])) for depth in range(1, len(names) + 1)]
    return tuple(f"{prefix}:{{{digests[0]}}}:account:{digest}" for digest in digests)


def call_key(account: str, kind: str, name: str) -> str:
    """The key of a call or a presence of an account, by the account's key."""
    tree, _, digest = account.partition(":account:")
    return f"{tree}:{kind}:{_digest(digest + json_text(name))}"


def store_key(prefix: str) -> str:
    """What says which store it is, and of which version."""
    return f"{prefix}:{{books}}:store"


def roots_key(prefix: str) -> str:
    """The set of the roots."""
    return f"{prefix}:{{books}}:roots"


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()
