"""Which account a step of a graph spends from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from budgetkit import Account, Budget, BudgetExceeded, Ledger, MemoryLedger, Scope, current_scope

__all__ = ["RUN_KEY", "Per", "Run", "Runs"]

RUN_KEY: Final = "budgetkit_run"
"""The state key that names a run; it is checkpointed, so it survives every interrupt and resume."""

Per = Literal["run", "thread"]


@dataclass(frozen=True, slots=True)
class Run:
    """The scope that a step spends from, and the account whose end it winds down for."""

    scope: Scope
    owner: Account

    def owns(self, refusal: BudgetExceeded) -> bool:
        """Whether it is this run's own budget that ended; an outer one passes through."""
        return refusal.account == self.owner


class Runs:
    """Finds the run of a step.

    Inside an open scope of the same budget, that scope. Otherwise an account of the run's (or the thread's) own, below
    the innermost open scope of another budget if there is one, else in ``ledger``.
    """

    def __init__(self, budget: Budget, *, name: str, per: Per, ledger: Ledger | None) -> None:
        self._budget = budget
        self._name = name
        self._per = per
        self._own: Ledger = ledger if ledger is not None else MemoryLedger()
        self._given = ledger is not None

    def of(self, state: object, runtime: Any) -> Run:
        """The run of this step, its account open."""
        found = self._find(state, runtime)
        if found.scope is not current_scope():
            found.scope.join()
        return found

    async def aof(self, state: object, runtime: Any) -> Run:
        """Async twin of `of`."""
        found = self._find(state, runtime)
        if found.scope is not current_scope():
            await found.scope.ajoin()
        return found

    def _find(self, state: object, runtime: Any) -> Run:
        ambient = current_scope()
        scope = ambient
        while scope is not None:
            if scope.budget is self._budget:
                return Run(ambient or scope, scope.account)
            scope = scope.parent
        parent = None if self._given and ambient and ambient.ledger is not self._own else ambient
        ledger = parent.ledger if parent else self._own
        account = (*(parent.account if parent else ()), f"{self._name}-{self._key(state, runtime)}")
        return Run(Scope(self._budget, ledger, account, parent=parent), account)

    def _key(self, state: object, runtime: Any) -> str:
        info = getattr(runtime, "execution_info", None)
        thread = getattr(info, "thread_id", None)
        key = state.get(RUN_KEY) if self._per == "run" and isinstance(state, Mapping) else None
        if isinstance(key, str):
            return key
        if thread:
            return str(thread)
        raise ValueError(
            f"a budget per={self._per!r} needs a thread to belong to: invoke the graph with a checkpointer and "
            "config={'configurable': {'thread_id': ...}}, or open a scope around it (with budget.open(): ...)"
        )
