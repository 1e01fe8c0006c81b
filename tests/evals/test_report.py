"""Results files together in tables; all results are made up."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from budgetkit.evals import DataError, Report

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Group

    from .conftest import WriteRun


def shown(tables: Iterable[Group], width: int = 100) -> str:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(*tables)
    return capture.get()


def test_agents_stand_in_sections_by_budget_with_quality_beside_spend(write_run: WriteRun) -> None:
    paths = [
        write_run(agent, calls=calls, f1=[0.0, 1.0], kept_recall=[0.5, 1.0], recall=[1.0, 1.0], tool_calls=[calls, 1])
        for calls in (3, 5)
        for agent in ("react", "bavt, no-conditioning")
    ]
    text = shown(Report.read(paths).tables())

    assert [line.strip() for line in text.splitlines() if line.strip().startswith("tool_calls=")] == [
        "tool_calls=3",
        "tool_calls=5",
    ]
    assert re.search(r"^towns · 2 questions · m\b", text)
    assert len(re.findall(r"^ react +\.750 ±\.250 +\.500 ±\.500 +1\.000 +\.000 +[23]\.0 ", text, re.MULTILINE)) == 2
    assert len(re.findall(r"^ bavt, no-conditioning +\.750", text, re.MULTILINE)) == 2


def test_a_table_fits_into_a_hundred_columns(write_run: WriteRun) -> None:
    spent = {"usd": [0.0123456], "input_tokens": [123_456], "output_tokens": [9_999], "tool_calls": [20]}
    paths = [write_run("bavt, no-conditioning", f1=[1.0], kept_recall=[1.0], **spent)]
    lines = shown(Report.read(paths).tables()).splitlines()

    assert any("123,456" in line and "0.01235" in line and "1.000 ±.000" in line for line in lines)
    assert not any("…" in line for line in lines)


def test_a_presets_origin_is_readable_above_the_table(write_run: WriteRun) -> None:
    path = write_run("react", f1=[1.0])
    path.write_text(path.read_text().replace('{"tool_calls": 5}', '{"output_tokens": 1000, "tool_calls": 5}', 1))
    text = shown(Report.read([path]).tables())

    assert "low: 5 tool calls, 1,000 output tokens (BAVT, arXiv 2603.12634, instruct models)" in text
    assert re.search(r"^low *$", text, re.MULTILINE)


def test_the_mean_of_suites_weighs_them_alike_and_leaves_out_recall_that_is_unknown(write_run: WriteRun) -> None:
    paths = [
        write_run("react", suite="a", f1=[1.0], kept_recall=[0.5], recall=[1.0], tool_calls=[1]),
        write_run("react", suite="b", f1=[0.0] * 3, kept_recall=[1.0] * 3, recall=[1.0] * 3, tool_calls=[2] * 3),
        write_run("react", suite="blind", f1=[0.5] * 2, recall=[None] * 2, tool_calls=[3] * 2),
        write_run("other", suite="a", f1=[1.0]),
    ]
    text = shown(Report.read(paths).tables()[-1:])

    assert "mean of a, b, blind" in text
    assert re.search(r"^ react +\.750 ±\.000 +\.500 ±\.000 +1\.000 +\.000 +2\.0 ", text, re.MULTILINE)
    assert "other" not in text  # not run on every suite
    assert "Recall without blind, which names no supporting passages." in text


def test_a_score_is_averaged_over_the_same_suites_for_every_agent(write_run: WriteRun) -> None:
    paths = [
        write_run("new", suite="a", f1=[0.0], kept_recall=[0.5]),
        write_run("new", suite="b", f1=[0.0], kept_recall=[1.0]),
        write_run("old", suite="a", f1=[0.0]),
        write_run("old", suite="b", f1=[0.0], kept_recall=[1.0]),
    ]
    text = shown(Report.read(paths).tables()[-1:])

    assert re.search(r"^ new +\.750 ±", text, re.MULTILINE)
    assert re.search(r"^ old +unknown ", text, re.MULTILINE)


def test_a_suite_without_supporting_passages_has_no_recall_columns(write_run: WriteRun) -> None:
    text = shown(Report.read([write_run("react", f1=[0.5], recall=[None])]).tables())

    assert "recall" not in text
    assert ".500" in text


def test_files_from_before_recall_was_kept_are_read(write_run: WriteRun) -> None:
    report = Report.read([write_run("old", f1=[0.5], recall=[1.0]), write_run("new", f1=[0.5], kept_recall=[1.0])])
    text = shown(report.tables())

    assert re.search(r"^ old +unknown ", text, re.MULTILINE)
    assert re.search(r"^ new +1\.000 ±\.000 ", text, re.MULTILINE)


def test_only_questions_that_all_runs_asked_are_reported_and_it_is_said(write_run: WriteRun) -> None:
    paths = [write_run("a", f1=[1.0, 0.0], ids=["q1", "q2"]), write_run("b", f1=[0.0, 1.0], ids=["q2", "q3"])]
    text = shown(Report.read(paths).tables())

    assert "towns · 1 questions" in text
    assert "2 runs asked further questions, which are left out: not every run asked them." in text
    assert len(re.findall(r"\.000 ±\.000", text)) == 2


def test_questions_are_matched_by_name_whatever_the_order_in_which_they_ended(write_run: WriteRun) -> None:
    paths = [
        write_run("a", f1=[0.1, 0.2, 0.3], ids=["q1", "q2", "q3"]),
        write_run("b", f1=[0.4, 0.2, 0.3], ids=["q3", "q1", "q2"]),
    ]
    found = Report.read(paths).compare("a", metric="f1")[0].difference

    assert found is not None
    assert (found.low, found.high) == pytest.approx((0.1, 0.1))


def test_a_broken_limit_and_an_error_catch_the_eye(write_run: WriteRun) -> None:
    over = {"counted": {"tool_calls": 2}, "booked": {}}
    path = write_run("react", f1=[1.0, 0.0], overshoot=[over, {"counted": {}, "booked": {}}], error=[None, "Oh: no"])
    text = shown(Report.read([path]).tables())

    assert re.search(r"^ react .* 1 *$", text, re.MULTILINE)
    assert "react at tool_calls=5 failed on 50%: Oh: no" in text


def test_comparisons_are_counted(write_run: WriteRun) -> None:
    paths = [
        *(write_run("base", calls=calls, f1=[0.5] * 9, tool_calls=[calls] * 9) for calls in (1, 5)),
        *(write_run("new", calls=calls, f1=[0.6] * 9, tool_calls=[calls + 2] * 9) for calls in (1, 5)),
    ]
    text = shown(Report.read(paths).comparisons("base", metric="f1"))

    assert "towns · F1, against base, paired by question" in text
    assert re.search(
        r"^ new +\+\.100 \[\.100, \.100\] +better +3 +\+\.100 \[\.100, \.100\] +better", text, re.MULTILINE
    )
    assert re.search(r"^ new +\+\.100 \[\.100, \.100\] +better +7 +not reachable", text, re.MULTILINE)
    assert "3 comparisons, each with a 95 % interval: if nothing differed, 0.2 would be expected to." in text
    assert "base spends from 1 to 5 tool_calls, as far as it was run" in text


def test_several_models_are_told_apart(write_run: WriteRun) -> None:
    report = Report.read([write_run("react", f1=[0.5], model=model) for model in ("small", "large")])

    assert report.panels[0].agents == ["react · small", "react · large"]


def test_a_second_run_of_a_cell_is_refused(write_run: WriteRun) -> None:
    paths = [write_run("react", f1=[0.5]) for _ in range(2)]
    told = f"{str(paths[1])!r} is a second run of react at tool_calls=5 on towns: give one"
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        Report.read(paths)


def test_runs_on_other_data_are_refused(write_run: WriteRun) -> None:
    paths = [write_run("react", f1=[0.5]), write_run("other", f1=[0.5], data={"questions": "0b"})]
    told = f"{str(paths[1])!r} was measured on other data than the files of towns before it"
    with pytest.raises(DataError, match=f"^{re.escape(told)}$"):
        Report.read(paths)


def test_runs_without_a_question_in_common_are_refused(write_run: WriteRun) -> None:
    paths = [write_run("a", f1=[0.5], ids=["q1"]), write_run("b", f1=[0.5], ids=["q2"])]
    told = "no question of towns was asked in all of its 2 runs: finish them first"
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        Report.read(paths)
