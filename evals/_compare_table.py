"""Comparisons in one table a suite: at equal limit on the left, at equal cost on the right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from rich.text import Text

from ._compare import METRICS
from ._grid_table import add_sections, empty_table, framed, short_interval

if TYPE_CHECKING:
    from rich.console import Group

    from ._compare import Comparison
    from ._panel import Cell

__all__ = ["compare_table"]

_COLOURS: Final[Mapping[str, str]] = {
    "better": "green",
    "worse": "red",
    "no difference": "",
    "not reachable": "dim",
    "unknown": "dim",
}


def compare_table(found: Sequence[Comparison], cost: str) -> Group:
    """The comparisons of one suite, by budget and agent."""
    first = found[0]
    title = f"{first.suite} · {METRICS[first.metric]}, against {first.base}, paired by question"
    labels = ("at equal limit", "", cost.replace("_", "\n"), "at equal cost", "")
    made = empty_table(labels)
    by_cell: dict[Cell, list[Comparison]] = {}
    for each in found:
        by_cell.setdefault(each.cell, []).append(each)
    add_sections(made, ((cell, _line(*pair)) for cell, pair in by_cell.items()))
    return framed(title, by_cell, made, _notes(found))


def _line(limit: Comparison, cost: Comparison) -> list[Text]:
    spent = "?" if cost.spent is None else f"{cost.spent:.3g}"
    return [*_gain(limit), Text(spent), *_gain(cost)]


def _gain(made: Comparison) -> tuple[Text, Text]:
    told = Text(made.verdict, style=_COLOURS[made.verdict])
    return (told, Text()) if made.difference is None else (Text(short_interval(made.difference, sign="+")), told)


def _notes(found: Sequence[Comparison]) -> list[str]:
    made = sum(each.difference is not None for each in found)
    return [
        f"{made} comparisons, each with a 95 % interval: if nothing differed, {0.05 * made:.1f} would be expected to.",
        *dict.fromkeys(each.note for each in found if each.difference is None),
    ]
