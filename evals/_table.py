"""The report of an eval, for a terminal: one column per run, quality above spend, and the audit under both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich import box
from rich.table import Table
from rich.text import Text

from ._presets import budget_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ._estimate import Interval
    from ._summary import Middle, Summary

__all__ = ["table"]

_SCORES: Final = {"exact match": "em", "F1": "f1", "recall, kept": "kept_recall", "recall, seen": "recall"}
_SPENT: Final = {
    "LLM calls": ("llm_calls", ".1f"),
    "tool calls": ("tool_calls", ".1f"),
    "input tokens": ("input_tokens", ",.0f"),
    "output tokens": ("output_tokens", ",.0f"),
    "US dollars": ("usd", ".6f"),
    "seconds": ("seconds", ".2f"),
}


def table(summaries: Iterable[Summary]) -> Table:
    """Runs side by side: a score with its 95 % bootstrap interval, an amount per question as its mean and (median).

    The last two rows are what was used over the limits, summed over all questions: by the tools' and the server's own
    counts, and by the ledger. Both must be 0.
    """
    runs = list(summaries)
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), caption=_caption(runs), caption_justify="left")
    made.add_column("per question: mean, [95 %] or (median)", style="dim", max_width=22)
    for run in runs:
        made.add_column(_title(run), justify="right", overflow="fold")
    rows = [_cells(run) for run in runs]
    for label in rows[0] if rows else ():
        made.add_row(label, *(row[label] for row in rows), end_section=label in {"recall, seen", "errors"})
    return made


def _title(run: Summary) -> str:
    return "\n".join(part for part in (run.suite, run.agent, run.model, budget_words(run.budget)) if part)


def _cells(run: Summary) -> dict[str, Text]:
    return {
        "questions": Text(f"{run.n:,}"),
        **{label: _score(run.scores.get(name)) for label, name in _SCORES.items()},
        **{label: _amount(run.spend.get(name), form) for label, (name, form) in _SPENT.items()},
        "share of limit used": _amount(run.share_used, ".0%"),
        "ended by the budget": Text(f"{run.ended_early:.0%}"),
        "answered from reserve": Text(f"{run.from_reserve:.0%}"),
        "errors": Text(f"{run.errors:.0%}", style="bold red" if run.errors else ""),
        "over limit, as counted": _over(run.overshoot_counted),
        "over limit, as booked": _over(run.overshoot_booked),
    }


def _score(score: Interval | None) -> Text:
    return Text("unknown" if score is None else str(score))


def _amount(amount: Middle | None, form: str) -> Text:
    if amount is None:
        return Text("unknown")
    mark = "~" if amount.estimated else ""
    return Text(f"{mark}{amount.mean:{form}} ({amount.median:{form}})")


def _over(amounts: Mapping[str, float]) -> Text:
    if not amounts:
        return Text("0", style="green")
    return Text("\n".join(f"{amount:g} {name}" for name, amount in amounts.items()), style="bold red")


def _caption(runs: list[Summary]) -> str | None:
    """What the numbers alone do not say: estimates, and what went wrong."""
    notes = [f"First error of {run.suite}, {run.agent}: {run.first_error}" for run in runs if run.first_error]
    if any(amount.estimated for run in runs for amount in run.spend.values()):
        notes.append("~ holds estimates: a provider did not say.")
    return "\n".join(notes) or None
