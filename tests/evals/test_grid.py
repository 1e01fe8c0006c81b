"""Many evals in one go; the agents answer at once, and all is made up."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage

from budgetkit import Budget
from budgetkit.evals import (
    Corpus,
    DataError,
    EvalRun,
    EvalSettings,
    GridProgress,
    aevaluate_many,
    evaluate_many,
    grid,
    read_results,
)

if TYPE_CHECKING:
    from pathlib import Path

Run = Callable[..., tuple[EvalRun, ...]]


def arun(*args: Any) -> tuple[EvalRun, ...]:
    return asyncio.run(aevaluate_many(*args))


@pytest.fixture(params=[evaluate_many, arun], ids=["threads", "tasks"])
def run(request: pytest.FixtureRequest) -> Run:
    engine: Run = request.param
    return engine


class Quick:
    """An agent that searches once and says its own name."""

    def __init__(self, name: str, search: Any) -> None:
        self.name, self.search = name, search

    def invoke(self, state: Any, config: Any = None) -> Any:
        self.search.invoke({"query": state["messages"][-1][1]}, config)
        return {"messages": [AIMessage(self.name)]}

    async def ainvoke(self, state: Any, config: Any = None) -> Any:
        return self.invoke(state, config)


def quick(name: str) -> Any:
    def build(_model: Any, tools: Any, _budget: Budget, **options: Any) -> Quick:
        flags = [flag for flag, value in options.items() if value is False]
        return Quick(" without ".join((name, *flags)), tools[0])

    return build


COMMON = EvalSettings(own={name: quick(name) for name in ("a", "b", "bavt", "bats")}, limit=3, concurrency=2)


def names(cells: tuple[EvalSettings, ...]) -> list[tuple[str, str, int]]:
    return [(cell.suite, cell.label, int(cell.limits.limits["tool_calls"])) for cell in cells]


def test_every_suite_is_run_with_every_budget_and_every_agent() -> None:
    cells = grid(COMMON, suites=["sample", "musique"], agents=["a", "b"], budgets=["voi-low", "tool_calls=3"])

    assert names(cells) == [
        (suite, agent, calls) for suite in ("sample", "musique") for calls in (1, 3) for agent in ("a", "b")
    ]
    assert len({cell.path for cell in cells}) == 8


def test_what_is_named_twice_is_run_once() -> None:
    cells = grid(
        COMMON, suites=["sample"] * 2, agents=["a", "a"], budgets=["low", Budget(tool_calls=5, output_tokens=1_000)]
    )

    assert names(cells) == [("sample", "a", 5)]


def test_an_ablation_adds_a_variant_of_each_agent_that_has_the_part() -> None:
    cells = grid(COMMON, agents=["a", "bavt", "bats"], ablations=["no-residual", "no-verifier", "no-conditioning"])

    assert [cell.label for cell in cells] == [
        "a",
        "bavt",
        "bavt, no-residual",
        "bavt, no-conditioning",
        "bats",
        "bats, no-verifier",
    ]


@pytest.mark.parametrize(
    ("agents", "ablation", "told"),
    [
        (["a"], "no-resdual", "unknown ablation 'no-resdual': did you mean 'no-residual'?"),
        (
            ["a", "bats"],
            "no-residual",
            "ablation 'no-residual' is for bavt, which is not among the agents a, bats: add it, or leave the part in",
        ),
    ],
)
def test_an_ablation_of_nothing_is_refused(agents: list[str], ablation: str, told: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        grid(COMMON, agents=agents, ablations=[ablation])


def test_each_cell_has_a_results_file_of_its_own_and_is_gone_on_with(run: Run, tmp_path: Path) -> None:
    cells = grid(
        COMMON, agents=["a", "bavt"], budgets=["low", "mid"], ablations=["no-residual"], folder=tmp_path / "runs"
    )
    first, second = run(cells), run(cells)

    assert [(done.asked, done.resumed) for done in first] == [(3, 0)] * 6
    assert [(done.asked, done.resumed) for done in second] == [(0, 3)] * 6
    assert sorted(done.path for done in first) == sorted((tmp_path / "runs").iterdir())
    said = {next(read_results(done.path))["answer"] for done in first}
    assert said == {"a", "bavt", "bavt without residual"}


def test_a_suite_is_indexed_once_for_all_its_cells(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[Path] = []
    load = Corpus.load.__func__  # type: ignore[attr-defined]  # a class method has the function that it is made of

    def counted(cls: type[Corpus], path: Path) -> Corpus:
        loaded.append(path)
        made: Corpus = load(cls, path)
        return made

    monkeypatch.setattr(Corpus, "load", classmethod(counted))
    run(grid(COMMON, agents=["a", "b"], budgets=["low", "mid", "high"], folder=tmp_path))

    assert len(loaded) == 1


def test_what_was_found_before_is_still_counted(run: Run, tmp_path: Path) -> None:
    done = run(grid(COMMON, agents=["a", "b"], folder=tmp_path))

    assert [record["counted"] for each in done for record in read_results(each.path)] == [
        {"tool:search": 1, "tool_calls": 1}
    ] * 6


def test_progress_counts_over_all_cells(run: Run, tmp_path: Path) -> None:
    cells = grid(COMMON, agents=["a", "b"], folder=tmp_path)
    run(cells[:1])
    seen: list[GridProgress] = []
    run(cells, seen.append)

    assert [(now.done, now.total, now.cell.agent) for now in seen] == [
        (i, 6, "a" if i <= 3 else "b") for i in range(1, 7)
    ]
    assert [now.latest is None for now in seen] == [True] * 3 + [False] * 3


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"agents": ["a", "c"]}, "unknown agent 'c': use one of react, react+tracker, auto"),
        ({"agents": ["a"], "suites": ["sample", "musiqe"]}, "unknown suite 'musiqe': did you mean 'musique'?"),
        ({"agents": ["a"], "suites": ["sample", "musique"]}, "suite 'musique' is not shipped: pass --data"),
        ({"agents": ["a"], "budgets": ["low", "mit"]}, "did you mean 'mid'?"),
    ],
)
def test_a_slip_in_any_cell_is_told_before_the_first_is_run(
    run: Run, tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        run(grid(COMMON, folder=tmp_path / "runs", **change))
    assert not (tmp_path / "runs").exists()


def test_a_file_of_another_run_is_refused_before_the_first_cell_is_run(run: Run, tmp_path: Path) -> None:
    cells = grid(COMMON, agents=["a", "b"], folder=tmp_path)
    run(grid(EvalSettings(own=COMMON.own, limit=3, max_tokens=7), agents=["b"], folder=tmp_path))

    told = f"{str(cells[1].path)!r} holds another run: its model is 'offline, max 7', this run's is 'offline, max 256'"
    with pytest.raises(DataError, match=re.escape(told)):
        run(cells)
    assert not cells[0].path.exists()


def test_a_file_whose_header_was_cut_off_is_begun_anew(run: Run, tmp_path: Path) -> None:
    cells = grid(COMMON, agents=["a"], folder=tmp_path)
    cells[0].path.write_bytes(b'{"kind": "ru')

    assert run(cells) == (EvalRun(cells[0].path, asked=3, resumed=0),)


def test_two_cells_do_not_share_a_file(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "run.jsonl"
    told = f"two evals would write out={str(out)!r}: give each a file of its own"
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        run(grid(EvalSettings(own=COMMON.own, out=out), agents=["a", "b"]))


def test_planners_can_be_told_the_titles_and_it_is_in_the_header(tmp_path: Path) -> None:
    cells = [
        EvalSettings(agent="uniform", model=model, budget="tool_calls=2", limit=4, out=tmp_path / f"{i}.jsonl")
        for i, model in enumerate(("offline", "offline+titles"))
    ]
    plain, titled = evaluate_many(cells)

    assert '"model": "offline+titles, max 256"' in titled.path.read_text()
    for done in (plain, titled):
        lines = list(read_results(done.path))
        assert {(line["error"], line["kept_by"]) for line in lines} == {(None, "agent")}
        assert all(line["counted"].get("tool_calls", 0) <= 2 for line in lines)
