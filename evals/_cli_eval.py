"""An eval with a progress bar, and its table at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ._evaluate import EvalSettings, evaluate
from ._summary import summarise
from ._table import table

if TYPE_CHECKING:
    from rich.console import Console

    from ._job import Progress as Done

__all__ = ["run_with_progress"]


def run_with_progress(settings: EvalSettings, console: Console) -> None:
    """Run or resume the eval; the bar goes to the terminal, the table to the output."""
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
        task = bar.add_task(settings.suite, total=None)

        def on_progress(done: Done) -> None:
            bar.update(task, completed=done.done, total=done.total)

        run = evaluate(settings, on_progress)
    console.print(table([summarise(run.path)]))
    console.print(f"{run.asked} asked now, {run.resumed} from before; one line each in {run.path}", soft_wrap=True)
