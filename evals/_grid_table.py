"""A suite in one table: a line an agent, in sections by budget, quality beside spend, within 100 columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ._presets import budget_words

if TYPE_CHECKING:
    from ._estimate import Interval
    from ._panel import Cell, Row

__all__ = ["add_sections", "empty_table", "framed", "grid_table", "short_interval"]

_WIDE: Final = {"kept_recall": "recall,\nkept", "f1": "F1"}
_NARROW: Final = {"recall": "\nseen", "em": "EM"}
_SPENT: Final = {
    "tool_calls": ("tool\ncalls", ".1f"),
    "llm_calls": ("LLM\ncalls", ".1f"),
    "input_tokens": ("tokens\nin", ",.0f"),
    "output_tokens": ("\nout", ",.0f"),
    "usd": ("US $", ".4g"),
    "seconds": ("s", ".2f"),
    "share": ("of\nlimit", ".0%"),
}
_NAME_WIDTH: Final = 24
_HOW: Final = "Means over questions; ± half of the 95 % bootstrap interval; over limit: questions."


def grid_table(title: str, rows: Sequence[Row], notes: Iterable[str] = ()) -> Group:
    """Quality, means per question of what it took, and how many questions broke a limit.

    ``±`` is half the length of the 95 % bootstrap interval over questions. Columns of which nothing is known in any
    line are left out, and dollars where nothing cost any.
    """
    scores = {name for row in rows for name in row.scores}
    amounts = {name for row in rows for name, amount in row.amounts.items() if amount or name != "usd"}
    wide = {name: label for name, label in _WIDE.items() if name in scores}
    narrow = {name: label for name, label in _NARROW.items() if name in scores}
    spent = {name: shown for name, shown in _SPENT.items() if name in amounts}
    labels = (*wide.values(), *narrow.values(), *(label for label, _ in spent.values()), "over\nlimit")
    made = empty_table(labels)
    add_sections(made, ((row.cell, list(_line(row, wide, narrow, spent))) for row in rows))
    return framed(title, (row.cell for row in rows), made, (_HOW, *notes))


def _line(row: Row, wide: Iterable[str], narrow: Iterable[str], spent: Mapping[str, tuple[str, str]]) -> Iterator[Text]:
    scores = row.scores
    yield from (Text(_half_width(scores[name].interval) if name in scores else "unknown") for name in wide)
    yield from (Text(_short(scores[name].mean) if name in scores else "?") for name in narrow)
    for name, (_, form) in spent.items():
        mark = "~" if name in row.estimated else ""
        yield Text(f"{mark}{row.amounts[name]:{form}}" if name in row.amounts else "?")
    yield Text(f"{row.over:,}", style="bold red" if row.over else "green")


def empty_table(labels: Iterable[str]) -> Table:
    """A name, then columns of numbers."""
    made = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    made.add_column("", max_width=_NAME_WIDTH, overflow="fold")
    for label in labels:
        made.add_column(label, justify="right", no_wrap=True)
    return made


def framed(title: str, cells: Iterable[Cell], table: Table, notes: Iterable[str]) -> Group:
    """A table below its title and what is behind the presets in it, and above its notes."""
    heading = Text("\n".join((title, *_presets_of(cells))), style="bold")
    return Group(heading, table, Text("\n".join(notes) + "\n", style="dim"))


def add_sections(table: Table, lines: Iterable[tuple[Cell, Sequence[Text]]]) -> None:
    """Add lines in sections by budget, each under the budget's name."""
    sections: dict[str, list[tuple[str, Sequence[Text]]]] = {}
    for cell, texts in lines:
        sections.setdefault(cell.budget, []).append((cell.agent, texts))
    for budget, found in sections.items():
        table.add_row(Text(budget, style="bold"))
        for agent, texts in found:
            table.add_row(Text(f" {agent}"), *texts)


def _presets_of(cells: Iterable[Cell]) -> list[str]:
    """What is behind the presets among the budgets of these cells, a line each."""
    words = (budget_words(dict(cell.limits)) for cell in cells)
    return [line for line in dict.fromkeys(words) if ": " in line]


def short_interval(found: Interval, *, sign: str = "") -> str:
    """An interval without what goes without saying: ``.826 [.804, .848]``."""
    return f"{_short(found.mean, sign)} [{_short(found.low)}, {_short(found.high)}]"


def _half_width(found: Interval) -> str:
    return f"{_short(found.mean)} ±{_short((found.high - found.low) / 2)}"


def _short(value: float, sign: str = "") -> str:
    return f"{value:{sign}.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:{sign}.3f}"
