"""The command: what it says, and what it answers to bad input."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from budgetkit.evals import main


class Shown(NamedTuple):
    """What a command printed, and how it ended."""

    stdout: str
    stderr: str
    returncode: int


Command = Callable[..., Shown]


@pytest.fixture
def budgetkit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs the command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: str) -> Shown:
        monkeypatch.setattr(sys, "argv", ["budgetkit", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return Shown(out, err, int(ended.value.code or 0))

    return run


def one_line(text: str) -> str:
    """What a person reads, whatever box the terminal draws around it."""
    return " ".join(text.replace("│", " ").split())


def test_demo_shows_steps_prices_levels_and_the_end_from_the_reserve(budgetkit: Command) -> None:
    shown = budgetkit("demo")
    assert shown.returncode == 0, shown.stderr
    text = one_line(shown.stdout)
    for piece in ("search", "found:", "high", "critical", "answer reserve", "over a limit: nothing"):
        assert piece in text


def test_run_answers_one_question(budgetkit: Command) -> None:
    shown = budgetkit("run", "Who designed the Lantern Bridge?", "--budget", "tool_calls=2")
    assert shown.returncode == 0, shown.stderr
    assert "tool_calls=2" in shown.stdout


def test_eval_prints_a_table_and_goes_on_where_it_stopped(budgetkit: Command) -> None:
    arguments = ("eval", "sample", "--budget", "tool_calls=3", "--limit", "4")
    first, second = budgetkit(*arguments), budgetkit(*arguments)
    assert "4 asked now, 0 from before" in one_line(first.stdout), first.stderr
    assert "0 asked now, 4 from before" in one_line(second.stdout), second.stderr


def test_prices_lists_a_model_by_part_of_its_name(budgetkit: Command) -> None:
    shown = budgetkit("prices", "gpt-4o-mini")
    assert shown.returncode == 0, shown.stderr
    assert "gpt-4o-mini" in shown.stdout


@pytest.mark.enable_socket  # one of them asks a server that is not there
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("eval", "hotpotq"), "unknown suite 'hotpotq': did you mean 'hotpotqa'?"),
        (("eval", "sample", "--agent", "reakt"), "unknown agent 'reakt': did you mean 'react'?"),
        (("eval", "sample", "--budget", "tool_call=5"), "unknown resource 'tool_call': did you mean 'tool_calls'?"),
        (("eval", "sample", "--budget", "tool_calls=-1"), "negative"),
        (("run", "Who?", "--budget", "usd=nan"), "not finite"),
        (("eval", "sample", "--budget", "usd=1"), "offline"),
        (("eval", "sample", "--model", "http://127.0.0.1:9/v1"), "'http://127.0.0.1:9/v1' does not answer"),
        (("run", "Who?", "--prices", "nowhere.toml"), "nowhere.toml"),
        (("prices", "no-such-model-at-all"), "no-such-model-at-all"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_2(arguments: tuple[str, ...], told: str, budgetkit: Command) -> None:
    shown = budgetkit(*arguments)
    assert shown.returncode == 2
    assert told in one_line(shown.stderr)
    assert "Traceback" not in shown.stderr


def test_a_broken_data_line_is_named_by_file_and_line(budgetkit: Command, tmp_path: Path) -> None:
    (tmp_path / "musique.dev.jsonl").write_text('{"id": "1", "question": \n', encoding="utf-8")
    (tmp_path / "musique.corpus.jsonl").write_text('{"id": "1", "title": "A", "text": "B"}\n', encoding="utf-8")
    shown = budgetkit("eval", "musique", "--data", str(tmp_path))
    assert shown.returncode == 2
    assert "musique.dev.jsonl:1" in one_line(shown.stderr)


def test_help_names_every_command(budgetkit: Command) -> None:
    shown = budgetkit("--help")
    for command in ("demo", "run", "eval", "serve", "prices"):
        assert command in shown.stdout


def test_the_command_is_installed_as_a_module() -> None:
    shown = subprocess.run([sys.executable, "-m", "budgetkit", "--help"], capture_output=True, text=True, check=True)
    assert "demo" in shown.stdout
