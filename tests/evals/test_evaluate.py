from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from budgetkit import Budget
from budgetkit.evals import EvalRun, EvalSettings, evaluate, read_results, summarise


def test_the_sample_runs_with_the_offline_model_within_its_limits(tmp_path: Path) -> None:
    settings = EvalSettings(budget="tool_calls=2,llm_calls=4", limit=6, out=tmp_path / "run.jsonl")

    assert evaluate(settings) == EvalRun(tmp_path / "run.jsonl", asked=6, resumed=0)
    found = summarise(settings.path)
    assert (found.suite, found.agent, found.model, found.n) == ("sample", "react", "offline, max 256", 6)
    assert (found.errors, found.overshoot_counted, found.overshoot_booked) == (0, {}, {})
    assert all(record["counted"]["tool:search"] <= 2 and record["answer"] for record in read_results(settings.path))


def test_what_tools_and_server_count_is_what_the_books_hold(tmp_path: Path) -> None:
    settings = EvalSettings(budget="tool_calls=3", limit=6, out=tmp_path / "run.jsonl")
    evaluate(settings)

    for record in read_results(settings.path):
        assert record["counted"] == {name: record["spend"][name] for name in record["counted"]}


def test_a_run_of_the_same_settings_is_gone_on_with(tmp_path: Path) -> None:
    out = tmp_path / "run.jsonl"
    evaluate(EvalSettings(limit=2, out=out))

    assert evaluate(EvalSettings(limit=5, out=out)) == EvalRun(out, asked=3, resumed=2)


def test_the_file_is_named_after_the_settings() -> None:
    plain = EvalSettings(suite="hotpotqa", budget=Budget(usd=Decimal("0.05"), tools={"search": 3}), seed=7)
    blind = EvalSettings(suite="hotpotqa", model="http://host:8000/v1", tracker=False)

    assert plain.path == Path("runs/hotpotqa.react.offline.usd0-05-tool-search3.seed7.jsonl")
    assert blind.path == Path("runs/hotpotqa.react-no-tracker.http-host-8000-v1.tool-calls5.seed0.jsonl")


def test_an_unknown_agent_gets_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^unknown agent 'reakt': did you mean 'react'\?$"):
        evaluate(EvalSettings(agent="reakt", out=tmp_path / "run.jsonl"))
    assert not (tmp_path / "run.jsonl").exists()


def test_an_unknown_resource_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    wanted = "unknown resource 'tool_call': did you mean 'tool_calls'?"
    with pytest.raises(ValueError, match=f"^{re.escape(wanted)}$"):
        evaluate(EvalSettings(budget="tool_call=5", out=tmp_path / "run.jsonl"))
    assert not (tmp_path / "run.jsonl").exists()
