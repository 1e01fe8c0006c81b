"""How many expansions a tree search needs: Theorem 1 of arXiv 2603.12634, and its inverse.

The theorem is about liveness: a search that may expand so often ends with an answer, with probability ``1 - epsilon``
at least. It says nothing about whether the answer is right.
"""

from __future__ import annotations

from math import ceil, exp, log, sqrt, ulp

__all__ = ["epsilon_of", "expansions_needed"]


def expansions_needed(steps: int, p_min: float, epsilon: float) -> int:
    """Expansions after which a search has its ``steps`` with probability ``1 - epsilon`` at least.

    ``M >= (K + sqrt(2 K ln(1/epsilon)) + 2 ln(1/epsilon)) / p_min``. It is a Chernoff bound, and so on the safe side.
    What it takes: every open node can be selected (the lowest value is 0.1 and the exponent is bounded).

    Args:
        steps: K, steps in the right direction that an answer takes: the hops of the question.
        p_min: the least probability that an expansion is such a step, above 0 and at most 1.
        epsilon: the risk that there is no answer in the end, between 0 and 1.

    Returns:
        M, a whole number of expansions; each takes a tool call.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> expansions_needed(3, p_min=0.5, epsilon=0.05)
        27
    """
    _check(steps, p_min)
    if not 0 < epsilon < 1:
        raise ValueError(f"epsilon={epsilon!r} is no risk that can be bought off: use more than 0 and less than 1")
    return ceil(_sum(steps, -log(epsilon)) / p_min)


def epsilon_of(expansions: int, steps: int, p_min: float) -> float:
    """The least risk of ending without an answer that so many expansions buy; 1.0 if they buy no promise.

    The inverse of `expansions_needed`: with ``x = sqrt(ln(1/epsilon))`` its formula is a quadratic equation.

    Args:
        expansions: M, expansions that the budget pays for.
        steps: K, steps in the right direction that an answer takes.
        p_min: the least probability that an expansion is such a step, above 0 and at most 1.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> round(epsilon_of(27, steps=3, p_min=0.5), 3)
        0.045
    """
    _check(steps, p_min)
    if expansions < 0:
        raise ValueError(f"expansions={expansions!r} is no number of expansions: use 0 or more")
    room = expansions * p_min
    if room <= steps:
        return 1.0
    x = (sqrt(8 * room - 6 * steps) - sqrt(2 * steps)) / 4
    epsilon, slack = max(exp(-x * x), ulp(0.0)), ulp(1.0)
    while epsilon < 1 and expansions_needed(steps, p_min, epsilon) > expansions:
        epsilon, slack = epsilon * (1 + slack), 2 * slack  # what rounding took off
    return min(epsilon, 1.0)


def _sum(steps: int, risk: float) -> float:
    return steps + sqrt(2 * steps * risk) + 2 * risk


def _check(steps: int, p_min: float) -> None:
    if steps < 1:
        raise ValueError(f"steps={steps!r} leaves nothing to find out: use 1 or more")
    if not 0 < p_min <= 1:
        raise ValueError(f"p_min={p_min!r} is no probability that a step succeeds: use more than 0 and at most 1")
