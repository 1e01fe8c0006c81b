"""What is in the file: tables that people can read, and how an older file becomes a newer one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .._errors import LedgerError

if TYPE_CHECKING:
    from sqlite3 import Connection

__all__ = ["MIGRATIONS", "check_version", "is_current", "migrate"]

_TABLES: Final = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "INSERT INTO meta VALUES ('about', 'budgetkit ledger: amounts in whole units, times in microseconds since 1970')",
    "INSERT INTO meta VALUES ('version', '0')",
    # `clock`: the time of the last change, on the root that of the tree; `placed`: how many calls of the tree were
    # settled by then.
    """CREATE TABLE accounts (
        id INTEGER PRIMARY KEY,
        parent INTEGER REFERENCES accounts,
        path TEXT NOT NULL UNIQUE,
        doc TEXT NOT NULL,
        clock INTEGER NOT NULL DEFAULT 0,
        placed INTEGER NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX accounts_below ON accounts (parent)",
    # `nth`: 0 for the latest attempt under this name, its number for one before, -1 for a scope that is open;
    # `due`: when it expires, as long as it is in flight; `place`: its turn among the settled.
    """CREATE TABLE calls (
        id INTEGER PRIMARY KEY,
        account INTEGER NOT NULL REFERENCES accounts,
        root INTEGER NOT NULL REFERENCES accounts,
        name TEXT NOT NULL,
        nth INTEGER NOT NULL,
        due INTEGER,
        place INTEGER,
        doc TEXT NOT NULL
    )""",
    "CREATE INDEX calls_by_name ON calls (account, name, nth)",
    "CREATE INDEX calls_in_flight ON calls (root, due) WHERE due IS NOT NULL",
    """CREATE TABLE top_ups (
        account INTEGER NOT NULL REFERENCES accounts,
        name TEXT NOT NULL,
        PRIMARY KEY (account, name)
    ) WITHOUT ROWID""",
    """CREATE TABLE journal (
        seq INTEGER PRIMARY KEY,
        root INTEGER NOT NULL REFERENCES accounts,
        at INTEGER NOT NULL,
        request TEXT NOT NULL
    )""",
    "CREATE INDEX journal_of ON journal (root)",
    """CREATE TRIGGER journal_is_never_changed BEFORE UPDATE ON journal
        BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END""",
    """CREATE TRIGGER journal_is_never_cut BEFORE DELETE ON journal
        BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END""",
)
_VIEWS: Final = (
    """CREATE VIEW balances AS
    WITH cells AS (
        SELECT accounts.path AS account, doc, cell.key AS resource,
            CAST(json_extract(cell.value, '$[0]') AS INTEGER) AS held,
            CAST(json_extract(cell.value, '$[1]') AS INTEGER) AS spent
        FROM accounts JOIN json_each(doc, '$.cells') AS cell
    )
    SELECT account, resource, CAST(ceiling.value AS INTEGER) AS "limit", spent, held - spent AS reserved,
        CAST(ceiling.value AS INTEGER) - held AS "left"
    FROM cells LEFT JOIN json_each(doc, '$.limits') AS ceiling ON ceiling.key = resource""",
    """CREATE VIEW spends AS SELECT
        accounts.path AS account,
        json_extract(calls.doc, '$.id') AS id,
        json_extract(calls.doc, '$.label') AS label,
        json_extract(calls.doc, '$.state') AS state,
        amount.key AS resource,
        CAST(amount.value AS INTEGER) AS units
    FROM calls
    JOIN accounts ON accounts.id = calls.account
    JOIN json_each(calls.doc, '$.spend.units') AS amount
    WHERE calls.place IS NOT NULL
    ORDER BY calls.root, calls.place""",
)
_WINDOWS_AND_FREEZING: Final = (
    """UPDATE accounts SET doc = json_set(
        doc, '$.frozen', json('false'), '$.window', NULL, '$.start', 0, '$.end', 0, '$.slices', json('{}')
    )""",
)
MIGRATIONS: Final = ((*_TABLES, *_VIEWS), _WINDOWS_AND_FREEZING)
"""By the version that each starts from: what makes the next of it."""

_VERSION: Final = len(MIGRATIONS)


def is_current(db: Connection) -> bool:
    """Whether there is nothing to migrate.

    Raises:
        LedgerError: there are tables in it that are not ours, or newer than ours.
    """
    if _version(db):
        check_version(db)
    return _version(db) == _VERSION


def _version(db: Connection) -> int:
    """The version of the file; 0 if it is empty."""
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return 0
    if not {"meta", "accounts", "calls", "journal"} <= tables:
        raise LedgerError("it holds another program's tables; give the books a file of their own")
    return _stored(db)


def check_version(db: Connection) -> None:
    """Refuse a file that another library has made newer, perhaps just now.

    Raises:
        LedgerError: it is newer than this library.
    """
    version = _stored(db)
    if version > _VERSION:
        raise LedgerError(
            f"it has version {version} of the schema, and this budgetkit knows versions up to {_VERSION}: upgrade "
            "budgetkit"
        )


def migrate(db: Connection) -> None:
    """Bring the file to the newest version, inside the open transaction."""
    version = _version(db)
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            db.execute(statement)
    if version < _VERSION:
        db.execute("UPDATE meta SET value = ? WHERE name = 'version'", (str(_VERSION),))


def _stored(db: Connection) -> int:
    row = db.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()
    return int(row[0])
