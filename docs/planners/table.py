"""Write the measured tables of docs/planners.md from the results files of `budgetkit eval`.

```
budgetkit eval hotpotqa,2wikimultihopqa,musique,bamboogle --data DIR --model offline --out runs --agent ... --budget ...
python docs/planners/table.py runs
```
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from budgetkit.evals import Comparison, Report

PAGE: Final = Path(__file__).parent.parent / "planners.md"
BETWEEN: Final = re.compile(r"(<!-- measured: begin -->\n).*?(<!-- measured: end -->)", re.DOTALL)
BASES: Final = ("react", "majority", "random-tree", "uniform")
ORDER: Final = (
    "auto", "voi", "bavt", "bats", "chain", "uniform", "react", "react+tracker", "majority", "best-of-n", "sequential",
    "random-tree",
)  # fmt: skip


def main() -> None:
    """Read the results files of a folder and put their tables into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, help="the folder of the results files")
    folder = parser.parse_args().runs
    report = Report.read(sorted(folder.glob("*.jsonl")))
    text = "\n".join(_sections(report))
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(BETWEEN.sub(lambda found: f"{found[1]}{text}\n{found[2]}", page), encoding="utf-8")


def _sections(report: Report) -> Iterator[str]:
    graded = [panel for panel in report.panels if panel.knows("kept_recall")]
    rows = {(p.suite, row.cell.agent, row.cell.budget): row for p in report.panels for row in p.rows}
    budgets = sorted({budget for _, _, budget in rows}, key=_calls)
    agents = sorted({agent for _, agent, _ in rows}, key=_place)
    names = ", ".join(panel.suite for panel in graded)

    def over_sets(show: Callable[[Sequence[Any]], str]) -> Iterator[str]:
        return _grid(agents, budgets, lambda a, b: show([rows.get((p.suite, a, b)) for p in graded]))

    def of_set(suite: str, metric: str) -> Iterator[str]:
        return _grid(agents, budgets, lambda a, b: _score(rows.get((suite, a, b)), metric))

    yield f"Recall kept at five passages, plain mean of {names} ({sum(len(p.ids) for p in graded):,} questions):\n"
    yield from over_sets(_mean)
    for panel in report.panels:
        metric = "kept_recall" if panel in graded else "f1"
        what = "recall kept" if panel in graded else "F1 (it names no supporting passages)"
        yield f"\n{panel.suite}, {len(panel.ids):,} questions, {what}, ± half of the 95 % interval:\n"
        yield from of_set(panel.suite, metric)
    yield f"\nTool calls really made, and recall as seen, plain mean of {names}:\n"
    yield from over_sets(_spent)
    yield f"\nQuestions over a limit, by the tool's own count or by the books, in all cells: {_over(rows.values())}."
    yield from _ablated(report, [agent for agent in agents if ", " in agent])
    for base in BASES:
        if base in agents:
            yield f"\n`auto` against `{base}`, recall kept, paired by question, 95 % bootstrap interval:\n"
            yield from _compared(report.compare(base), budgets)


def _ablated(report: Report, variants: Sequence[str]) -> Iterator[str]:
    if variants:
        yield "\nAblations against the whole strategy at equal limit, recall kept, 95 % bootstrap interval:\n"
        yield "| variant | budget | difference | tool calls |"
        yield "|---|---|---|---|"
    for variant in variants:
        for made in _means(report.compare(variant.split(", ")[0]), variant, "limit"):
            if made.difference:
                yield f"| {variant} | {_short(made.cell.budget)} | {_told(made)} | {_calls_of(report, made)} |"


def _calls_of(report: Report, made: Comparison) -> str:
    spent = [row.amounts["tool_calls"] for panel in report.panels for row in panel.rows if row.cell == made.cell]
    return f"{sum(spent) / len(spent):.1f}"


def _over(rows: Iterable[Any]) -> int:
    return sum(row.over for row in rows)


def _calls(budget: str) -> int:
    return int(budget.split("=")[1])


def _place(agent: str) -> tuple[int, str]:
    return (ORDER.index(agent) if agent in ORDER else len(ORDER), agent)


def _grid(agents: Sequence[str], budgets: Sequence[str], cell: Callable[[str, str], str]) -> Iterator[str]:
    yield f"| agent | {' | '.join(_short(budget) for budget in budgets)} |"
    yield f"|---|{'---|' * len(budgets)}"
    for agent in agents:
        yield f"| {agent} | {' | '.join(cell(agent, budget) for budget in budgets)} |"


def _short(budget: str) -> str:
    calls = budget.split("=")[1]
    return f"{calls} call" if calls == "1" else f"{calls} calls"


def _score(row: Any, metric: str) -> str:
    if row is None:
        return ""
    found = row.scores[metric].interval
    return f"{found.mean:.3f} ± {(found.high - found.low) / 2:.3f}"


def _mean(rows: Sequence[Any]) -> str:
    if None in rows:
        return ""
    return f"{sum(row.scores['kept_recall'].mean for row in rows) / len(rows):.3f}"


def _spent(rows: Sequence[Any]) -> str:
    if None in rows:
        return ""
    calls = sum(row.amounts["tool_calls"] for row in rows) / len(rows)
    return f"{calls:.1f}, {sum(row.scores['recall'].mean for row in rows) / len(rows):.3f}"


def _compared(found: Sequence[Comparison], budgets: Sequence[str]) -> Iterator[str]:
    yield "| | " + " | ".join(_short(budget) for budget in budgets) + " |"
    yield f"|---|{'---|' * len(budgets)}"
    for at in ("limit", "cost"):
        told = {made.cell.budget: made for made in _means(found, "auto", at)}
        cells = (
            f"{m.difference} {m.verdict}" if (m := told.get(b)) and m.difference else "not reachable" for b in budgets
        )
        yield f"| at equal {at} | {' | '.join(cells)} |"


def _means(found: Iterable[Comparison], agent: str, at: str) -> list[Comparison]:
    """What is said of the mean over suites."""
    return [m for m in found if m.suite.startswith("mean of") and m.cell.agent == agent and m.at == at]


def _told(made: Comparison | None) -> str:
    if made is None:
        return ""
    return f"{made.difference} {made.verdict}" if made.difference else made.verdict


if __name__ == "__main__":
    main()
