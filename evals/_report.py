"""Results files together: a table a suite, their mean, and agents against a base."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ._compare import Comparison, check_names, compare_mean, compare_suite
from ._compare_table import compare_table
from ._grid_table import grid_table
from ._panel import Panel, macro, read_panels

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Group

__all__ = ["Report"]


@dataclass(frozen=True)
class Report:
    """The runs of several agents, budgets and suites.

    ```python
    report = Report.read(Path("runs").glob("*.jsonl"))
    rich.print(*report.tables(), *report.comparisons("react"))
    ```
    """

    panels: Sequence[Panel]

    @classmethod
    def read(cls, paths: Iterable[Path]) -> Report:
        """Read results files; what is compared is the questions that all runs of a suite asked.

        Raises:
            ValueError: two files hold the same cell, or the runs of a suite have no question in common.
            DataError: a file is missing or broken, or files of one suite were measured on different data.
        """
        return cls(read_panels(paths))

    def tables(self) -> list[Group]:
        """A table a suite and, of several suites, their plain mean."""
        made = [grid_table(_title(panel), panel.rows, _notes(panel)) for panel in self.panels]
        if len(self.panels) > 1:
            names = ", ".join(panel.suite for panel in self.panels)
            made.append(grid_table(f"mean of {names}", macro(self.panels), self._macro_notes()))
        return made

    def compare(self, base: str, *, metric: str | None = None, cost: str = "tool_calls") -> list[Comparison]:
        """Every other agent against a base under each budget: at equal limit, and at equal cost; then over suites.

        At equal cost the base is a mixture of two of its own budgets that costs as much on average.

        Args:
            base: the agent, as the tables call it.
            metric: ``kept_recall``, ``recall``, ``em`` or ``f1``; None: kept recall where it is known, else F1.
            cost: what was really spent: ``tool_calls``, ``llm_calls``, ``input_tokens``, ``output_tokens``,
                ``total_tokens``, ``usd`` or ``seconds``.

        Raises:
            ValueError: no such base, metric or cost.
        """
        for panel in self.panels:
            check_names(panel.agents, base, metric, cost)
        suites = [made for panel in self.panels if (made := compare_suite(panel, base, metric, cost))]
        alike = [made for made in suites if made[0].metric == suites[0][0].metric]
        return [*(each for made in suites for each in made), *(compare_mean(alike) if len(alike) > 1 else ())]

    def comparisons(self, base: str, *, metric: str | None = None, cost: str = "tool_calls") -> list[Group]:
        """The same as tables, one a suite and one of their mean."""
        by_suite: dict[str, list[Comparison]] = {}
        for made in self.compare(base, metric=metric, cost=cost):
            by_suite.setdefault(made.suite, []).append(made)
        return [compare_table(found, cost) for found in by_suite.values()]

    def _macro_notes(self) -> list[str]:
        blind = [panel.suite for panel in self.panels if not panel.knows("kept_recall")]
        return [f"Recall without {', '.join(blind)}, which names no supporting passages."] if blind else []


def _title(panel: Panel) -> str:
    models = ", ".join(panel.models) if len(panel.models) == 1 else f"{len(panel.models)} models"
    return f"{panel.suite} · {len(panel.ids):,} questions · {models}"


def _notes(panel: Panel) -> list[str]:
    """What the numbers alone do not say: estimates, what went wrong, and questions that not every run asked."""
    wrong = [
        f"{cell.agent} at {cell.budget} failed on {run['errors'].mean():.0%}: {run.first_error}"
        for cell, run in panel.runs.items()
        if run.first_error
    ]
    more = [cell for cell, run in panel.runs.items() if len(run) > len(panel.ids)]
    if more:
        wrong.append(f"{len(more)} runs asked further questions, which are left out: not every run asked them.")
    if any(run.estimated for run in panel.runs.values()):
        wrong.append("~ holds estimates: a provider did not say.")
    return wrong
