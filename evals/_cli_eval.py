"""The command `budgetkit eval`: agents by budgets by suites, with a progress bar, and tables at the end."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ._agents import ABLATIONS, AGENTS, TITLED
from ._cli_options import BadInput, BudgetsOption, DataOption, PricesOption, price_book
from ._compare import COSTS, METRICS, check_names
from ._evaluate import EvalSettings
from ._grid import GridProgress, evaluate_many, grid
from ._job import EvalRun
from ._presets import budget_name
from ._report import Report
from ._suites import SUITES
from ._summary import summarise
from ._table import table

__all__ = ["evaluate_suites"]

_INTERRUPTED: Final = 130
_LINES: Final = ".jsonl"


def _no_tracker(given: bool | None) -> None:
    if given is not None:
        flag, agent = ("--tracker", "react+tracker") if given else ("--no-tracker", "react")
        raise typer.BadParameter(f"{flag} is part of the agent's name: use --agent {agent}")


def evaluate_suites(
    suites: Annotated[str, typer.Argument(metavar="SUITE[,SUITE...]", help=f"{', '.join(SUITES)}.")] = "sample",
    data: DataOption = None,
    agents: Annotated[
        list[str] | None, typer.Option("--agent", metavar="AGENT[,AGENT...]", help=f"Who answers: {', '.join(AGENTS)}.")
    ] = None,
    model: Annotated[
        str, typer.Option("--model", help=f"offline, {TITLED} (planners know them), a server's URL, provider:model.")
    ] = "offline",
    budgets: BudgetsOption = None,
    ablate: Annotated[
        list[str] | None,
        typer.Option("--ablate", metavar="PART[,PART...]", help=f"Agents once more without: {', '.join(ABLATIONS)}."),
    ] = None,
    compare: Annotated[
        str | None, typer.Option("--compare", metavar="AGENT", help="Compare the others with this one, by question.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option("--metric", help=f"What to compare: {', '.join(METRICS)} (kept recall, else F1).")
    ] = None,
    cost: Annotated[str, typer.Option("--cost", help=f"At equal cost in: {', '.join(COSTS)}.")] = "tool_calls",
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Ask only so many questions.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the order of questions, and of chance in agents.")] = 0,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, help="Questions in flight.")] = 8,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="PATH", help="A folder for the results files; of one run, its file.jsonl."),
    ] = None,
    prices: PricesOption = None,
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=1, help="Output tokens of one model call.")] = 256,
    tracker: Annotated[bool | None, typer.Option(hidden=True, callback=_no_tracker)] = None,
) -> None:
    """Ask suites' questions of agents under budgets; print quality and spend side by side.

    Each agent, budget and suite has a results file, a line a question. Started again with the same arguments, it goes
    on where it stopped.
    """
    del tracker  # refused by its callback
    common = EvalSettings(
        data=data, model=model, limit=limit, seed=seed, concurrency=concurrency, prices=price_book(prices),
        max_tokens=max_tokens,
    )  # fmt: skip
    try:
        cells = grid(
            common,
            suites=_names([suites]),
            agents=_names(agents or ["react+tracker"]),
            budgets=[budget for several in budgets or () for budget in several],
            ablations=_names(ablate or []),
        )
        _run(_placed(cells, out), Console(), compare, metric, cost)
    except ValueError as problem:
        raise BadInput(str(problem)) from None


def _names(given: Iterable[str]) -> list[str]:
    return [name for text in given for part in text.split(",") if (name := part.strip())]


def _placed(cells: Sequence[EvalSettings], out: Path | None) -> list[EvalSettings]:
    """Where the results go: ``out`` is the file of a single run, or else the folder of all files."""
    if out is None:
        return list(cells)
    if len(cells) == 1 and not out.is_dir():
        return [replace(cells[0], out=out)]
    if out.suffix == _LINES or out.is_file():
        raise ValueError(f"--out {str(out)!r} is a file, and these are {len(cells)} runs with one each: name a folder")
    return [replace(cell, out=out / cell.path.name) for cell in cells]


def _run(cells: Sequence[EvalSettings], console: Console, compare: str | None, metric: str | None, cost: str) -> None:
    if compare is not None:
        check_names([cell.label for cell in cells], compare, metric, cost)
    try:
        runs = _with_bar(cells, console)
    except KeyboardInterrupt:
        Console(stderr=True).print(
            f"\nStopped; what was done is in {_where(cells)}. The same command goes on from there."
        )
        sys.exit(_INTERRUPTED)
    if len(runs) == 1:
        console.print(table([summarise(runs[0].path)]))
    else:
        report = Report.read(run.path for run in runs)
        console.print(*report.tables(), *(report.comparisons(compare, metric=metric, cost=cost) if compare else ()))
    asked, resumed = sum(run.asked for run in runs), sum(run.resumed for run in runs)
    console.print(f"{asked} asked now, {resumed} from before; one line each in {_where(cells)}", soft_wrap=True)


def _with_bar(cells: Sequence[EvalSettings], console: Console) -> tuple[EvalRun, ...]:
    """Run or resume the cells; the bar goes to the terminal and is gone at the end."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task("", total=None)

        def on_progress(now: GridProgress) -> None:
            what = f"{now.cell.suite} · {now.cell.label} · {budget_name(now.cell.limits.limits)}"
            bar.update(task, description=what, completed=now.done, total=now.total)

        return evaluate_many(cells, on_progress)


def _where(cells: Sequence[EvalSettings]) -> Path:
    """The file of one run, the folder of several."""
    return cells[0].path if len(cells) == 1 else cells[0].path.parent
