"""The page that the comparison fills."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import groupby
from pathlib import Path

from guard import CALLS, MODEL
from results import Result

TEMPLATE = Path(__file__).with_name("template.md")
MARKS = {True: "✔", False: "✘", None: ""}

DETAIL = """\
## {name}

{means} Cap: {calls} calls or ${cap}.

| | setting | cap asked | calls made | dollars spent | dollars recorded | what the user got |
|---|---|---|---|---|---|---|
"""


def write_page(results: Sequence[Result], versions: Mapping[str, str], day: date) -> str:
    """The whole page."""
    packages = ["budgetkit", "langchain", "langgraph", "langchain-openai", "openai"]
    packages += [name for result in results if (name := result.row.package)]
    shown = ", ".join(f"{name} {versions[name]}" for name in dict.fromkeys(packages))
    return TEMPLATE.read_text(encoding="utf-8").format(
        day=day.isoformat(),
        model=MODEL,
        calls=CALLS,
        versions=shown,
        glance=glance(results),
        details="\n".join(details(results)),
    )


def glance(results: Sequence[Result]) -> str:
    """All situations in one table: calls made, and whether the cap held."""
    names = list(dict.fromkeys(result.scenario.name for result in results))
    lines = [f"| | setting | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    lines += [f"| {_title(result)} | {' | '.join(_cells(results, result))} |" for result in results[: _rows(results)]]
    return "\n".join(lines) + "\n"


def details(results: Iterable[Result]) -> Iterable[str]:
    """A table per situation."""
    for scenario, same in groupby(results, lambda result: result.scenario):
        listed = list(same)
        opening = DETAIL.format(name=scenario.name, means=scenario.means, calls=CALLS, cap=listed[0].cap)
        yield opening + "".join(f"| {_title(result)} | {' | '.join(_facts(result))} |\n" for result in listed)


def _facts(result: Result) -> list[str]:
    asked = {"calls": f"{CALLS} calls", "usd": f"${result.cap}", None: "none"}[result.row.cap]
    calls, spent = str(result.calls), f"{result.spent:.5f}"
    if result.held is False:
        calls, spent = (f"**{calls}**", spent) if result.row.cap == "calls" else (calls, f"**{spent}**")
    recorded = _recorded(result)
    return [asked, calls, spent, recorded, result.got]


def _cells(results: Sequence[Result], first: Result) -> list[str]:
    same = [result for result in results if result.row == first.row]
    return [f"{MARKS[result.held]} {result.calls}".strip() for result in same]


def _rows(results: Sequence[Result]) -> int:
    return sum(result.scenario == results[0].scenario for result in results)


def _title(result: Result) -> str:
    name = result.row.package or "nothing"
    return f"{f'**{name}**' if name == 'budgetkit' else name} | {result.row.setting}"


def _recorded(result: Result) -> str:
    if result.recorded is None:
        return "n/a"
    return result.books if result.recorded.is_nan() else f"{result.recorded:.5f} ({result.books})"
