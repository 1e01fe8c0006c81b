"""`Scope`: the account that the code inside a ``with`` block spends from.

A tree over one ContextVar, like cancel scopes: it follows tasks, threads that copy their context, subgraphs and
sub-agents by itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from importlib import import_module
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Self, final
from uuid import uuid4

from ._errors import BudgetExceeded
from ._ledger import Account, AccountState, Ledger, Reservation
from ._level import Level, worst
from ._memory_ledger import MemoryLedger
from ._resource import Amount, from_units
from ._spend import Spend

if TYPE_CHECKING:
    from ._budget import Budget

__all__ = ["Scope", "current_scope"]

_current: ContextVar[Scope | None] = ContextVar("budgetkit_scope", default=None)


def current_scope() -> Scope | None:
    """The innermost open scope of this context, or None."""
    return _current.get()


def open_scope(
    budget: Budget,
    name: str,
    *,
    id: str | None,  # noqa: A002 - the field's own word, keyword-only
    ledger: Ledger | None,
    parent: Scope | None,
    prepaid: bool,
) -> Scope:
    """See `Budget.open`."""
    parent = parent or current_scope()
    if ledger is None:
        ledger = parent.ledger if parent else MemoryLedger()
    if parent is not None and parent.ledger is not ledger:
        parent = None  # another ledger's account cannot be an ancestor here
    above = parent.account if parent else ()
    leaf = id or (name if not above and isinstance(ledger, MemoryLedger) else f"{name}-{uuid4().hex[:8]}")
    return Scope(budget, ledger, (*above, leaf), parent=parent, prepaid=prepaid)


@final
class Scope:
    """One account and the budget that limits it; a context manager, sync and async, for one use.

    Made by `Budget.open`. What the code inside spends counts on this account and on all above it.

    Attributes:
        budget: the limits.
        ledger: where the spend is recorded.
        account: the account's path from the root.
        parent: the scope above, or None.
    """

    def __init__(
        self, budget: Budget, ledger: Ledger, account: Account, *, parent: Scope | None = None, prepaid: bool = False
    ) -> None:
        """Use `Budget.open`."""
        self.budget = budget
        self.ledger = ledger
        self.account = account
        self.parent = parent
        self._prepaid = prepaid
        self._token: Token[Scope | None] | None = None

    # -- entering and leaving ---------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._check_fresh()
        self.join()
        self.ledger.start(self.account)
        self._token = _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        self.ledger.stop(self.account)
        self.ledger.close(self.account)

    async def __aenter__(self) -> Self:
        self._check_fresh()
        await self.ajoin()
        await self.ledger.astart(self.account)
        self._token = _current.set(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        await self.ledger.astop(self.account)
        await self.ledger.aclose(self.account)

    def join(self) -> None:
        """Open the account without entering it; for hosts that enter and leave many times (`entered`)."""
        _meter_langchain()
        self.ledger.open(self.account, self.budget.limits_in_units, keep=self._keep, prepaid=self._prepaid)

    async def ajoin(self) -> None:
        """Async twin of `join`."""
        _meter_langchain()
        await self.ledger.aopen(self.account, self.budget.limits_in_units, keep=self._keep, prepaid=self._prepaid)

    @contextmanager
    def entered(self) -> Iterator[Self]:
        """Make this the current scope for a while; may be done again and again, also at the same time."""
        token = _current.set(self)
        try:
            yield self
        finally:
            _current.reset(token)

    @property
    def _keep(self) -> Spend:
        return self.budget.answer_reserve or Spend()

    def _check_fresh(self) -> None:
        if self._token is not None:
            raise RuntimeError(f"scope {self.name!r} was entered before: call budget.open() again for a new one")

    def _leave(self) -> None:
        if self._token is None or _current.get() is not self:
            inner = current_scope()
            raise RuntimeError(
                f"scope {self.name!r} is left while {inner.name if inner else 'no scope'!r} is the innermost: leave "
                "scopes in the order opposite to entering, in the same context"
            )
        _current.reset(self._token)

    # -- spending ---------------------------------------------------------------------------------------------------

    def reserve(
        self,
        asked: Spend,
        *,
        id: str | None = None,  # noqa: A002 - the field's own word, keyword-only
        label: str = "",
        keep: Spend | None = None,
        final: bool = False,
        again: bool = False,
    ) -> Reservation:
        """Set the worst case of a call aside, here and on all accounts above, or raise `BudgetExceeded`.

        See `Ledger.reserve` for the arguments.
        """
        return self.ledger.reserve(self.account, asked, id=id, label=label, keep=keep, final=final, again=again)

    async def areserve(
        self,
        asked: Spend,
        *,
        id: str | None = None,  # noqa: A002 - the field's own word, keyword-only
        label: str = "",
        keep: Spend | None = None,
        final: bool = False,
        again: bool = False,
    ) -> Reservation:
        """Async twin of `reserve`."""
        return await self.ledger.areserve(self.account, asked, id=id, label=label, keep=keep, final=final, again=again)

    def settle(self, reservation: Reservation, spend: Spend | None = None) -> Reservation:
        """Book what the call really cost; None keeps the reservation as the spend, marked estimated."""
        return self.ledger.settle(reservation, spend)

    async def asettle(self, reservation: Reservation, spend: Spend | None = None) -> Reservation:
        """Async twin of `settle`."""
        return await self.ledger.asettle(reservation, spend)

    def charge(self, spend: Spend, *, id: str | None = None, label: str = "") -> Reservation:  # noqa: A002 - as above
        """Record spend that happened, then judge: raises `BudgetExceeded` if it broke a limit; it is booked all the same."""
        call = self.ledger.charge(self.account, spend, id=id, label=label)
        if call.overshoot:
            raise self._broken(self.states(), call)
        return call

    async def acharge(self, spend: Spend, *, id: str | None = None, label: str = "") -> Reservation:  # noqa: A002 - as above
        """Async twin of `charge`."""
        call = await self.ledger.acharge(self.account, spend, id=id, label=label)
        if call.overshoot:
            raise self._broken(await self.ledger.astates(self.account), call)
        return call

    def _broken(self, states: tuple[AccountState, ...], call: Reservation) -> BudgetExceeded:
        name = call.overshoot.names[0]
        state = next((s for s in states if s.overshoot.in_units(name)), states[-1])
        reserved = state.reserved.in_units(name) + state.kept.in_units(name)
        asked = call.spend.in_units(name) if call.spend else 0
        return BudgetExceeded(
            resource=name,
            account=state.account,
            limit=state.limits[name],
            spent=state.spent.in_units(name),
            reserved=reserved,
            asked=asked,
        )

    def top_up(self, amounts: Mapping[str, object] | Spend, *, id: str | None = None) -> None:  # noqa: A002 - as above
        """Raise this account's limits by ``amounts`` (``{"llm_calls": 5}``); the same id is applied once."""
        more = amounts if isinstance(amounts, Spend) else Spend.of(amounts)
        self.ledger.top_up(self.account, more, id=id or uuid4().hex)

    async def atop_up(self, amounts: Mapping[str, object] | Spend, *, id: str | None = None) -> None:  # noqa: A002 - as above
        """Async twin of `top_up`."""
        more = amounts if isinstance(amounts, Spend) else Spend.of(amounts)
        await self.ledger.atop_up(self.account, more, id=id or uuid4().hex)

    # -- reading ----------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What people read: the last part of the account's path."""
        return self.account[-1]

    @property
    def spent(self) -> Spend:
        """What this account and all below it have spent."""
        return self.states()[-1].spent

    @property
    def reserved(self) -> Spend:
        """What calls in flight have set aside."""
        return self.states()[-1].reserved

    @property
    def overshoot(self) -> Spend:
        """What was spent over this account's limits; empty if they held."""
        return self.states()[-1].overshoot

    @property
    def remaining(self) -> Mapping[str, Amount | None]:
        """What can still be spent here: per resource the least of this account and those above; None without a limit."""
        return Remaining(self.states())

    @property
    def level(self) -> Level:
        """How much is left, in one word: the worst of all limited resources, here and above."""
        return worst(self.levels.values())

    @property
    def levels(self) -> Mapping[str, Level]:
        """The level of each limited resource."""
        return levels_of(self, self.states())

    @property
    def charges(self) -> tuple[Reservation, ...]:
        """Every settled call on this account and below it, in order."""
        return self.ledger.charges(self.account)

    def states(self) -> tuple[AccountState, ...]:
        """Snapshots of the accounts above, from the root down, and of this one last."""
        return self.ledger.states(self.account)

    async def astates(self) -> tuple[AccountState, ...]:
        """Async twin of `states`."""
        return await self.ledger.astates(self.account)

    def __repr__(self) -> str:
        return f"Scope({'/'.join(self.account)!r}, {self.budget!r})"


class Remaining(Mapping[str, Amount | None]):
    """What is left per resource, over a chain of accounts; None where nothing limits it."""

    def __init__(self, states: tuple[AccountState, ...]) -> None:
        self._left: dict[str, int] = {}
        for state in states:
            for name in state.limits:
                left = state.left(name) or 0
                self._left[name] = min(left, self._left.get(name, left))

    def __getitem__(self, name: str) -> Amount | None:
        Spend()[name]  # refuses what is surely a typing error
        return from_units(name, self._left[name]) if name in self._left else None

    def __iter__(self) -> Iterator[str]:
        return iter(self._left)

    def __len__(self) -> int:
        return len(self._left)

    def __repr__(self) -> str:
        return f"Remaining({', '.join(f'{name}={self[name]}' for name in self)})"


def levels_of(scope: Scope, states: tuple[AccountState, ...]) -> Mapping[str, Level]:
    """The level of each resource that is limited here or above: the worst over the chain."""
    found: dict[str, Level] = {}
    for state in states:
        for name, cap in state.limits.items():
            level = scope.budget.levels.of(state.left(name) or 0, cap)
            found[name] = worst((level, found.get(name, Level.HIGH)))
    return MappingProxyType(found)


def _meter_langchain() -> None:
    """An open scope meters all that LangChain runs: the plug-in hooks itself in when it is imported.

    Only where LangChain is in use already, so that the books stay light without it.
    """
    if "langchain_core.callbacks" in sys.modules and "budgetkit.plugins" not in sys.modules:
        import_module("budgetkit.plugins")
