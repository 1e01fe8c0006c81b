"""What an action is worth per unit of what is left: the score of the VOI controller (arXiv 2605.05701), as reported.

``score = max(0, progress + structure - penalty) / (cost + eps)``. The form and three coefficients are reported; what
the features are is stated nowhere, and is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

__all__ = [
    "ACTIONS",
    "Action",
    "Situation",
    "VoiCoefficients",
    "choose",
    "penalty",
    "relative_cost",
    "score",
    "structure",
]

Action = Literal["search", "decompose", "answer"]

ACTIONS: Final[tuple[Action, ...]] = ("search", "decompose", "answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiCoefficients:
    """The numbers in the score and in its guards.

    Attributes:
        cost: weight of the penalty for cost under pressure (reported: 0.7).
        bridge: bonus for what serves an open hop (reported: 0.14).
        early: penalty for an answer on thin evidence (reported: 0.18).
        eps: keeps a free action's score finite (reported).
        floor: the least relative cost, so that a free action does not win by being free (design).
        loop: weight of a search's likeness to one that was done (design).
        support: weight of the evidence behind an answer (design).
        early_below: support below which an answer is early (design).
        blocked_below: support below which it is no choice as long as a search is one (design).
        idle: decompositions without progress after which there is no further one (design).
    """

    cost: float = 0.7
    bridge: float = 0.14
    early: float = 0.18
    eps: float = 1e-5
    floor: float = 0.05
    loop: float = 0.3
    support: float = 0.3
    early_below: float = 0.5
    blocked_below: float = 0.3
    idle: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a choice is made on.

    Attributes:
        rho: budget pressure, 0 to 1: 1 less the least share of any limit that is left.
        costs: for each action that the budget pays for, the share of what is left that it takes.
        gain: what the best search at hand may bring, 0 to 1.
        loop: how like one that was done it is, 0 to 1.
        hops: facts that the question takes.
        open_hops: facts that are still missing.
        support: how far the evidence supports an answer, 0 to 1.
        searches: searches made so far.
        idle: decompositions since the last progress.
        answerable: off: no answer is wanted as long as a search is affordable.
    """

    rho: float
    costs: Mapping[Action, float]
    gain: float = 0.5
    loop: float = 0.0
    hops: int = 1
    open_hops: int = 0
    support: float = 0.0
    searches: int = 0
    idle: int = 0
    answerable: bool = True

    @property
    def compositional(self) -> bool:
        """Whether the question takes more than one fact."""
        return self.hops > 1


def relative_cost(cost: Mapping[str, int], left: Mapping[str, int]) -> float | None:
    """The mean, over all limited resources, of cost over what is left; None if that does not pay for it."""
    if any(cost.get(name, 0) > units for name, units in left.items()):
        return None
    parts = [cost.get(name, 0) / units if units else 0.0 for name, units in left.items()]
    return sum(parts) / len(parts) if parts else 0.0


def progress(action: Action, at: Situation) -> float:
    """What the action itself finds out: a search what it promises, the others nothing."""
    return at.gain if action == "search" else 0.0


def structure(action: Action, at: Situation, by: VoiCoefficients) -> float:
    """How the action fits the question and the way so far."""
    match action:
        case "search":
            return by.bridge * (at.open_hops > 0) - by.loop * at.loop
        case "decompose":
            fits = at.compositional and at.open_hops > 1
            return (by.bridge if fits else -by.bridge) - by.bridge * at.idle
        case "answer":
            return by.support * at.support - by.early * (at.support < by.early_below)


def penalty(cost: float, rho: float, by: VoiCoefficients) -> float:
    """What a cost weighs under pressure: in place of the price that the budget has in secret."""
    return by.cost * rho * min(1.0, cost)


def score(action: Action, at: Situation, by: VoiCoefficients) -> float:
    """Positive worth per unit of what is left."""
    cost = at.costs[action]
    worth = progress(action, at) + structure(action, at, by) - penalty(cost, at.rho, by)
    return max(0.0, worth) / (max(cost, by.floor) + by.eps)


def choose(at: Situation, by: VoiCoefficients) -> tuple[Action, float]:
    """The action of the highest score among those that the guards let pass, and its score.

    If nothing is affordable it is an answer: that one is kept for. If no score is positive it is an answer as well,
    unless a guard is against it.
    """
    scores: dict[Action, float] = {action: score(action, at, by) for action in ACTIONS if action in at.costs}
    if "search" in scores and at.compositional and not at.searches:
        return "search", scores["search"]
    passed: list[Action] = [action for action in scores if _passes(action, at, by)]
    if not any(scores[action] for action in passed) and (not passed or _passes("answer", at, by)):
        return "answer", 0.0
    best = max(passed, key=lambda action: scores[action])
    return best, scores[best]


def _passes(action: Action, at: Situation, by: VoiCoefficients) -> bool:
    """The guards: they are about what is chosen, never about what it costs."""
    match action:
        case "search":  # where nothing is limited, every further search would be worth its cost
            return at.costs["search"] > 0 or at.support < by.early_below or not at.answerable
        case "decompose":
            return at.compositional and at.idle < by.idle
        case "answer":
            return "search" not in at.costs or (at.answerable and at.support >= by.blocked_below)
