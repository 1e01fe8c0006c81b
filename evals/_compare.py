"""Agents against a base, question by question: under the same limit, and for the same cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from ._columns import SPENT
from ._estimate import Estimate, Interval, average
from ._mix import Point, at_cost

if TYPE_CHECKING:
    from ._panel import Cell, Panel

__all__ = ["COSTS", "METRICS", "Comparison", "check_names", "compare_mean", "compare_suite"]

METRICS: Final[Mapping[str, str]] = {
    "kept_recall": "recall, kept",
    "recall": "recall, seen",
    "em": "exact match",
    "f1": "F1",
}
"""Scores that agents can be compared by, and what a report calls them."""

COSTS: Final = (*SPENT, "seconds")
"""Amounts at which agents can be compared."""

Verdict = Literal["better", "worse", "no difference", "not reachable", "unknown"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Comparison:
    """One agent under one budget against a base.

    Attributes:
        suite: where, or which suites it is the mean of.
        cell: the agent and its budget.
        base: the agent that it is compared with.
        at: ``limit``: the base under the same budget; ``cost``: the base at the same mean cost.
        metric: the score.
        gain: agent minus base; None if there is nothing to compare with.
        spent: at equal cost, that cost: its mean per question; None if it is unknown.
        note: at equal cost, the base's mixture of budgets; without a gain, the reason.
        reachable: whether the base can cost that much at all.
    """

    suite: str
    cell: Cell
    base: str
    at: Literal["limit", "cost"]
    metric: str
    gain: Estimate | None
    spent: float | None = None
    note: str = ""
    reachable: bool = True

    @property
    def difference(self) -> Interval | None:
        """Agent minus base, with its 95 % interval over questions."""
        return None if self.gain is None else self.gain.interval

    @property
    def verdict(self) -> Verdict:
        """By the interval alone: better or worse if 0 is not in it."""
        found = self.difference
        if found is None:
            return "unknown" if self.reachable else "not reachable"
        if found.low > 0:
            return "better"
        return "worse" if found.high < 0 else "no difference"

    def __str__(self) -> str:
        what = f"{self.suite}: {self.cell.agent} at {self.cell.budget} against {self.base} at equal {self.at}"
        told = f"{METRICS[self.metric]} {self.difference}, {self.verdict}" if self.gain else self.verdict
        return f"{what}: {told} ({self.note})" if self.note else f"{what}: {told}"


def check_names(agents: Sequence[str], base: str, metric: str | None, cost: str) -> None:
    """Refuse to compare by what there is not.

    Raises:
        ValueError: the base is not among the agents, or there is no such metric or cost.
    """
    if metric is not None and metric not in METRICS:
        raise ValueError(f"unknown metric {metric!r}: use one of {', '.join(METRICS)}")
    if cost not in COSTS:
        raise ValueError(f"unknown cost {cost!r}: use one of {', '.join(COSTS)}")
    if set(agents) == {base}:
        raise ValueError(f"nothing to compare with {base!r}: name another agent beside it")
    if base not in agents:
        known = ", ".join(dict.fromkeys(agents))
        raise ValueError(f"cannot compare with {base!r}, which is not run: it runs {known}")


def compare_suite(panel: Panel, base: str, metric: str | None, cost: str) -> list[Comparison]:
    """Every other cell of a suite against the base, at equal limit and at equal cost."""
    metric = metric or ("kept_recall" if panel.knows("kept_recall") else "f1")
    found = panel.estimates(metric, cost)
    made: list[Comparison] = []
    for cell in panel.runs:
        if cell.agent != base:
            plain = Comparison(suite=panel.suite, cell=cell, base=base, at="limit", metric=metric, gain=None)
            made += (_at_limit(plain, found), _at_cost(replace(plain, at="cost"), found, cost))
    return made


def compare_mean(suites: Sequence[Sequence[Comparison]]) -> list[Comparison]:
    """The mean over suites of what was compared on all of them; different suites are resampled independently."""
    found: dict[tuple[Cell, str], list[Comparison]] = {}
    for made in (made for suite in suites for made in suite):
        found.setdefault((made.cell, made.at), []).append(made)
    return [_mean(parts) for parts in found.values() if len(parts) == len(suites)]


def _mean(parts: Sequence[Comparison]) -> Comparison:
    gains = [part.gain for part in parts if part.gain]
    spent = [part.spent for part in parts if part.spent is not None]
    missing = [f"{part.suite}: {part.note}" for part in parts if not part.gain]
    return replace(
        parts[0],
        suite="mean of " + ", ".join(part.suite for part in parts),
        gain=None if missing else average(gains),
        spent=sum(spent) / len(parts) if len(spent) == len(parts) else None,
        note="; ".join(missing),
        reachable=all(part.reachable for part in parts),
    )


Found = Mapping[tuple["Cell", str], Estimate]


def _at_limit(plain: Comparison, found: Found) -> Comparison:
    ours = found.get((plain.cell, plain.metric))
    theirs = found.get((replace(plain.cell, agent=plain.base), plain.metric))
    if ours is None or theirs is None:
        who = plain.cell.agent if ours is None else plain.base
        return replace(plain, note=f"{who} has no {plain.metric} at {plain.cell.budget}")
    return replace(plain, gain=ours - theirs)


def _at_cost(plain: Comparison, found: Found, cost: str) -> Comparison:
    ours, spent = found.get((plain.cell, plain.metric)), found.get((plain.cell, cost))
    if ours is None or spent is None:
        return replace(plain, note=f"{plain.cell.agent} has no {plain.metric if ours is None else cost}")
    points = _curve(plain, found, cost)
    mixed = at_cost(points, spent)
    if mixed is None:
        costs = sorted(point.cost.mean for point in points) or [0.0]
        note = f"{plain.base} spends from {costs[0]:.3g} to {costs[-1]:.3g} {cost}, as far as it was run"
        return replace(plain, spent=spent.mean, note=note, reachable=False)
    return replace(plain, gain=ours - mixed.quality, spent=spent.mean, note=str(mixed))


def _curve(plain: Comparison, found: Found, cost: str) -> list[Point]:
    """The base under each of its budgets."""
    return [
        Point(cell.budget, found[cell, cost], quality)
        for (cell, name), quality in found.items()
        if cell.agent == plain.base and name == plain.metric and (cell, cost) in found
    ]
