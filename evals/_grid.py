"""Many evals in one go: suites by agents by budgets, a results file a cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ._agents import variants
from ._evaluate import EvalSettings, arguments
from ._header import header
from ._run_file import refuse_other_run
from ._runner import arun_eval, run_eval
from ._shared import SharedSuite
from ._suites import find_suite

if TYPE_CHECKING:
    from pathlib import Path

    from budgetkit import Budget

    from ._job import EvalRun, OnProgress, Progress

__all__ = ["GridProgress", "OnGridProgress", "aevaluate_many", "evaluate_many", "grid"]


def grid(
    settings: EvalSettings,
    *,
    suites: Sequence[str] = (),
    agents: Sequence[str] = (),
    budgets: Sequence[Budget | str] = (),
    ablations: Sequence[str] = (),
    folder: Path | None = None,
) -> tuple[EvalSettings, ...]:
    """Every suite with every budget and every agent; what is left out is as in ``settings``.

    ```python
    common = EvalSettings(data=Path("qa"), limit=100)
    cells = grid(common, suites=["hotpotqa", "musique"], agents=["react", "bavt"], budgets=["low", "mid", "high"])
    runs = evaluate_many(cells)  # started again, it goes on
    report = Report.read(run.path for run in runs)
    rich.print(*report.tables(), *report.comparisons("react"))
    ```

    Args:
        settings: what all cells have in common.
        suites: names out of `SUITES`.
        agents: names out of `AGENTS`, or ``settings.own``.
        budgets: as `EvalSettings.budget` takes them.
        ablations: what to take away, one after the other, from the agents that have it: names out of `ABLATIONS`.
        folder: where the results files go; None: ``runs``.

    Raises:
        ValueError: an ablation that is unknown, or that none of the agents has.
    """
    chosen = variants(agents or (settings.agent,), ablations)
    limits = [replace(settings, budget=budget).limits for budget in budgets or (settings.budget,)]
    cells = (
        replace(settings, suite=suite, agent=agent, ablate=without or settings.ablate, budget=budget)
        for suite in dict.fromkeys(suites or (settings.suite,))
        for budget in dict.fromkeys(limits)
        for agent, without in dict.fromkeys(chosen)
    )
    return tuple(cell if folder is None else replace(cell, out=folder / cell.path.name) for cell in cells)


@dataclass(frozen=True, slots=True)
class GridProgress:
    """How far many evals are.

    Attributes:
        done: questions that have a line, over all cells.
        total: questions that all cells will have.
        cell: the one that is run now.
        latest: the line just written; None if it was there before.
    """

    done: int
    total: int
    cell: EvalSettings
    latest: Mapping[str, Any] | None = None


OnGridProgress = Callable[[GridProgress], None]


def evaluate_many(cells: Sequence[EvalSettings], on_progress: OnGridProgress | None = None) -> tuple[EvalRun, ...]:
    """Run or resume evals one after the other; `Report` shows them together.

    Names, files and what earlier sessions left are checked for all cells before the first question is asked. A
    suite's passages are indexed once.

    Args:
        cells: what to run; see `grid`.
        on_progress: called after each question.

    Raises:
        ValueError: as `evaluate`, or two cells would write one file.
        PriceUnknown: there is a dollar limit, and the model has no price.
    """
    return tuple(run_eval(**step) for step in _steps(cells, on_progress))


async def aevaluate_many(
    cells: Sequence[EvalSettings], on_progress: OnGridProgress | None = None
) -> tuple[EvalRun, ...]:
    """Async twin of `evaluate_many`."""
    return tuple([await arun_eval(**step) for step in _steps(cells, on_progress)])


def _steps(cells: Sequence[EvalSettings], on_progress: OnGridProgress | None) -> Iterator[dict[str, Any]]:
    """What each cell is run with; all of them are checked first."""
    steps = [arguments(cell, suite, None) for cell, suite in zip(cells, _suites(cells), strict=True)]
    _check(steps)
    sizes = [min(step["suite"].size, step["limit"] or step["suite"].size) for step in steps]
    for i, (cell, step) in enumerate(zip(cells, steps, strict=True)):
        step["on_progress"] = on_progress and _within(on_progress, cell, sum(sizes[:i]), sum(sizes))
        yield step


def _suites(cells: Sequence[EvalSettings]) -> list[SharedSuite]:
    shared = {key: SharedSuite.of(find_suite(*key)) for key in {(cell.suite, cell.data): None for cell in cells}}
    return [shared[cell.suite, cell.data] for cell in cells]


def _check(steps: Sequence[Mapping[str, Any]]) -> None:
    """What would end a later cell ends them all before there is work to lose."""
    paths = [step["out"] for step in steps]
    if twice := next((path for path in paths if paths.count(path) > 1), None):
        raise ValueError(f"two evals would write out={str(twice)!r}: give each a file of its own")
    for step in steps:
        names = {name: step[name] for name in ("agent", "model", "seed")}
        refuse_other_run(step["out"], header(step["suite"], step["budget"], **names))


def _within(on_progress: OnGridProgress, cell: EvalSettings, before: int, total: int) -> OnProgress:
    def report(progress: Progress) -> None:
        on_progress(GridProgress(before + progress.done, total, cell, progress.latest))

    return report
