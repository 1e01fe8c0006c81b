"""Where requests are answered: each in one transaction, by books in memory that are filled from the file."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from .._errors import BudgetExceeded, BudgetKitError, LedgerError
from ._perform import perform
from ._sqlite_draft import Draft, Shelf, text
from ._sqlite_file import BooksFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from sqlite3 import Connection

    from ._sqlite_file import Terms
    from ._wire import Document

__all__ = ["Desk"]

_READING: Final = ("states", "charges", "children", "dump")
_THREADS: Final = 4
"""Of one process, for its event loops: they mostly wait for each other."""
_ENTRIES: Final = """SELECT seq, at, request FROM journal
    WHERE root = (SELECT id FROM accounts WHERE path = ?) ORDER BY seq"""
_ROOTS: Final = "SELECT path FROM accounts WHERE parent IS NULL"
_CHILDREN: Final = "SELECT path FROM accounts WHERE parent = (SELECT id FROM accounts WHERE path = ?)"
_BELOW: Final = """WITH RECURSIVE below (account) AS (
    SELECT id FROM accounts WHERE path = ?
    UNION ALL SELECT accounts.id FROM below CROSS JOIN accounts ON accounts.parent = below.account
)"""
_ACCOUNTS: Final = (
    _BELOW  # noqa: S608 - both are ours
    + " SELECT doc FROM below CROSS JOIN accounts ON accounts.id = below.account ORDER BY id"
)
_CALLS: Final = (
    _BELOW  # noqa: S608 - both are ours
    + " SELECT doc FROM below CROSS JOIN calls USING (account) WHERE nth >= 0 ORDER BY id"
)
_CHARGES: Final = (
    _BELOW  # noqa: S608 - both are ours
    + " SELECT doc FROM below CROSS JOIN calls USING (account) WHERE place > 0 ORDER BY place"
)


class Desk:
    """What one process has of a ledger in SQLite.

    Two connections: who reads does not wait behind those who wait for their turn to write.
    """

    def __init__(self, terms: Terms) -> None:
        self._writing = BooksFile(terms), Shelf()
        self._reading = BooksFile(terms), Shelf()
        self._pool = ThreadPoolExecutor(_THREADS, "budgetkit-sqlite")

    def answer(self, request: Document, now: int | None) -> Document:
        """The reply to a request.

        Args:
            request: what is asked.
            now: microseconds since 1970; None: now.

        Raises:
            BudgetExceeded, LedgerError: as the ledger does.
        """
        reply = self._read(request, now) if request["op"] in _READING else None
        return self._write(request, now) if reply is None else reply

    def later(self, work: Callable[[], Document]) -> Future[Document]:
        """Work for a thread of our own: those of the event loop may all be busy with what waits for this."""
        return self._pool.submit(work)

    def close(self, *, wait: bool) -> None:
        """End the threads and close the connections; they open anew when they are used again."""
        self._pool.shutdown(wait=wait)
        for file, _ in (self._writing, self._reading):
            file.close()

    def _read(self, request: Document, now: int | None) -> Document | None:
        """The reply, or None if something is due that must be written first."""
        file, shelf = self._reading

        def work(db: Connection) -> Document | None:
            draft = _drafted(db, shelf, request, now)
            reply = _perform(draft, request)
            return None if draft.changes() else _told(db, draft, request, reply)

        return file.run(work, write=False)

    def _write(self, request: Document, now: int | None) -> Document:
        file, shelf = self._writing

        def work(db: Connection) -> Document | BudgetKitError:
            draft = _drafted(db, shelf, request, now)
            try:
                reply = _perform(draft, request)
            except (BudgetExceeded, LedgerError) as refusal:
                _save(db, draft, None)  # what was due is on the books all the same
                return refusal
            _save(db, draft, request)
            return _told(db, draft, request, reply)

        reply = file.run(work, write=True)
        if isinstance(reply, BudgetKitError):
            raise reply
        return reply


def _drafted(db: Connection, shelf: Shelf, request: Document, now: int | None) -> Draft:
    draft = Draft(db, shelf, time.time_ns() // 1000 if now is None else now)
    draft.load(request)
    return draft


def _perform(draft: Draft, request: Document) -> Document:
    """Change the draft as asked; what only reads is told once it is written."""
    if request["op"] not in _READING:
        return perform(draft.books, request)
    if request["path"]:
        draft.books.states(tuple(request["path"]))
    return {}


def _save(db: Connection, draft: Draft, request: Document | None) -> None:
    """Write what changed, and by which request."""
    changes = draft.changes()
    if changes and request is not None and request["op"] not in _READING:
        changes.append(draft.entry(request))
    for sql, values in changes:
        db.execute(sql, values)


def _told(db: Connection, draft: Draft, request: Document, reply: Document) -> Document:
    """The reply, with what was asked to be read."""
    path, op = request["path"], request["op"]
    if op not in _READING:
        return reply
    if op == "states":
        return {"accounts": draft.docs(tuple(path)), "now": draft.now}
    if op == "charges":
        return {"calls": _docs(db, _CHARGES, text(path))}
    if op == "children":
        rows = db.execute(_CHILDREN, (text(path),)) if path else db.execute(_ROOTS)
        return {"children": [json.loads(name)[-1] for (name,) in rows]}
    return {**_tree(db, text(path)), "now": draft.now}


def _tree(db: Connection, root: str) -> Document:
    entries = db.execute(_ENTRIES, (root,))
    return {
        "accounts": _docs(db, _ACCOUNTS, root),
        "calls": _docs(db, _CALLS, root),
        "journal": [{"seq": seq, "at": at, "request": json.loads(request)} for seq, at, request in entries],
    }


def _docs(db: Connection, which: str, path: str) -> list[Document]:
    return [json.loads(doc) for (doc,) in db.execute(which, (path,))]
