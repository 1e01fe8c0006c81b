"""What an agent would come to at a cost that none of its budgets has: a mixture of the two beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ._estimate import Estimate

__all__ = ["Mix", "Point", "at_cost"]

_SAME: Final = 1e-9  # costs that differ by less are equal


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """What an agent costs and comes to under one budget: means over questions."""

    name: str
    cost: Estimate
    quality: Estimate


@dataclass(frozen=True, slots=True, eq=False)
class Mix:
    """The quality of a mixture, and what it is mixed of: each budget's share of the questions."""

    quality: Estimate
    shares: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        return " + ".join(f"{share:.0%} {name}" for name, share in self.shares)


def at_cost(points: Sequence[Point], cost: Estimate) -> Mix | None:
    """The agent's quality at a mean cost, by a mixture of the two of its budgets that cost next less and next more.

    Asking each question under one of the two, drawn with probability ``w`` and ``1 - w``, costs ``w`` and ``1 - w`` of
    their mean costs and scores as much of their mean scores: so every point between two points of the cost-quality
    plane can be had (Provost and Fawcett, 2001, for classifiers; RouterBench, arXiv 2403.12031, for models). ``w`` is
    worked out anew in each resample, so that its own chance is in the interval.

    Args:
        points: the agent under its budgets, on the same resamples as ``cost``.
        cost: the mean cost wanted.

    Returns:
        None if the agent costs more, or less, than that under all of its budgets.
    """
    ordered = sorted(points, key=lambda point: point.cost.mean)
    above = next((i for i, point in enumerate(ordered) if point.cost.mean >= cost.mean - _SAME), None)
    if above is None:
        return None
    dear = ordered[above]
    if dear.cost.mean <= cost.mean + _SAME:
        return Mix(dear.quality, ((dear.name, 1.0),))
    return _between(ordered[above - 1], dear, cost) if above else None


def _between(cheap: Point, dear: Point, cost: Estimate) -> Mix:
    step = dear.cost - cheap.cost
    share = (cost.mean - cheap.cost.mean) / step.mean
    wanted = cost.resampled - cheap.cost.resampled
    shares = np.divide(wanted, step.resampled, out=np.zeros_like(wanted), where=step.resampled > 0).clip(0, 1)
    gain = dear.quality - cheap.quality
    quality = Estimate(
        cheap.quality.mean + share * gain.mean, cheap.quality.resampled + shares * gain.resampled, cost.n
    )
    return Mix(quality, ((cheap.name, 1 - share), (dear.name, share)))
