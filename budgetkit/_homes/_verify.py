"""`verify`: the journal of a ledger, replayed into books in memory, must give the balances that the ledger has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from .._books import Books
from .._errors import BudgetKitError, LedgerError
from .._reservation import MICRO
from ._perform import perform
from ._shared_ledger import SharedLedger
from ._wire import Document, account_doc, call_doc, nodes_from

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .._ledger import Ledger
    from .._memory_tree import Node
    from .._reservation import Reservation

__all__ = ["Verification", "replay", "verify"]


@final
@dataclass(frozen=True, slots=True)
class Verification:
    """What a check of the books found.

    Attributes:
        accounts: how many were compared.
        calls: how many were compared.
        entries: of the journal, that were replayed.
        differences: in words; empty if the books are right.
    """

    accounts: int
    calls: int
    entries: int
    differences: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether the books are right."""
        return not self.differences


def verify(ledger: Ledger, root: str | None = None) -> Verification:
    """Rebuild the balances from the journal and compare them, account by account and call by call.

    Args:
        ledger: one that keeps a journal: SQLite, PostgreSQL or Redis.
        root: the tree to check; None: all.

    Raises:
        LedgerError: it keeps no journal, or cannot be reached.
    """
    if not isinstance(ledger, SharedLedger):
        raise LedgerError(f"{type(ledger).__name__} keeps no journal: what it knows ends with this process")
    roots = [root] if root is not None else [path[0] for path in ledger.children()]
    dumps = [ledger.dump(name) for name in roots]
    return Verification(
        sum(len(dump["accounts"]) for dump in dumps),
        sum(len(dump["calls"]) for dump in dumps),
        sum(len(dump["journal"]) for dump in dumps),
        tuple(difference for dump in dumps for difference in _differences(dump)),
    )


def replay(journal: Iterable[Document], until: int) -> Books:
    """Books in memory that went through the journal, as they are at ``until`` (microseconds)."""
    now = 0
    books = Books(clock=lambda: now / MICRO)
    for entry in journal:
        now = entry["at"]
        perform(books, entry["request"])
    now = until
    for account in books.nodes:
        books.states(account)  # what lapses or leaves its window by then
    return books


def _differences(dump: Document) -> Iterator[str]:
    try:
        books = replay(dump["journal"], dump["now"])
    except (BudgetKitError, ValueError) as broken:
        yield f"the journal does not replay: {broken}"
        return
    stored = nodes_from(sorted(dump["accounts"], key=lambda doc: len(doc["path"])))
    for node in stored.values():
        node.roll(dump["now"])
    yield from _compare("account", _accounts(stored, dump["now"]), _accounts(books.nodes, dump["now"]))
    told = {_key(doc): _call(doc) for doc in dump["calls"]}
    yield from _compare("call", told, {_key(doc): _call(doc) for doc in map(call_doc, _calls(books))})


def _calls(books: Books) -> Iterator[Reservation]:
    for node in books.nodes.values():
        yield from {id(call): call for call in node.calls.values()}.values()


def _compare(what: str, stored: Mapping[str, Any], replayed: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*stored, *replayed}):
        if name not in replayed:
            yield f"{what} {name} is in the books and not in the journal"
        elif name not in stored:
            yield f"{what} {name} is in the journal and not in the books"
        else:
            yield from _fields(f"{what} {name}", stored[name], replayed[name])


def _fields(name: str, stored: Document, replayed: Document) -> Iterator[str]:
    for field, value in stored.items():
        if value != replayed[field]:
            yield f"{name}: {field} is {value} in the books, {replayed[field]} by the journal"


def _accounts(nodes: Mapping[tuple[str, ...], Node], now: int) -> dict[str, Document]:
    return {"/".join(path): _account(account_doc(node), node.watch.read(now)) for path, node in nodes.items()}


def _account(doc: Document, in_use: int) -> Document:
    """What must agree: zeros are as good as nothing, and a stopwatch is what it shows."""
    cells = {name: cell for name, cell in doc["cells"].items() if cell[:2] != ["0", "0"] or cell[2]}
    slices = {at: _nonzero(part, "0") for at, part in doc["slices"].items()}
    return {
        **{name: doc[name] for name in ("limits", "kept", "prepaid", "frozen", "window")},
        "cells": cells,
        "slices": {at: part for at, part in slices.items() if part},
        "marks": {kind: _nonzero(marks, 0) for kind, marks in doc["marks"].items()},
        "microseconds in use": in_use,
        "users of the clock": doc["watch"][2],
    }


def _nonzero(amounts: Mapping[str, Any], zero: object) -> Document:
    return {name: n for name, n in amounts.items() if n != zero}


def _key(doc: Document) -> str:
    return f"{doc['id']!r} (attempt {doc['attempt']}) of {'/'.join(doc['path'])!r}"


def _call(doc: Document) -> Document:
    return {**doc, "asked": _spend(doc["asked"]), "spend": doc["spend"] and _spend(doc["spend"])}


def _spend(doc: Document) -> Document:
    return {**doc, "estimated": sorted(doc["estimated"]), "unmeasured": sorted(doc["unmeasured"])}
