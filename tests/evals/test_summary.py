from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from budgetkit.evals import DataError, Interval, Middle, RunFile, interval, paired, summarise, table
from budgetkit.evals import Summary as RunSummary

if TYPE_CHECKING:
    from pathlib import Path

HEADER: dict[str, Any] = {
    "kind": "run",
    "suite": "towns",
    "data": {"questions": "0a"},
    "agent": "react",
    "model": "m",
    "budget": {"tool_calls": 5, "usd": 0.05},
}


def line(name: str, **fields: Any) -> dict[str, Any]:
    """A result as `run_eval` writes it."""
    return {
        "id": name,
        "em": 1.0,
        "f1": 1.0,
        "recall": 0.5,
        "spend": {"llm_calls": 2},
        "estimated": [],
        "unmeasured": [],
        "share": {"tool_calls": 0.4, "usd": None},
        "overshoot": {"counted": {}, "booked": {}},
        "ended": None,
        "seconds": 1.0,
        "error": None,
        **fields,
    }


def written(path: Path, *lines: dict[str, Any], **header: Any) -> Path:
    with RunFile(path, HEADER | header) as file:
        for record in lines:
            file.append(record)
    return path


def shown(*summaries: RunSummary, width: int = 80) -> str:
    console = Console(width=width, record=True, file=None, quiet=True)
    with console.capture() as capture:
        console.quiet = False
        console.print(table(summaries))
    return capture.get()


def test_a_run_is_summed_up_by_quality_and_spend(tmp_path: Path) -> None:
    by_budget = {"ended": "answer", "resource": "tool_calls"}
    stopped = {"ended": "stop", "resource": "usd"}
    path = written(
        tmp_path / "a.jsonl",
        line("q1", spend={"llm_calls": 2, "usd": 0.01}, share={"tool_calls": 0.4, "usd": 0.2}),
        line("q2", em=0.0, f1=0.5, spend={"llm_calls": 5, "usd": 0.02}, ended=by_budget, seconds=3.0),
        line("q3", em=0.0, f1=0.0, recall=1.0, spend={"llm_calls": 11, "usd": None}, ended=stopped),
        line("q4", em=0.0, f1=0.0, error="KeyError: 'lost'", spend={}, estimated=["input_tokens"]),
    )
    found = summarise(path)

    assert (found.suite, found.agent, found.model, found.n) == ("towns", "react", "m", 4)
    assert {name: score.mean for name, score in found.scores.items()} == {"em": 0.25, "f1": 0.375, "recall": 0.625}
    assert found.spend["llm_calls"] == Middle(4.5, 3.5, 4)
    assert found.spend["usd"] == Middle(0.01, 0.01, 3)  # one is unknown, and not counted as 0
    assert found.spend["input_tokens"] == Middle(0, 0, 4, estimated=True)
    assert found.spend["seconds"].mean == 1.5
    assert found.share_used == Middle(0.4, 0.4, 4)
    assert (found.ended_early, found.from_reserve, found.errors) == (0.5, 0.25, 0.25)
    assert found.first_error == "KeyError: 'lost'"
    assert (found.overshoot_counted, found.overshoot_booked) == ({}, {})


def test_overshoot_is_summed_by_both_counts(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.jsonl",
        line("q1", overshoot={"counted": {"tool_calls": 1}, "booked": {}}),
        line("q2", overshoot={"counted": {"tool_calls": 2, "llm_calls": 1}, "booked": {"seconds": 0.5}}),
    )

    assert summarise(path).overshoot_counted == {"tool_calls": 3, "llm_calls": 1}
    assert summarise(path).overshoot_booked == {"seconds": 0.5}


def test_recall_is_unknown_where_the_suite_names_no_passages(tmp_path: Path) -> None:
    found = summarise(written(tmp_path / "a.jsonl", line("q1", recall=None)))

    assert "recall" not in found.scores
    assert re.search(r"recall, seen +unknown", shown(found))


def test_a_run_without_a_line_has_no_scores(tmp_path: Path) -> None:
    found = summarise(written(tmp_path / "a.jsonl"))

    assert (found.n, found.scores, found.spend, found.errors) == (0, {}, {}, 0)
    assert "unknown" in shown(found)


def test_the_table_shows_an_overshoot_of_zero(tmp_path: Path) -> None:
    text = shown(summarise(written(tmp_path / "a.jsonl", line("q1"))))

    assert re.search(r"over limit, as counted +0 *\n", text)
    assert re.search(r"over limit, as booked +0 *\n", text)


def test_the_table_names_what_went_wrong(tmp_path: Path) -> None:
    over = {"counted": {"tool_calls": 3}, "booked": {}}
    path = written(tmp_path / "a.jsonl", line("q1", overshoot=over, error="KeyError: 'lost'", estimated=["llm_calls"]))
    text = shown(summarise(path))

    assert "3 tool_calls" in text
    assert "First error of towns, react: KeyError: 'lost'" in text
    assert "~2.0 (2.0)" in text


def test_two_runs_stand_side_by_side_in_eighty_columns(tmp_path: Path) -> None:
    runs = [
        summarise(written(tmp_path / f"{name}.jsonl", line("q1"), line("q2", em=0.0), agent=name))
        for name in ("react", "react, no tracker")
    ]
    text = shown(*runs)

    assert "…" not in text
    assert re.search(r"exact match( +0\.500 \[0\.000, 1\.000\]){2}", text)


def test_a_file_that_is_no_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(line("q1")) + "\n")

    with pytest.raises(DataError, match="not the header of an eval"):
        summarise(path)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 9))
def test_an_interval_holds_its_mean_and_depends_on_the_seed_but_not_on_the_order(
    values: list[float], seed: int
) -> None:

    found = interval(values, seed=seed)

    assert found.low <= found.mean + 1e-9
    assert found.mean <= found.high + 1e-9
    assert found == interval(values, seed=seed) == interval(values[::-1], seed=seed)


def test_a_paired_difference_is_over_the_questions_of_both_runs(tmp_path: Path) -> None:
    a = written(tmp_path / "a.jsonl", *(line(f"q{i}", em=0.0) for i in range(40)))
    b = written(tmp_path / "b.jsonl", *(line(f"q{i}", em=float(i % 4 == 0)) for i in range(10, 60)), agent="other")
    found = paired(a, b, "em")

    assert found.n == 30
    assert found.mean == pytest.approx(7 / 30)
    assert 0 < found.low < found.mean < found.high < 0.5


def test_pairing_takes_out_what_questions_have_in_common(tmp_path: Path) -> None:
    a = written(tmp_path / "a.jsonl", *(line(f"q{i}", spend={"llm_calls": i}) for i in range(40)))
    b = written(tmp_path / "b.jsonl", *(line(f"q{i}", spend={"llm_calls": i + 1}) for i in range(40)), agent="other")

    assert paired(a, b, "llm_calls") == Interval(1, 1, 1, 40)


def test_runs_on_different_data_are_not_paired(tmp_path: Path) -> None:
    a = written(tmp_path / "a.jsonl", line("q1"))
    b = written(tmp_path / "b.jsonl", line("q1"), data={"questions": "0b"})
    wanted = f"{str(a)!r} and {str(b)!r} were measured on different data: a pair needs the same questions"

    with pytest.raises(ValueError, match=f"^{re.escape(wanted)}$"):
        paired(a, b, "em")


def test_runs_without_a_common_value_are_not_paired(tmp_path: Path) -> None:
    a = written(tmp_path / "a.jsonl", line("q1", recall=None))
    b = written(tmp_path / "b.jsonl", line("q1"))

    with pytest.raises(ValueError, match="no question has a value of 'recall' in both"):
        paired(a, b, "recall")
