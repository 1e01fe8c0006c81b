"""The runs of one suite side by side, over the questions that all of them asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ._columns import SCORES, SPENT, Columns
from ._estimate import Estimate, average, estimates
from ._presets import budget_name
from ._records import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["AMOUNTS", "Cell", "Panel", "Row", "macro", "read_panels"]

AMOUNTS: Final = (*SPENT, "seconds", "share", "errors")


@dataclass(frozen=True, slots=True)
class Cell:
    """An agent under a budget."""

    agent: str
    limits: tuple[tuple[str, float], ...]

    @property
    def budget(self) -> str:
        """What a report calls the budget."""
        return budget_name(dict(self.limits))


@dataclass(frozen=True, slots=True)
class Row:
    """What a cell came to: scores with their resamples, and amounts as means per question.

    An amount that is unknown is not listed; those in ``estimated`` hold estimates. ``over`` is how many questions broke
    a limit, by the tools' and the server's own counts or by the books.
    """

    cell: Cell
    n: int
    scores: Mapping[str, Estimate]
    amounts: Mapping[str, float]
    estimated: frozenset[str]
    over: int


class Panel:
    """The runs of one suite, by cell. All that is said of them is said of the questions that every run asked.

    Raises:
        ValueError: there is no such question.
    """

    def __init__(self, suite: str, runs: Mapping[Cell, Columns]) -> None:
        self.suite = suite
        self.runs = runs
        self.ids = sorted(set[str].intersection(*(set(run.ids) for run in runs.values())))
        if not self.ids:
            raise ValueError(f"no question of {suite} was asked in all of its {len(runs)} runs: finish them first")

    @property
    def models(self) -> list[str]:
        """What answered."""
        return list(dict.fromkeys(run.header["model"] for run in self.runs.values()))

    @property
    def agents(self) -> list[str]:
        """Who was asked."""
        return list(dict.fromkeys(cell.agent for cell in self.runs))

    @cached_property
    def rows(self) -> list[Row]:
        """A row a cell."""
        found = {**self.estimates("em", "f1"), **self.estimates("recall", "kept_recall")}
        return [self._row(cell, run, found) for cell, run in self.runs.items()]

    def knows(self, name: str) -> bool:
        """Whether any run knows this of any question."""
        return any(len(run.known(name)) for run in self.runs.values())

    def estimates(self, *names: str) -> dict[tuple[Cell, str], Estimate]:
        """Means of columns over the questions of which all of them are known; a run that knows nothing is left out."""
        found = {(cell, name): self._column(cell, name) for cell in self.runs for name in names}
        known = {key: column for key, column in found.items() if not np.isnan(column).all()}
        rows = ~np.isnan([np.zeros(len(self.ids)), *known.values()]).any(axis=0)
        seed = tuple(self.suite.encode())  # other suites are resampled independently
        return estimates({key: column[rows] for key, column in known.items()}, seed=seed) if rows.any() else {}

    @cached_property
    def _places(self) -> dict[Cell, NDArray[np.intp]]:
        return {cell: _places(run.ids, self.ids) for cell, run in self.runs.items()}

    def _column(self, cell: Cell, name: str) -> NDArray[np.float64]:
        return self.runs[cell][name][self._places[cell]]

    def _row(self, cell: Cell, run: Columns, found: Mapping[tuple[Cell, str], Estimate]) -> Row:
        amounts = {name: self._column(cell, name) for name in AMOUNTS}
        return Row(
            cell,
            len(self.ids),
            {name: found[cell, name] for name in SCORES if (cell, name) in found},
            {name: float(np.nanmean(column)) for name, column in amounts.items() if not np.isnan(column).all()},
            frozenset(run.estimated),
            int(self._column(cell, "over").sum()),
        )


def read_panels(paths: Iterable[Path]) -> list[Panel]:
    """The panels of results files, a suite each, in the order in which they come.

    Raises:
        ValueError: two files hold the same cell, or one suite's files were measured on different data.
        DataError: a file is missing or broken.
    """
    runs = {path: Columns.read(path) for path in paths}
    suites: dict[str, dict[Cell, Columns]] = {}
    named = len({run.header["model"] for run in runs.values()}) > 1
    data: dict[str, Any] = {}
    for path, run in runs.items():
        suite, cell = run.header["suite"], _cell(run.header, named=named)
        if data.setdefault(suite, run.header["data"]) != run.header["data"]:
            raise DataError(f"{str(path)!r} was measured on other data than the files of {suite} before it")
        if suites.setdefault(suite, {}).setdefault(cell, run) is not run:
            raise ValueError(f"{str(path)!r} is a second run of {cell.agent} at {cell.budget} on {suite}: give one")
    return [Panel(suite, cells) for suite, cells in suites.items()]


def macro(panels: Iterable[Panel]) -> list[Row]:
    """The plain mean over suites of what each cell came to, for the cells that every suite has.

    A score is averaged over the suites that know it, the same ones for every cell.
    """
    several = list(panels)
    knowing = {name: sum(panel.knows(name) for panel in several) for name in SCORES}
    by_cell: dict[Cell, list[Row]] = {}
    for row in (row for panel in several for row in panel.rows):
        by_cell.setdefault(row.cell, []).append(row)
    return [_macro_row(rows, knowing) for rows in by_cell.values() if len(rows) == len(several)]


def _macro_row(rows: list[Row], knowing: Mapping[str, int]) -> Row:
    known = {name: [row.scores[name] for row in rows if name in row.scores] for name in SCORES}
    shared = [name for name in AMOUNTS if all(name in row.amounts for row in rows)]
    return Row(
        rows[0].cell,
        sum(row.n for row in rows),
        {name: average(parts) for name, parts in known.items() if parts and len(parts) == knowing[name]},
        {name: float(np.mean([row.amounts[name] for row in rows])) for name in shared},
        frozenset[str]().union(*(row.estimated for row in rows)),
        sum(row.over for row in rows),
    )


def _cell(header: Mapping[str, Any], *, named: bool) -> Cell:
    agent = f"{header['agent']} · {header['model']}" if named else header["agent"]
    return Cell(agent, tuple(sorted(header["budget"].items())))


def _places(ids: list[str], wanted: list[str]) -> NDArray[np.intp]:
    place = {name: i for i, name in enumerate(ids)}
    return np.array([place[name] for name in wanted], dtype=np.intp)
