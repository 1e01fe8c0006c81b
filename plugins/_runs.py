"""Which account a step of a graph spends from."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, cast, final
from uuid import uuid4

from budgetkit import MemoryLedger, Scope, Spend, current_scope

if TYPE_CHECKING:
    from budgetkit import Account, AccountState, Budget, BudgetExceeded, Ledger, Reservation

    from ._ways import Way

__all__ = ["RUN_KEY", "Per", "Run", "Runs", "check_per"]

RUN_KEY: Final = "budgetkit_run"
"""The state key that names a run; it is checkpointed, so it survives every interrupt and resume."""

Per = Literal["run", "thread"]

_NOTHING: Final = Spend()
_held: ContextVar[tuple[Account, Spend] | None] = ContextVar("budgetkit_held", default=None)


def check_per(per: str) -> None:
    """Refuse what a budget cannot be for."""
    if per not in {"run", "thread"}:
        raise ValueError(f"per={per!r} is not what a budget can be for: use 'run' or 'thread'")


@final
@dataclass(frozen=True, slots=True)
class Run:
    """What a step spends from.

    Attributes:
        scope: the account that pays, the innermost one.
        owner: the account of the budget itself: that of ``scope``, or one above it.
        above: what agents further out keep of the same account for their own answers.
    """

    scope: Scope
    owner: Account
    above: Spend = _NOTHING

    def owns(self, refusal: BudgetExceeded) -> bool:
        """Whether it is this run's own budget that ended; an outer one passes through."""
        return refusal.account == self.owner

    def own(self, states: tuple[AccountState, ...]) -> AccountState:
        """The state of the budget itself."""
        return states[len(self.owner) - 1]

    async def reserve(self, way: Way, asked: Spend, *, label: str, keep: Spend | None) -> Reservation:
        """Set a model call aside, beside what is kept for the answer; None leaves what is kept as it is."""
        ledger = self.scope.ledger
        if keep is not None and self.owner != self.scope.account:
            # A reservation sets what its own account keeps, and here it is one above that keeps.
            await way.release(ledger, await way.reserve(ledger, self.owner, _NOTHING, keep=keep))
            keep = None
        return await way.reserve(ledger, self.scope.account, asked, label=label, keep=keep)

    @contextmanager
    def holding(self, kept: Spend) -> Generator[None]:
        """Agents inside leave alone what this one keeps for its answer, should they spend from the same account."""
        token = _held.set((self.owner, kept))
        try:
            yield
        finally:
            _held.reset(token)


@final
class RunKey(str):
    """The name of a run that no checkpoint can bring back. It holds the run's books, so they end with the run."""

    __slots__ = ("ledger",)

    ledger: Ledger

    def __deepcopy__(self, memo: object) -> RunKey:
        return self

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)


@final
class Runs:
    """Finds the run of a step.

    Inside an open scope of the same budget, that scope. Otherwise an account of the run's (or the thread's) own, below
    the innermost open scope of another budget if there is one, else in ``ledger``.
    """

    def __init__(self, budget: Budget, *, name: str, per: Per, ledger: Ledger | None) -> None:
        check_per(per)
        self._budget = budget
        self._name = name
        self._per = per
        self._given = ledger
        self.ledger: Ledger = ledger if ledger is not None else MemoryLedger()
        self._last: Scope | None = None
        """The account that was opened last; the next step is most often one of the same run."""

    def new_key(self, runtime: Any) -> str:
        """The name of a new run."""
        key = uuid4().hex
        if self._given is not None or _thread_of(runtime):
            return key
        forgotten = RunKey(key)
        forgotten.ledger = MemoryLedger()
        return forgotten

    async def of(self, way: Way, state: object, runtime: Any) -> Run:
        """The run of this step, its account open."""
        ambient = current_scope()
        scope = ambient
        while scope is not None and scope.budget is not self._budget:
            scope = scope.parent
        if ambient is not None and scope is not None:
            account, held = scope.account, _held.get()
            return Run(ambient, account, held[1] if held and held[0] == account else _NOTHING)
        own = self._open(state, runtime, ambient)
        if not _is_open_as(own, self._last):
            await way.join(own)
            self._last = own
        return Run(own, own.account)

    def _open(self, state: object, runtime: Any, parent: Scope | None) -> Scope:
        key = self._key(state, runtime)
        if parent is None:
            ledger = key.ledger if isinstance(key, RunKey) else self.ledger
            return Scope(self._budget, ledger, (f"{self._name}-{key}",))
        if self._given is not None and parent.ledger is not self._given:
            raise ValueError(
                f"the budget has a ledger of its own and the open scope {parent.name!r} is in another one, so that "
                "could not be held: open the scope with the same ledger=..., or leave ledger= out here"
            )
        if self._per == "thread" and _is_run_of(parent, state):
            raise ValueError(
                f"the middleware {self._name!r} with per='thread' comes after one with per='run' in middleware=[...], "
                "so its limits would begin anew at every run: list the thread's budget first"
            )
        return Scope(self._budget, parent.ledger, (*parent.account, f"{self._name}-{key}"), parent=parent)

    def _key(self, state: object, runtime: Any) -> str:
        named = self._per == "run" and isinstance(state, Mapping)
        key = cast("Mapping[str, Any]", state).get(RUN_KEY) if named else None
        if isinstance(key, str):
            return key
        if thread := _thread_of(runtime):
            return thread
        raise ValueError(
            f"a budget per={self._per!r} needs a thread to belong to: invoke the graph with a checkpointer and "
            "config={'configurable': {'thread_id': ...}}, or open a scope around it (with budget.open(): ...)"
        )


def _is_run_of(scope: Scope, state: object) -> bool:
    """Whether the scope is, or lies below, what this very run of the agent spends from."""
    key = cast("Mapping[str, Any]", state).get(RUN_KEY) if isinstance(state, Mapping) else None
    return isinstance(key, str) and any(part.endswith(f"-{key}") for part in scope.account)


def _is_open_as(scope: Scope, last: Scope | None) -> bool:
    return last is not None and last.account == scope.account and last.ledger is scope.ledger


def _thread_of(runtime: Any) -> str | None:
    """The thread's id; None without a checkpointer."""
    thread = getattr(getattr(runtime, "execution_info", None), "thread_id", None)
    return None if thread is None else str(thread)
