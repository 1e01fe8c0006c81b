"""The command `budgetkit eval` with many agents, budgets and suites."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from budgetkit.evals import main


class Shown(NamedTuple):
    stdout: str
    stderr: str
    returncode: int


Command = Callable[..., Shown]


@pytest.fixture
def budgetkit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs the command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: str) -> Shown:
        monkeypatch.setattr(sys, "argv", ["budgetkit", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return Shown(out, err, int(ended.value.code or 0))

    return run


def one_line(text: str) -> str:
    return " ".join(text.replace("│", " ").split())


def test_agents_by_budgets_make_a_table_with_comparisons_and_a_file_each(budgetkit: Command, tmp_path: Path) -> None:
    words = "--agent react,uniform --budget voi-low --budget tool_calls=2 --limit 4 --compare react --out found"
    first, second = (budgetkit("eval", "sample", *words.split()) for _ in range(2))
    text = first.stdout

    assert first.returncode == 0, first.stderr
    assert "voi-low: 1 tool call, 100 output tokens (VOI, arXiv 2605.05701)" in text
    assert len(re.findall(r"^ uniform +[.\d]+ ±", text, re.MULTILINE)) == 2
    assert "sample · recall, kept, against react, paired by question" in text
    assert "16 asked now, 0 from before; one line each in found" in one_line(text)
    assert "0 asked now, 16 from before" in one_line(second.stdout)
    assert len(list((tmp_path / "found").glob("*.jsonl"))) == 4
    assert all(len(line) <= 100 for line in text.splitlines())


def test_suites_are_averaged(budgetkit: Command, tmp_path: Path) -> None:
    for name in ("musique", "hotpotqa"):
        question = {
            "id": "q",
            "question": "Who is the mayor of Quell?",
            "answers": ["Ada"],
            "supporting_titles": ["Quell"],
        }
        (tmp_path / f"{name}.dev.jsonl").write_text(json.dumps(question) + "\n")
        (tmp_path / f"{name}.corpus.jsonl").write_text('{"title": "Quell", "text": "The mayor is Ada."}\n')
    shown = budgetkit("eval", "musique,hotpotqa", "--data", ".", "--agent", "chain", "--agent", "uniform")

    assert shown.returncode == 0, shown.stderr
    for title in ("musique · 1 questions", "hotpotqa · 1 questions", "mean of musique, hotpotqa"):
        assert title in shown.stdout


def test_ablations_are_lines_of_their_own(budgetkit: Command) -> None:
    shown = budgetkit("eval", "--agent", "bavt,voi", "--ablate", "no-residual,no-penalty", "--limit", "2")

    assert shown.returncode == 0, shown.stderr
    for label in ("bavt", "bavt, no-residual", "voi", "voi, no-penalty"):
        assert re.search(rf"^ {label} +[.\d]+ ±", shown.stdout, re.MULTILINE), label


def test_a_single_run_is_shown_in_full_and_may_name_its_file(budgetkit: Command, tmp_path: Path) -> None:
    shown = budgetkit("eval", "--budget", "low", "--limit", "2", "--out", "one.jsonl")

    assert shown.returncode == 0, shown.stderr
    assert "recall, kept" in shown.stdout
    assert "over limit, as booked" in shown.stdout
    assert (tmp_path / "one.jsonl").is_file()


def test_a_single_run_may_name_a_folder(budgetkit: Command, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    shown = budgetkit("eval", "--limit", "2", "--out", "folder")

    assert shown.returncode == 0, shown.stderr
    assert len(list((tmp_path / "folder").glob("*.jsonl"))) == 1


def test_help_lists_agents_ablations_and_presets_with_their_papers(budgetkit: Command) -> None:
    text = one_line(budgetkit("eval", "--help").stdout)

    for piece in (
        "react, react+tracker, auto, voi, bavt, bats, majority",
        "no-conditioning, no- residual, no-verifier, no-penalty",
        "low 5 tool calls, 1,000 output tokens (BAVT, arXiv 2603.12634, instruct models)",
        "voi-high 3 tool calls, 500 output tokens (VOI, arXiv 2605.05701)",
    ):
        assert piece in text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--tracker",), "--tracker is part of the agent's name: use --agent react+tracker"),
        (("--no-tracker",), "--no-tracker is part of the agent's name: use --agent react"),
        (("--agent", "react,bvt"), "unknown agent 'bvt': did you mean 'bavt'?"),
        (("--agent", "react", "--ablate", "no-residual"), "ablation 'no-residual' is for bavt, which is not among"),
        (("--budget", "low,usd=1"), "'low,usd=1' puts the preset 'low' beside limits"),
        (("--budget", "lov"), "did you mean 'low'?"),
        (
            ("--agent", "react,bavt", "--compare", "voi"),
            "cannot compare with 'voi', which is not run: it runs react, bavt",
        ),
        (("--compare", "react+tracker"), "nothing to compare with 'react+tracker': name another agent beside it"),
        (
            ("--agent", "react,bavt", "--compare", "react", "--metric", "f2"),
            "unknown metric 'f2': use one of kept_recall",
        ),
        (("--agent", "react,bavt", "--compare", "react", "--cost", "eur"), "unknown cost 'eur': use one of llm_calls"),
        (
            ("--agent", "react,bavt", "--out", "a.jsonl"),
            "--out 'a.jsonl' is a file, and these are 2 runs with one each",
        ),
    ],
)
def test_a_slip_is_one_clear_line_and_nothing_is_run(
    arguments: tuple[str, ...], told: str, budgetkit: Command, tmp_path: Path
) -> None:
    shown = budgetkit("eval", "sample", *arguments)

    assert shown.returncode == 2
    assert told in one_line(shown.stderr)
    assert "Traceback" not in shown.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_preset_is_a_budget_for_the_other_commands_too(budgetkit: Command) -> None:
    shown = budgetkit("run", "Who designed the Lantern Bridge?", "--budget", "voi-low")
    assert shown.returncode == 0, shown.stderr
    assert "tool_calls=1" in shown.stdout

    refused = budgetkit("run", "Who?", "--budget", "low,mid")
    assert refused.returncode == 2
    assert "budget 'low,mid' names 2 presets, and one is wanted here" in one_line(refused.stderr)
