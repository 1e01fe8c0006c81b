"""The report of an eval, for a terminal: one row per run, quality beside spend, and the audit beside both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich import box
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ._interval import Interval
    from ._summary import Middle, Summary

__all__ = ["table"]

_NONE: Final = "-"
_COLUMNS: Final = (
    "n",
    "EM",
    "F1",
    "recall",
    "LLM\ncalls",
    "tool\ncalls",
    "tokens\nin",
    "tokens\nout",
    "USD",
    "s",
    "limit\nused",
    "ended /\nreserve",
    "errors",
    "over\nlimit",
)


def table(summaries: Iterable[Summary]) -> Table:
    """One row per run. Scores: mean over its 95 % interval; spend per question: mean over median.

    The last column is what was used over the limits, in units, over all questions: by the tools' and the server's own
    counts, and under it by the ledger. Both must be 0.
    """
    made = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        caption=(
            "Scores: mean, 95 % bootstrap interval. Spend per question: mean, median (~ holds estimates).\n"
            "Ended: by the budget, and answered from its reserve. Over limit: as tools and server count, as booked."
        ),
        caption_justify="left",
    )
    made.add_column("suite · agent\nmodel · budget", overflow="fold", min_width=16)
    for name in _COLUMNS:
        made.add_column(name, justify="right", no_wrap=True)
    for summary in summaries:
        made.add_row(*_row(summary))
    return made


def _row(summary: Summary) -> list[Text]:
    limits = ", ".join(f"{name}={amount:g}" for name, amount in summary.budget.items())
    spend = summary.spend.get
    return [
        Text(f"{summary.suite} · {summary.agent}\n{summary.model or _NONE} · {limits or 'no limits'}"),
        Text(str(summary.n)),
        *(_score(summary.scores.get(name)) for name in ("em", "f1", "recall")),
        _middle(spend("llm_calls"), ".1f"),
        _middle(spend("tool_calls"), ".1f"),
        _middle(spend("input_tokens"), ",.0f"),
        _middle(spend("output_tokens"), ",.0f"),
        _middle(spend("usd"), ".5f"),
        _middle(spend("seconds"), ".2f"),
        _middle(summary.share_used, ".0%"),
        Text(f"{summary.ended_early:.0%}\n{summary.from_reserve:.0%}"),
        Text(f"{summary.errors:.0%}", style="bold red" if summary.errors else ""),
        Text.assemble(_over(summary.overshoot_counted), "\n", _over(summary.overshoot_booked)),
    ]


def _score(score: Interval | None) -> Text:
    return Text(f"{score.mean:.3f}\n{score.low:.2f}-{score.high:.2f}" if score else _NONE)


def _middle(amount: Middle | None, form: str) -> Text:
    if amount is None:
        return Text(_NONE)
    mark = "~" if amount.estimated else ""
    return Text(f"{mark}{amount.mean:{form}}\n{amount.median:{form}}")


def _over(amounts: Mapping[str, float]) -> Text:
    if not amounts:
        return Text("0", style="green")
    return Text(", ".join(f"{amount:g} {name}" for name, amount in amounts.items()), style="bold red")
