"""The first line of a results file: what must be equal for two sessions to be one run."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from ._trial import amounts

if TYPE_CHECKING:
    from budgetkit import Budget

    from ._suite import Suite

__all__ = ["header"]

_LINES: Final = 2  # the shape of the lines below; 1 had no word of what was kept
_PACKAGES: Final = ("budgetkit", "langchain-core", "langgraph", "bm25s")


def header(suite: Suite, budget: Budget, *, agent: str, model: str, seed: int) -> dict[str, Any]:
    """Suite with the checksums of its data, agent, model, budget, seed and versions; not how many or how fast.

    Raises:
        DataError: a data file is missing.
    """
    reserve = budget.answer_reserve
    return {
        "kind": "run",
        "lines": _LINES,
        "suite": suite.name,
        "data": suite.checksums(),
        "prompt": suite.prompt,
        "agent": agent,
        "model": model,
        "budget": amounts(budget.limits),
        "answer_reserve": None if reserve is None else amounts(reserve),
        "seed": seed,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
    }
