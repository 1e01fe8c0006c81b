"""What the books in SQLite say of a file that is not as it should be, and of a URL that names none."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from budgetkit import (
    Account,
    Ledger,
    LedgerError,
    Spend,
    SqliteLedger,
)

ONE = Spend(llm_calls=1)
ROOT, RUN = ("tenant",), ("tenant", "run")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "books.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[SqliteLedger]:
    with SqliteLedger(path, timeout=0.05) as ledger:
        ledger.open(ROOT, {"llm_calls": 100})
        ledger.open(RUN, {})
        yield ledger


@contextlib.contextmanager
def other(path: Path) -> Generator[sqlite3.Connection]:
    """Another program with the same file."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        yield db


def inside(ledger: SqliteLedger) -> sqlite3.Connection:
    """The connection that the ledger writes with."""
    db = ledger._desk()._writing[0]._db
    assert db is not None
    return db


def used(ledger: Ledger, account: Account = ROOT) -> tuple[int, int]:
    """Model calls spent and reserved."""
    state = ledger.states(account)[-1]
    return state.spent.in_units("llm_calls"), state.reserved.in_units("llm_calls")


def reason(ledger: SqliteLedger, operation: Callable[[], object], path: Path) -> str:
    with ledger, pytest.raises(LedgerError) as error:
        operation()
    before, _, told = str(error.value).partition(" cannot be used: ")
    assert before == f"the ledger {str(path)!r}"
    return told


def refused(path: Path) -> str:
    """Why a ledger at this path cannot be opened."""
    ledger = SqliteLedger(path)
    return reason(ledger, lambda: ledger.open(ROOT, {}), path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path / "no" / "books.db") == f"there is no folder {str(tmp_path / 'no')!r}: make it first"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "books.db").mkdir()
    assert refused(tmp_path / "books.db") == (
        "it cannot be opened: check that it is a file, and the permissions of its folder"
    )


def test_a_file_of_something_else_is_left_as_it_is(path: Path) -> None:
    path.write_text("not a database" * 100)
    assert refused(path) == "it is no SQLite database: give the books a file of their own"
    assert path.read_text() == "not a database" * 100


def test_a_database_of_another_program_is_left_as_it_is(path: Path) -> None:
    with other(path) as db:
        db.execute("CREATE TABLE checkpoints (id)")
    before = path.read_bytes()
    assert refused(path) == "it holds another program's tables; give the books a file of their own"
    assert path.read_bytes() == before


def test_a_newer_file_is_refused_also_when_it_became_so_just_now(ledger: SqliteLedger, path: Path) -> None:
    with other(path) as db:
        db.execute("UPDATE meta SET value = '3' WHERE name = 'version'")
    newer = "it has version 3 of the schema, and this budgetkit knows versions up to 2: upgrade budgetkit"
    assert reason(ledger, lambda: ledger.reserve(RUN, ONE), path) == newer
    assert refused(path) == newer


def test_a_damaged_file_admits_nothing(ledger: SqliteLedger, path: Path) -> None:
    ledger.disconnect()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    assert reason(ledger, lambda: ledger.reserve(RUN, ONE), path) == (
        "it is damaged: restore it from a backup; nothing is admitted on broken books"
    )


def test_a_full_disk_admits_nothing_and_is_right_again_when_there_is_room(ledger: SqliteLedger, path: Path) -> None:
    inside(ledger).execute("PRAGMA max_page_count = 1")
    huge = "x" * 100_000
    assert reason(ledger, lambda: ledger.reserve(RUN, ONE, label=huge), path) == (
        "the disk is full: make room; nothing of this operation was written"
    )
    assert used(ledger) == (0, 0)
    ledger.reserve(RUN, ONE, label=huge)
    assert used(ledger) == (0, 1)


def test_a_file_that_may_not_be_written_admits_nothing(ledger: SqliteLedger, path: Path) -> None:
    inside(ledger).execute("PRAGMA query_only = 1")
    assert reason(ledger, lambda: ledger.reserve(RUN, ONE), path) == (
        "it may not be written: check the permissions of the file and its folder"
    )


def test_a_file_that_was_taken_away_does_not_begin_anew_unnoticed(ledger: SqliteLedger, path: Path) -> None:
    path.rename(path.with_suffix(".old"))
    assert reason(ledger, lambda: ledger.reserve(RUN, ONE), path) == (
        "it was moved, deleted or replaced while it was in use: put it back"
    )
    with pytest.raises(LedgerError, match="account 'tenant/run' is not open"):
        ledger.reserve(RUN, ONE)


# -- where it is ------------------------------------------------------------------------------------------------------


def test_a_url_names_a_file_here_or_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url in ("sqlite:///here.db", f"sqlite:///{tmp_path}/an%3Fy%20where.db?timeout=3&synchronous=full"):
        with SqliteLedger.from_url(url) as ledger:
            ledger.open(ROOT, {})
    assert {"here.db", "an?y where.db"} == {file.name for file in tmp_path.iterdir()}


def test_the_disk_is_waited_for_only_where_it_is_asked(path: Path) -> None:
    for options, mode in [("", 1), ("?synchronous=full", 2)]:
        with SqliteLedger.from_url(f"sqlite:///{path}{options}") as ledger:
            ledger.open(ROOT, {})
            ledger.charge(ROOT, ONE)
            assert inside(ledger).execute("PRAGMA synchronous").fetchone() == (mode,)


@pytest.mark.parametrize(
    ("url", "slip"),
    [
        ("sqlite:///:memory:", "is no file to share: write memory:// for books in memory"),
        ("sqlite://", "is no file to share: write memory:// for books in memory"),
        ("sqlite://books.db", "names no file: write sqlite:///relative/path.db or sqlite:////absolute/path.db"),
        ("sqlite:///", "names no file: write sqlite:///relative/path.db or sqlite:////absolute/path.db"),
        ("sqlite:///b.db?wait=3", "has the unknown option 'wait': known are timeout, synchronous"),
    ],
)
def test_a_url_that_names_no_file_says_how(url: str, slip: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - compared in full
        Ledger.from_url(url)
    assert str(error.value) == f"url={url!r} {slip}"


def test_options_that_mean_nothing_are_named() -> None:
    with pytest.raises(ValueError, match=r"^url='sqlite:///b.db\?timeout=x': timeout='x' must be a number of seconds"):
        SqliteLedger.from_url("sqlite:///b.db?timeout=x")
    with pytest.raises(ValueError, match=r"^timeout=0 must be a finite number of seconds above 0$"):
        SqliteLedger("b.db", timeout=0)
    with pytest.raises(ValueError, match=r"^synchronous='off' must be one of 'normal', 'full'$"):
        SqliteLedger("b.db", synchronous="off")
    with pytest.raises(
        ValueError, match=r"^path=':memory:' is no file to share: use MemoryLedger, or the url memory://$"
    ):
        SqliteLedger(":memory:")
