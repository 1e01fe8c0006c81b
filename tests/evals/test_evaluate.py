from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from budgetkit import Budget
from budgetkit.evals import AGENTS, EvalRun, EvalSettings, aevaluate, evaluate, read_results, summarise


def test_the_sample_runs_with_the_offline_model_within_its_limits(tmp_path: Path) -> None:
    settings = EvalSettings(budget="tool_calls=2,llm_calls=4", limit=6, out=tmp_path / "run.jsonl")

    assert evaluate(settings) == EvalRun(tmp_path / "run.jsonl", asked=6, resumed=0)
    found = summarise(settings.path)
    assert (found.suite, found.agent, found.model, found.n) == ("sample", "react+tracker", "offline, max 256", 6)
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
    budget = Budget(usd=Decimal("0.05"), tools={"search": 3})
    plain = EvalSettings(suite="hotpotqa", agent="react", budget=budget, seed=7)
    served = EvalSettings(suite="hotpotqa", model="http://host:8000/v1")
    part = EvalSettings(agent="bavt", ablate=("no-residual",), budget="low")

    assert plain.path == Path("runs/hotpotqa.react.offline.usd0-05-tool-search3.seed7.jsonl")
    assert served.path == Path("runs/hotpotqa.react-tracker.http-host-8000-v1.tool-calls5.seed0.jsonl")
    assert part.path == Path("runs/sample.bavt-no-residual.offline.output-tokens1000-tool-calls5.seed0.jsonl")


async def test_the_async_twin_does_the_same(tmp_path: Path) -> None:
    one, other = (EvalSettings(limit=4, out=tmp_path / name) for name in ("one.jsonl", "other.jsonl"))
    evaluate(one)

    assert await aevaluate(other) == EvalRun(other.path, asked=4, resumed=0)
    assert scores(one.path) == scores(other.path)


def scores(path: Path) -> dict[str, tuple[str, float]]:
    return {record["id"]: (record["answer"], record["kept_recall"]) for record in read_results(path)}


def test_an_agent_of_your_own_is_made_with_seed_prices_and_without_what_is_ablated(tmp_path: Path) -> None:
    made: list[dict[str, Any]] = []

    def build(model: Any, tools: Any, budget: Budget, **options: Any) -> Any:
        made.append(options)
        return AGENTS["react"](model, tools, budget, seed=0, prices=None)

    out = tmp_path / "run.jsonl"
    evaluate(EvalSettings(agent="bats", own={"bats": build}, ablate=("no-verifier",), seed=3, limit=1, out=out))

    assert made == [{"seed": 3, "prices": None, "verifies": False}]
    assert summarise(out).agent == "bats, no-verifier"


def test_the_tracker_is_part_of_the_agents_name(tmp_path: Path) -> None:
    told = {}
    for agent in ("react", "react+tracker"):
        out = tmp_path / f"{agent}.jsonl"
        evaluate(EvalSettings(agent=agent, limit=4, out=out))
        told[agent] = summarise(out).spend["input_tokens"].mean

    assert told["react"] < told["react+tracker"]


@pytest.mark.parametrize(
    ("agent", "ablate", "told"),
    [
        ("bats", "no-verifer", "unknown ablation 'no-verifer': did you mean 'no-verifier'?"),
        ("react", "no-verifier", "ablation 'no-verifier' is for bats: react has no such part"),
    ],
)
def test_what_cannot_be_taken_away_is_named(tmp_path: Path, agent: str, ablate: str, told: str) -> None:
    settings = EvalSettings(agent=agent, own={"bats": AGENTS["react"]}, ablate=(ablate,), out=tmp_path / "run.jsonl")
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        evaluate(settings)


def test_an_unknown_agent_gets_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^unknown agent 'reakt': did you mean 'react'\?$"):
        evaluate(EvalSettings(agent="reakt", out=tmp_path / "run.jsonl"))
    assert not (tmp_path / "run.jsonl").exists()


def test_an_unknown_resource_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    wanted = "unknown resource 'tool_call': did you mean 'tool_calls'?"
    with pytest.raises(ValueError, match=f"^{re.escape(wanted)}$"):
        evaluate(EvalSettings(budget="tool_call=5", out=tmp_path / "run.jsonl"))
    assert not (tmp_path / "run.jsonl").exists()
