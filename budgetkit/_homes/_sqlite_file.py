"""One connection to the file of the books: its transactions, its patience, and what it says when something is wrong."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from .._errors import LedgerError
from ._sqlite_schema import check_version, is_current, migrate

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BooksFile", "Terms"]

_Result = TypeVar("_Result")

_SHORTEST_NAP, _LONGEST_NAP = 0.0002, 0.005
_PAGE: Final = 2048
"""Bytes: an operation changes a row or two in each of half a dozen pages, and they are written whole."""
_BUSY: Final = ("SQLITE_BUSY", "SQLITE_LOCKED")
_REASONS: Final = {
    "SQLITE_READONLY": "it may not be written: check the permissions of the file and its folder",
    "SQLITE_PERM": "it may not be opened: check the permissions of the file and its folder",
    "SQLITE_AUTH": "it may not be opened: check the permissions of the file and its folder",
    "SQLITE_CANTOPEN": "it cannot be opened: check that it is a file, and the permissions of its folder",
    "SQLITE_FULL": "the disk is full: make room; nothing of this operation was written",
    "SQLITE_IOERR": "the disk failed: nothing of this operation was written",
    "SQLITE_NOTADB": "it is no SQLite database: give the books a file of their own",
    "SQLITE_CORRUPT": "it is damaged: restore it from a backup; nothing is admitted on broken books",
    "SQLITE_TOOBIG": "what is to be written is larger than SQLite holds",
}


@dataclass(frozen=True, slots=True)
class Terms:
    """Where the file is, and how it is used; see `SqliteLedger`."""

    path: Path
    timeout: float
    synchronous: str


class BooksFile:
    """A connection that one thread uses at a time; opened with the first transaction.

    The threads of a process queue at a lock of its own: they come in turn, where SQLite would let them race.
    """

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None

    def run(self, work: Callable[[sqlite3.Connection], _Result], *, write: bool) -> _Result:
        """What ``work`` returns from one transaction; it is rolled back if anything is raised.

        Raises:
            LedgerError: the file cannot be used in time.
        """
        if not self._lock.acquire(timeout=self._terms.timeout):
            raise self._error(f"other threads have used it for {self._terms.timeout:g} s: raise timeout=")
        try:
            return self._run(work, write=write)
        except sqlite3.Error as error:
            if not _is_busy(error):
                self._drop()
            raise self._error(self._reason(error)) from error
        finally:
            self._lock.release()

    def close(self) -> None:
        """Close the connection, once nobody uses it; the next transaction opens another."""
        with self._lock:
            self._drop()

    # -- inside the lock --------------------------------------------------------------------------------------------

    def _run(self, work: Callable[[sqlite3.Connection], _Result], *, write: bool) -> _Result:
        db = self._connected()
        try:
            self._patiently(db, lambda: self._begin(db, write=write))
            result = work(db)
            db.execute("COMMIT")
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")
        return result

    def _begin(self, db: sqlite3.Connection, *, write: bool) -> None:
        db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        self._judged(check_version, db)

    def _patiently(self, db: sqlite3.Connection, begin: Callable[[], _Result]) -> _Result:
        """Wait for the lock. SQLite's own waiting grows to a tenth of a second, and in a crowd somebody starves."""
        nap, ends = _SHORTEST_NAP, time.monotonic() + self._terms.timeout
        while True:
            try:
                return begin()
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or time.monotonic() > ends:
                    raise
                if db.in_transaction:
                    db.execute("ROLLBACK")
            time.sleep(random.uniform(0, nap))
            nap = min(2 * nap, _LONGEST_NAP)

    def _connected(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = self._connect()
            self._inode = self._found_inode()
        elif self._found_inode() != self._inode:
            self._drop()
            raise self._error("it was moved, deleted or replaced while it was in use: put it back")
        return self._db

    def _connect(self) -> sqlite3.Connection:
        folder = self._terms.path.parent
        if not folder.is_dir():
            raise self._error(f"there is no folder {str(folder)!r}: make it first")
        db = sqlite3.connect(self._terms.path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        # Looked at first: another program's file is left as it is, and one of ours needs no lock to be found current.
        current = self._patiently(db, lambda: self._judged(is_current, db))
        db.execute(f"PRAGMA page_size = {_PAGE}")
        mode = self._patiently(db, lambda: db.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        if mode != "wal":
            raise self._error(f"its folder cannot hold a write-ahead log (journal_mode is {mode!r}): use a local disk")
        db.execute(f"PRAGMA synchronous = {self._terms.synchronous}")
        if not current:
            self._patiently(db, lambda: db.execute("BEGIN IMMEDIATE"))
            self._judged(migrate, db)
            db.execute("COMMIT")

    def _judged(self, judge: Callable[[sqlite3.Connection], _Result], db: sqlite3.Connection) -> _Result:
        try:
            return judge(db)
        except LedgerError as slip:
            raise self._error(str(slip)) from None

    def _found_inode(self) -> tuple[int, int] | None:
        try:
            found = self._terms.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _drop(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    # -- words --------------------------------------------------------------------------------------------------------

    def _reason(self, error: sqlite3.Error) -> str:
        if _is_busy(error):
            return f"another process has locked it for {self._terms.timeout:g} s: try again, or raise timeout="
        name = getattr(error, "sqlite_errorname", "")
        reasons = (reason for code, reason in _REASONS.items() if name.startswith(code))
        return next(reasons, f"SQLite says: {error}")

    def _error(self, reason: str) -> LedgerError:
        return LedgerError(f"the ledger {str(self._terms.path)!r} cannot be used: {reason}")


def _is_busy(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorname", "").startswith(_BUSY)
