"""The store as a whole: whether it is the one that it was, and whether it can keep books at all."""

from __future__ import annotations

import json
import threading
import warnings
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from redis.exceptions import ResponseError

from .._errors import LedgerError
from ._redis_scripts import store_script
from ._redis_talk import VERSION, Talk, run
from ._redis_texts import account_keys, json_text, roots_key, store_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._redis_address import Address

__all__ = ["Store", "UnsafeStoreWarning"]


class UnsafeStoreWarning(UserWarning):
    """The server may forget what it was told; books that are lost cannot be kept."""


class Store:
    """What one ledger knows of its store."""

    def __init__(self, address: Address) -> None:
        """Nothing yet: the store is asked by the first operation."""
        self.prefix = address.prefix
        self._shown = address.shown
        self._name = ""
        self._lock = threading.Lock()

    def keys(self, path: Sequence[str]) -> tuple[str, ...]:
        """The keys of the accounts from the root down to ``path``."""
        return account_keys(self.prefix, tuple(path))

    def known(self) -> Talk:
        """Get to know the store, or make it, before the first operation."""
        if not self._name:
            version, name = yield from run(store_script("connect"), [store_key(self.prefix)], VERSION, uuid4().hex)
            self.refuse_newer(int(version))
            doubts = yield from _doubts()
            with self._lock:
                first, self._name = not self._name, self._name or name.decode()
            if first and doubts:
                warnings.warn(f"{self._shown} {' and '.join(doubts)}", UnsafeStoreWarning, stacklevel=2)

    def refuse_newer(self, version: int) -> None:
        """Refuse books that a newer budgetkit wrote: it may count what this one does not see."""
        if version > VERSION:
            raise LedgerError(
                f"{self._shown} has books of version {version}, and this budgetkit knows them up to version {VERSION}: "
                "upgrade budgetkit"
            )

    def enlist(self, root: str) -> Talk:
        """Write a root down among the roots: where the books were lost, none is opened."""
        yield from self._checked(json_text(root))

    def check(self) -> Talk:
        """Refuse a store that was lost."""
        yield from self._checked()

    def roots(self) -> Talk:
        """The names of the roots that are open (one may be written down whose opening failed)."""
        yield from self.check()
        names: list[str] = [json.loads(text) for text in (yield ("SMEMBERS", roots_key(self.prefix)))]
        found: list[str] = []
        for name in names:
            there = yield ("EXISTS", self.keys([name])[0])
            found += [name] * there
        return found

    def _checked(self, *root: str) -> Talk:
        keys = [store_key(self.prefix), roots_key(self.prefix)]
        if not (yield from run(store_script("enlist"), keys, self._name, *root)):
            raise LedgerError(
                f"{self._shown} has lost its books (or somebody deleted them): nothing is admitted. Restore them; to "
                "begin anew with empty books, connect anew"
            )


def _doubts() -> Talk:
    """Why this server may lose the books, as far as it tells."""
    memory, persistence = _facts((yield ("INFO", "memory"))), _facts((yield ("INFO", "persistence")))
    found: list[str] = []
    policy = memory.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        found.append(f"evicts keys when its memory is full (maxmemory-policy is {policy}: set it to noeviction)")
    if persistence.get("aof_enabled") == "0" and not (yield from _snapshots()):
        found.append("keeps nothing on disk (set appendonly yes)")
    return found


def _snapshots() -> Talk:
    """Whether it writes snapshots; assumed where we may not ask."""
    try:
        _, points = yield ("CONFIG", "GET", "save")
    except (ResponseError, ValueError):
        return True
    return points != b""


def _facts(info: Any) -> dict[str, str]:
    lines = (line.partition(":") for line in info.decode(errors="replace").splitlines())
    return {name: value for name, _, value in lines}
