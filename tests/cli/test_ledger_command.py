"""`budgetkit ledger`: accounts at the prompt."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from budgetkit import Budget, Ledger, Spend, Window
from budgetkit.evals import main

Run = Any


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Books with a tenant, a user and two charges."""
    where = f"sqlite:///{tmp_path / 'books.db'}"
    ledger: Any = Ledger.from_url(where)
    with (
        ledger,
        Budget(usd="10", window=Window.month("Europe/Berlin")).open("acme", id="acme", ledger=ledger),
        Budget(llm_calls=5).open("ada/b", id="ada/b") as user,
    ):
        user.settle(user.reserve(Spend(llm_calls=1, usd="0.5"), label="model:x"), Spend(llm_calls=1, usd="0.25"))
        user.charge(Spend(usd="0.05"), label="tool:search", id="one")
    return where


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str) -> Run:
    """Types a command; returns its exit status and what it printed."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("BUDGETKIT_LEDGER", url)

    def typed(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["budgetkit", "ledger", *words])
        with pytest.raises(SystemExit) as left:
            main()
        printed = capsys.readouterr()
        return int(left.value.code or 0), printed.out + printed.err

    return typed


def test_ls_shows_the_accounts_with_what_is_spent_of_their_limits(run: Run) -> None:
    status, shown = run("ls", "-r")
    assert status == 0
    assert "acme" in shown
    assert "usd 0.3/10" in shown
    assert "month@Europe/Berlin" in shown
    assert "acme/ada%2Fb" in shown
    assert "llm_calls 1/5" in shown
    assert "ada" not in run("ls")[1]


def test_show_has_every_resource_and_who_spent_what(run: Run) -> None:
    _, shown = run("show", "acme/ada%2Fb")
    for line in ("llm_calls", "model:x", "tool:search", "usd 0.25", "per month@Europe/Berlin"):
        assert line in shown


def test_top_up_and_limit_change_what_is_left(run: Run, url: str) -> None:
    assert run("top-up", "acme/ada%2Fb", "llm_calls=2", "--id", "gift")[0] == 0
    assert run("top-up", "acme/ada%2Fb", "llm_calls=2", "--id", "gift")[0] == 0
    assert run("limit", "acme", "usd=20,tool:search=3")[0] == 0
    ledger: Any = Ledger.from_url(url)
    with ledger:
        acme, user = ledger.states(("acme", "ada/b"))
        assert (acme.limits, user.limits) == ({"usd": 20 * 10**9, "tool:search": 3}, {"llm_calls": 7})
        assert run("limit", "acme", "usd=none")[0] == 0
        assert ledger.states(("acme",))[-1].limits == {"tool:search": 3}


def test_freeze_and_unfreeze(run: Run, url: str) -> None:
    assert run("freeze", "acme") == (0, "acme is frozen\n")
    ledger: Any = Ledger.from_url(url)
    with ledger:
        assert ledger.states(("acme",))[-1].frozen
        assert "frozen" in run("ls")[1]
        assert run("unfreeze", "acme") == (0, "acme is open again\n")
        assert not ledger.states(("acme",))[-1].frozen


def test_verify_says_that_the_books_are_right(run: Run) -> None:
    status, shown = run("verify")
    assert (status, shown.split(": ")[1]) == (0, "the balances are what the journal says\n")
    assert shown.startswith("2 accounts, 2 calls, ")


def test_export_writes_every_charge(run: Run, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in run("export")[1].splitlines()]
    assert [(row["account"], row["label"], row["spend"]) for row in rows] == [
        ("acme/ada%2Fb", "model:x", {"llm_calls": "1", "usd": "0.25"}),
        ("acme/ada%2Fb", "tool:search", {"usd": "0.05"}),
    ]
    assert run("export", "acme", "--out", str(tmp_path / "all.csv"))[0] == 0
    with (tmp_path / "all.csv").open(newline="") as file:
        assert [(row["label"], row["llm_calls"], row["usd"]) for row in csv.DictReader(file)] == [
            ("model:x", "1", "0.25"),
            ("tool:search", "0", "0.05"),
        ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("show", "nobody"), "account 'nobody' is not open: open it before it spends"),
        (("show", "acme", "--ledger", "mysql://x"), "names no home of the books"),
        (("top-up", "acme", "usd"), "'usd' is no amount: write it like usd=5"),
        (("top-up", "acme", "usd=-5"), "usd='-5' is negative"),
        (("top-up", "acme", "llm_calls=x"), "llm_calls='x' must be a whole number (int), not str"),
        (("verify", "--ledger", "memory://"), "MemoryLedger keeps no journal"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line_and_status_2(run: Run, words: tuple[str, ...], message: str) -> None:
    status, shown = run(*words)
    assert status == 2
    assert message in " ".join(shown.replace("│", " ").split())
