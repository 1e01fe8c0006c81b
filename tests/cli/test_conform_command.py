"""`budgetkit ledger conform`: what it prints, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from budgetkit import Ledger
from budgetkit.evals import main
from budgetkit.testing import LEDGER_PROPERTIES, LedgerHome, ManualClock


class Shown(NamedTuple):
    """What a command printed, and how it ended."""

    text: str
    status: int


Command = Callable[..., Shown]


@pytest.fixture
def conform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs the command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "250")

    def run(*arguments: str) -> Shown:
        monkeypatch.setattr(sys, "argv", ["budgetkit", "ledger", "conform", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return Shown("".join(capsys.readouterr()), int(ended.value.code or 0))

    return run


def test_it_prints_a_table_of_homes_and_properties(conform: Command, tmp_path: Path) -> None:
    shown = conform("memory://", "sqlite:///books.db", "--only", "rule 5", "--examples", "0")
    assert shown.status == 0, shown.text
    assert "memory" in shown.text
    assert "sqlite" in shown.text
    for prop in LEDGER_PROPERTIES:
        assert (prop.sentence in shown.text) == (prop.group == "rule 5")
    checked = 2 * sum(prop.group == "rule 5" for prop in LEDGER_PROPERTIES)
    assert f"{checked} of {checked} hold" in shown.text
    assert shown.text.count("✓") == checked
    assert list(tmp_path.iterdir()) == [], "the file of the url is left alone"


def test_the_state_machine_is_a_row_of_the_table(conform: Command) -> None:
    shown = conform("sqlite:///books.db", "--only", "recount", "--examples", "3")
    assert shown.status == 0, shown.text
    assert "any operations in any order give what a brute-force recount gives" in shown.text


def test_what_does_not_apply_is_neither_held_nor_broken(conform: Command) -> None:
    shown = conform("memory://", "--only", "two clients", "--examples", "0")
    assert shown.status == 0, shown.text
    assert "0 of 0 hold" in shown.text


class Forgetful(LedgerHome):
    """Raises where it should make a ledger."""

    def ledger(self, clock: ManualClock | None = None) -> Ledger:
        raise OSError(f"the disk is full at {clock}")


def test_what_is_broken_is_told_and_ends_in_1(conform: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("budgetkit.testing.home_at", lambda _: Forgetful())
    shown = conform("memory://", "--only", "siblings", "--examples", "0")
    assert shown.status == 1
    assert (
        "Forgetful: BROKEN: rule 2: siblings cannot both take the last unit\n  OSError: the disk is full at None"
        in shown.text
    )
    assert "0 of 1 hold" in shown.text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(("ftp://nowhere",), "ftp://nowhere"), (("memory://", "--only", "no such words"), "'no such words'")],
)
def test_bad_input_is_told_and_ends_in_2(arguments: tuple[str, ...], told: str, conform: Command) -> None:
    shown = conform(*arguments)
    assert shown.status == 2
    assert told in shown.text


def test_what_is_not_installed_is_named_with_the_command_that_installs_it(
    conform: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_: str) -> LedgerHome:
        raise ModuleNotFoundError("No module named 'hypothesis'")

    monkeypatch.setattr("budgetkit.testing.home_at", missing)
    shown = conform("memory://")
    assert shown.status == 2
    assert "No module named 'hypothesis': pip install 'budgetkit[testing]'" in shown.text


def test_the_command_needs_none_of_the_extras_until_it_checks() -> None:
    code = "import sys, budgetkit.evals._cli; print({'hypothesis', 'psycopg', 'redis'} & {*sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert run.stdout == "set()\n"
