"""The tables and functions on the server: made when they are missing, brought up to date when they are old."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Final

from .._errors import LedgerError

if TYPE_CHECKING:
    from ._postgres_talk import Talk
    from ._postgres_url import Place

__all__ = ["VERSION", "prepare", "quoted"]

_MIGRATIONS: Final = ("v1.sql", "v2.sql")
"""Each brings the tables from one version to the next; one that was released is never edited."""
_FUNCTIONS: Final = (
    "tree.sql",
    "books.sql",
    "calls.sql",
    "common.sql",
    "operations.sql",
    "accounts.sql",
    "reading.sql",
)
"""As they are in this version; a change to them is a version, too."""
VERSION: Final = len(_MIGRATIONS)
# Asked of the tables, which show what others did while we waited; names are resolved by a cache, which need not.
_IS_THERE: Final = (
    b"SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON c.relnamespace = n.oid "
    b"WHERE n.nspname = %s AND c.relname = 'version')"
)


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def prepare(place: Place) -> Talk[None]:
    """Make sure that the schema is there and current. Who finds it so needs no right to change it.

    Raises:
        LedgerError: it is newer than this library.
    """
    if (yield from _version(place)) == VERSION:
        return
    yield b"BEGIN", None
    # All who come at the same time wait here; the first does the work.
    yield b"SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"budgetkit schema {place.schema}",)
    found = yield from _version(place)
    if found < VERSION:
        yield from _bring_up(place.schema, found)
    yield b"COMMIT", None


def _version(place: Place) -> Talk[int]:
    """Which version is there; 0: none."""
    [[there]] = yield _IS_THERE, (place.schema,)
    if not there:
        return 0
    [[number]] = yield f"SELECT number FROM {quoted(place.schema)}.version".encode(), None  # noqa: S608 - a quoted name
    if number > VERSION:
        raise LedgerError(
            f"the books in {place} have version {number}, this budgetkit knows {VERSION}: upgrade budgetkit"
        )
    return int(number)


def _bring_up(schema: str, found: int) -> Talk[None]:
    if not found:
        yield f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}".encode(), None
    yield f"SET LOCAL search_path TO {quoted(schema)}, pg_temp".encode(), None
    for script in (*_MIGRATIONS[found:], *_FUNCTIONS):
        yield (files("budgetkit._homes") / "sql" / script).read_bytes(), None
    yield b"DELETE FROM version", None
    yield f"INSERT INTO version VALUES ({VERSION})".encode(), None  # noqa: S608 - a number of our own
