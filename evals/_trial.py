"""One question, asked once: what the agent said, what it scored, and what it used by two counts."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from budgetkit import BudgetExceeded, BudgetTooSmall, PriceUnknown

from ._answer import ending, final_message, short_answer
from ._audit import Audit
from ._kept import kept
from ._scorers import exact_match, f1, recall

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal
    from types import TracebackType

    from langchain_core.runnables import RunnableConfig

    from budgetkit import Scope, Spend

    from ._suite import Question

__all__ = ["Trial"]

_MOST_STEPS: Final = 1_000  # of the graph: the budget ends a run, this only ends one that has no limit on its calls


@dataclass
class Trial:
    """A context manager around the agent's run, which records what is raised inside instead of letting it out.

    An agent may raise anything, and one broken question must not end the eval. A model without a price breaks every
    question alike, so that one passes through.
    """

    question: Question
    output: Mapping[str, Any] = field(default_factory=dict[str, Any])
    audit: Audit = field(default_factory=Audit)
    error: Exception | None = None

    @property
    def config(self) -> RunnableConfig:
        """The run's configuration: the audit listens in, and no run is endless."""
        return {"callbacks": [self.audit], "recursion_limit": _MOST_STEPS}

    def __enter__(self) -> Self:
        self.audit.__enter__()
        self._began = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.seconds = time.monotonic() - self._began
        self.audit.__exit__()
        if not isinstance(error, Exception) or isinstance(error, PriceUnknown):
            return False
        self.error = error
        return True

    def record(self, scope: Scope) -> dict[str, Any]:
        """The line of this question in the run file; amounts are numbers in the resource's own unit."""
        message = None if self.error else final_message(self.output)
        answer, question, spent = short_answer(message.text if message else ""), self.question, scope.spent
        chosen = kept(message, question.text, self.audit.found)
        return {
            "id": question.id,
            "qkey": question.qkey,
            "type": question.type,
            "answer": answer,
            "em": exact_match(answer, question.answers),
            "f1": f1(answer, question.answers),
            "recall": recall(self.audit.titles, question.supporting_titles),
            "kept_recall": recall(chosen["kept"], question.supporting_titles),
            **chosen,
            "spend": amounts(spent),
            "estimated": sorted(spent.estimated),
            "unmeasured": sorted(spent.unmeasured),
            "limits": amounts(scope.budget.limits),
            "share": _shares(spent, scope.budget.limits),
            "counted": self.audit.counts,
            "overshoot": {
                "counted": _over(self.audit.counts, scope.budget.limits),
                "booked": amounts(scope.overshoot),
            },
            "level": str(scope.level),
            "ended": self._raised() or ending(message),
            "seconds": round(self.seconds, 6),
            "error": None if self.error is None else f"{type(self.error).__name__}: {self.error}",
        }

    def _raised(self) -> dict[str, Any] | None:
        """A budget that ended by raising is an ending, and an error too: there is no answer."""
        if isinstance(self.error, BudgetExceeded) and not isinstance(self.error, BudgetTooSmall):
            return {"ended": "raise", "resource": self.error.resource}
        return None


def amounts(of: Mapping[str, int | Decimal | None]) -> dict[str, int | float | None]:
    """Amounts as JSON numbers; a float holds a nano-dollar exactly up to a million dollars."""
    return {name: n if n is None or isinstance(n, int) else float(n) for name, n in of.items()}


def _shares(spent: Spend, limits: Mapping[str, int | Decimal]) -> dict[str, float | None]:
    """Spend over limit; None where the limit is 0 or the spend is unknown."""
    used = {name: spent.get(name, 0) for name in limits}
    return {
        name: round(float(n / limits[name]), 6) if n is not None and limits[name] else None for name, n in used.items()
    }


def _over(counts: Mapping[str, int], limits: Mapping[str, int | Decimal]) -> dict[str, int]:
    """By how much the independent counts are over the limits; empty if they held."""
    return {name: int(n - limits[name]) for name, n in counts.items() if name in limits and n > limits[name]}
