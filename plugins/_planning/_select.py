"""Budget-conditioned selection over a frontier: over its rows of equal worth, never over its nodes."""

from __future__ import annotations

from collections import defaultdict
from math import exp, log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Sequence

    from ._frontier import Frontier
    from ._node_of import TreeNode

__all__ = ["exponent", "freshest", "pick", "shares"]


def exponent(ratio: float, cap: float) -> float:
    """How greedy to be when that share of the budget is left: its inverse, ``cap`` at most (arXiv 2603.12634)."""
    return cap if ratio * cap <= 1 else 1 / ratio


def shares(rows: Sequence[tuple[int, int]], alpha: float) -> list[float]:
    """The probability of each row of worth and number: each of its nodes in proportion to worth to the power alpha.

    In log space, so that no exponent is too large.
    """
    logs = [log(worth) for worth, _ in rows]
    highest = max(logs, default=0.0)
    weights = [number * exp(alpha * (at - highest)) for at, (_, number) in zip(logs, rows, strict=True)]
    total = sum(weights)
    return [weight / total for weight in weights]


def pick(
    frontier: Frontier, alpha: float, chance: random.Random, held: Iterable[TreeNode] = ()
) -> tuple[int, float] | None:
    """Draw a node of the frontier.

    Args:
        frontier: the open nodes.
        alpha: the exponent.
        chance: what the draw is made with.
        held: nodes that are not to be drawn; some of them may not be in the frontier.

    Returns:
        Its number, and how likely it was; None if there is none to draw.
    """
    out: defaultdict[int, set[int]] = defaultdict(set)
    for node in held:
        if node.number in frontier:
            out[node.worth].add(node.number)
    rows = [(worth, number - len(out.get(worth, ()))) for worth, number in frontier.rows()]
    rows = [(worth, number) for worth, number in rows if number]
    if not rows:
        return None
    likely = shares(rows, alpha)
    at = chance.choices(range(len(rows)), likely)[0]
    worth, number = rows[at]
    return _nth(frontier, worth, chance.randrange(number), sorted(out.get(worth, ()))), likely[at] / number


def freshest(frontier: Frontier) -> int | None:
    """The newest among the nodes that are worth most; None if there is none."""
    rows = frontier.rows()
    return frontier.at(rows[0][0], rows[0][1] - 1) if rows else None


def _nth(frontier: Frontier, worth: int, place: int, out: Sequence[int]) -> int:
    """The node at that place of a row, those that are out passed over."""
    for number in out:
        if number <= frontier.at(worth, place):
            place += 1
    return frontier.at(worth, place)
