"""The part of the books that one request touches: loaded from the file, changed in memory, written back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .._books import Books
from .._errors import LedgerError
from .._reservation import MICRO
from ._wire import account_doc, call_doc, call_from, node_from

if TYPE_CHECKING:
    from collections.abc import Iterator
    from sqlite3 import Connection

    from .._account import Account
    from .._memory_tree import Node
    from .._reservation import Reservation
    from ._wire import Document

__all__ = ["Draft", "Shelf", "Statement", "text"]

Statement = tuple[str, tuple[Any, ...]]
"""SQL, and what stands for its question marks."""

_PRESENCE: Final = -1
_CHAIN: Final = "SELECT id, path, doc, clock, placed FROM accounts WHERE path IN ({}) ORDER BY id"
_CALLS: Final = """
    SELECT id, nth, due, place, doc FROM calls WHERE root = ? AND due <= ?
    UNION SELECT id, nth, due, place, doc FROM calls WHERE account = ? AND name = ? AND nth IN (?, ?) ORDER BY id
"""
_TOPPED_UP: Final = "SELECT 1 FROM top_ups WHERE account = ? AND name = ?"
_NEW_ACCOUNT: Final = "INSERT INTO accounts (parent, path, doc, clock, placed) VALUES (?, ?, ?, ?, ?)"
_CHANGED_ACCOUNT: Final = "UPDATE accounts SET doc = ?, clock = ?, placed = ? WHERE id = ?"
_ENTRY: Final = "INSERT INTO journal (root, at, request) VALUES (coalesce(?, last_insert_rowid()), ?, ?)"
_NEW_CALL: Final = "INSERT INTO calls (account, root, name, nth, due, place, doc) VALUES (?, ?, ?, ?, ?, ?, ?)"
_CHANGED_CALL: Final = "UPDATE calls SET nth = ?, due = ?, place = ?, doc = ? WHERE id = ?"
_OF_PRESENCES: Final = ("start", "stop")

text: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
"""One line of ASCII, which every store can hold: NUL and lone surrogates are escaped."""


@dataclass(slots=True)
class _Row:
    """A row as it is in the file."""

    id: int
    doc: str
    nth: int = 0
    place: int | None = None


class Shelf:
    """Accounts and open calls as they were written last, to be taken again while the file still says the same of them.

    What is taken is off the shelf: only who writes it knows what it has become.
    """

    _MOST = 1000
    _LONGEST = 10_000
    """Characters of a document."""

    def __init__(self) -> None:
        self._nodes: dict[Account, tuple[str, Node]] = {}
        self._calls: dict[str, Reservation] = {}

    def take(self, account: Account, doc: str, parent: Node | None) -> Node:
        """The account of a document."""
        lies, node = self._nodes.pop(account, ("", None))
        if node is None or lies != doc or node.parent is not parent:
            return node_from(json.loads(doc), parent)
        node.chilled = node.frozen or (parent is not None and parent.chilled)
        return node

    def take_call(self, doc: str) -> Reservation:
        """The call of a document."""
        return self._calls.pop(doc, None) or call_from(json.loads(doc))

    def put(self, node: Node, doc: str) -> None:
        """Lay down an account as it is written."""
        if len(self._nodes) >= self._MOST:
            self._nodes.clear()
        if len(doc) <= self._LONGEST:
            node.calls.clear()
            self._nodes[node.account] = doc, node

    def put_call(self, call: Reservation, doc: str) -> None:
        """Lay down a call as it is written."""
        if len(self._calls) >= self._MOST:
            self._calls.clear()
        if len(doc) <= self._LONGEST:
            self._calls[doc] = call


class Draft:
    """Books in memory that know of one request's accounts and calls, and of no others.

    Args:
        db: a connection, in a transaction.
        shelf: where accounts may lie.
        now: microseconds since 1970.

    Attributes:
        books: what the request is performed on.
        now: the time of the operation: never before that of the last change of the tree.
    """

    def __init__(self, db: Connection, shelf: Shelf, now: int) -> None:
        self._db = db
        self._shelf = shelf
        self._accounts: dict[Account, _Row] = {}
        self._calls: dict[Reservation, _Row] = {}
        self._topped_up = False
        self._placed = 0
        self.now = now
        self.books = Books(clock=lambda: self.now / MICRO)

    def load(self, request: Document) -> None:
        """Load the accounts and calls of a request, and what is due in its tree."""
        account: Account = tuple(request["path"])
        self._load_chain(account)
        root, row = self._accounts.get(account[:1]), self._accounts.get(account)
        if row is not None and request["op"] == "top_up":
            self._load_top_up(account, row, text(request["id"]))
        if root is not None:
            self._load_calls(root, row, request)

    def docs(self, account: Account) -> list[Document]:
        """An account and those above it, from the root down."""
        return [account_doc(node) for node in self.books.nodes[account].chain()]

    def changes(self) -> list[Statement]:
        """What must be written so that the file says what the books say; the accounts go to the shelf."""
        changes = [*self._changed_calls(), *self._changed_top_ups()]
        for account, node in reversed(self.books.nodes.items()):
            doc, row = text(account_doc(node)), self._accounts.get(account)
            placed = self._placed + len(self.books.journal)
            if row is None:
                parent = self._accounts[account[:-1]].id if node.parent else None
                changes.append((_NEW_ACCOUNT, (parent, text(account), doc, self.now, placed)))
            elif doc != row.doc or (node.parent is None and changes):
                changes.append((_CHANGED_ACCOUNT, (doc, self.now, placed, row.id)))
            self._shelf.put(node, doc)
        return changes

    def entry(self, request: Document) -> Statement:
        """The line of the journal; of a new tree, right after its root was inserted."""
        root = self._accounts.get(tuple(request["path"][:1]))
        return _ENTRY, (root and root.id, self.now, text(request))

    # -- loading ----------------------------------------------------------------------------------------------------

    def _load_chain(self, account: Account) -> Node | None:
        """The account, with those above it; those that are open."""
        if account not in self.books.nodes:
            paths = {path: account[:depth] for depth, path in enumerate(_paths(account), 1)}
            rows = self._db.execute(_CHAIN.format(",".join("?" * len(paths))), (*paths,))
            for id_, path, doc, clock, placed in rows.fetchall():
                self._load_account(paths[path], _Row(id_, doc), clock, placed)
        return self.books.nodes.get(account)

    def _load_account(self, account: Account, row: _Row, clock: int, placed: int) -> None:
        if account in self.books.nodes:
            return
        if len(account) == 1:
            self.now, self._placed = max(self.now, clock), placed
        self._accounts[account] = row
        self.books.nodes[account] = self._shelf.take(account, row.doc, self.books.nodes.get(account[:-1]))

    def _load_top_up(self, account: Account, row: _Row, name: str) -> None:
        if self._db.execute(_TOPPED_UP, (row.id, name)).fetchone():
            self._topped_up = True
            self.books.top_ups.add((account, json.loads(name)))

    def _load_calls(self, root: _Row, row: _Row | None, request: Document) -> None:
        name = text(request["id"]) if row is not None and "id" in request else None
        presence = request["op"] in _OF_PRESENCES or request.get("presence", False)
        which = (_PRESENCE, _PRESENCE) if presence else (0, request.get("attempt", 0))
        rows = self._db.execute(_CALLS, (root.id, self.now, row and row.id, name, *which))
        for id_, nth, due, place, doc in rows.fetchall():
            self._load_call(_Row(id_, doc, nth, place), in_flight=due is not None)

    def _load_call(self, row: _Row, *, in_flight: bool) -> None:
        call = self._shelf.take_call(row.doc)
        node = self._load_chain(call.account)
        if node is None:
            raise LedgerError(f"the books are broken: call {call.id!r} is of an account that is not there")
        self._calls[call] = row
        if row.nth != _PRESENCE:
            node.calls[(call.id, row.nth) if row.nth else call.id] = call
        if in_flight:
            self.books.carry_on(node, call)

    # -- writing ----------------------------------------------------------------------------------------------------

    def _changed_calls(self) -> Iterator[Statement]:
        places = {call: self._placed + n for n, call in enumerate(self.books.journal, 1)}
        for call, nth in self._filed():
            doc, row = text(call_doc(call)), self._calls.get(call)
            due = round(call.expires * MICRO) if call in self.books.open_calls else None
            if row is None:
                account, root = self._accounts[call.account].id, self._accounts[call.account[:1]].id
                yield _NEW_CALL, (account, root, text(call.id), nth, due, places.get(call), doc)
            elif doc != row.doc or nth != row.nth:
                yield _CHANGED_CALL, (nth, due, places.get(call, row.place), doc, row.id)
            if due is not None:
                self._shelf.put_call(call, doc)
        for call, row in self._calls.items():
            if row.nth == _PRESENCE and call not in self.books.open_calls:
                yield "DELETE FROM calls WHERE id = ?", (row.id,)

    def _filed(self) -> Iterator[tuple[Reservation, int]]:
        """All calls that are known, and under what they are found again."""
        for node in self.books.nodes.values():
            for key, call in node.calls.items():
                yield call, 0 if isinstance(key, str) else key[1]
        for call in self.books.open_calls:
            if call.presence:
                yield call, _PRESENCE

    def _changed_top_ups(self) -> Iterator[Statement]:
        for account, name in self.books.top_ups:
            if not self._topped_up:
                yield "INSERT INTO top_ups VALUES (?, ?)", (self._accounts[account].id, text(name))


def _paths(account: Account) -> Iterator[str]:
    """What `text` writes of the account and those above it, from the root down."""
    path = "["
    for name in account:
        path += text(name)
        yield path + "]"
        path += ","
