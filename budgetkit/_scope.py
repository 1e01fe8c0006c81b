"""`Scope`: the account that the code inside a ``with`` block spends from.

A tree over one ContextVar, like cancel scopes: it follows tasks, threads that copy their context, subgraphs and
sub-agents by itself.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from contextvars import ContextVar, Token
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self, final
from uuid import uuid4

from ._errors import LedgerError
from ._labels import by_label
from ._level import worst
from ._remaining import Remaining, levels_of
from ._resource import limits_from
from ._spend import Spend
from ._verdict import broken

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from types import TracebackType

    from ._account import Account, AccountState
    from ._budget import Budget
    from ._ledger import Ledger
    from ._level import Level
    from ._reservation import Reservation
    from ._resource import Amount

__all__ = ["Scope", "current_scope"]

_current: ContextVar[Scope | None] = ContextVar("budgetkit_scope", default=None)


def current_scope() -> Scope | None:
    """The innermost open scope of this context, or None."""
    return _current.get()


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
        self._presence: Reservation | None = None
        self._used = False

    # -- entering and leaving ---------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._check_fresh()
        try:
            self.join()
            self._presence = self.ledger.start(self.account)
        except BaseException:
            self._give_back()
            raise
        self._token, self._used = _current.set(self), True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        token, presence = self._check_entered()
        try:
            self._leave(token)
        finally:
            self.ledger.stop(presence)
            self.ledger.close(self.account)

    async def __aenter__(self) -> Self:
        from asyncio import shield  # noqa: PLC0415 - a quarter of the import time of the books; here it is loaded

        self._check_fresh()
        try:
            await self.ajoin()
            self._presence = await self.ledger.astart(self.account)
        except BaseException:
            await shield(self._agive_back())
            raise
        self._token, self._used = _current.set(self), True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from asyncio import shield  # noqa: PLC0415 - as above

        token, presence = self._check_entered()
        try:
            self._leave(token)
        finally:
            await shield(self._aend(presence))

    async def _aend(self, presence: Reservation) -> None:
        await self.ledger.astop(presence)
        await self.ledger.aclose(self.account)

    def _give_back(self) -> None:
        """A share that was taken for a scope that could not be entered; it may not have come so far."""
        if self._prepaid:
            with suppress(LedgerError):
                self.ledger.close(self.account)

    async def _agive_back(self) -> None:
        if self._prepaid:
            with suppress(LedgerError):
                await self.ledger.aclose(self.account)

    def join(self) -> None:
        """Open the account without entering it; for hosts that enter and leave many times (`entered`)."""
        _meter_langchain()
        self.ledger.open(self.account, self.budget.limits_in_units, **self._terms)

    async def ajoin(self) -> None:
        """Async twin of `join`."""
        _meter_langchain()
        await self.ledger.aopen(self.account, self.budget.limits_in_units, **self._terms)

    @contextmanager
    def entered(self) -> Generator[Self]:
        """Make this the current scope for a while; may be done again and again, also at the same time."""
        token = _current.set(self)
        try:
            yield self
        finally:
            _current.reset(token)

    @property
    def _terms(self) -> dict[str, Any]:
        return {
            "keep": self.budget.answer_reserve or Spend(),
            "prepaid": self._prepaid,
            "window": self.budget.window,
        }

    def _check_entered(self) -> tuple[Token[Scope | None], Reservation]:
        token, presence = self._token, self._presence
        self._token = self._presence = None
        if token is None or presence is None:
            raise RuntimeError(f"scope {self.name!r} is left without having been entered")
        return token, presence

    def _check_fresh(self) -> None:
        if self._used:
            raise RuntimeError(f"scope {self.name!r} was entered before: call budget.open() again for a new one")

    def _leave(self, token: Token[Scope | None]) -> None:
        inner = current_scope()
        if inner is not self:
            raise RuntimeError(
                f"scope {self.name!r} is left while {inner.name if inner else 'no scope'!r} is the innermost: "
                "leave scopes in the order opposite to entering"
            )
        try:
            _current.reset(token)
        except ValueError:
            raise RuntimeError(
                f"scope {self.name!r} is left in another context than it was entered in: enter and leave it in the "
                "same task and thread"
            ) from None

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

    def pause(self, reservation: Reservation) -> None:
        """Keep a call reserved that waits for a person; its clock stands still until its id is reserved again."""
        self.ledger.pause(reservation)

    async def apause(self, reservation: Reservation) -> None:
        """Async twin of `pause`."""
        await self.ledger.apause(reservation)

    def charge(self, spend: Spend, *, id: str | None = None, label: str = "") -> Reservation:  # noqa: A002 - as above
        """Record spend that happened, then judge.

        Raises:
            BudgetExceeded: it broke a limit; it is on the books all the same.
        """
        call = self.ledger.charge(self.account, spend, id=id, label=label)
        if call.overshoot:
            raise broken(self.states(), call)
        return call

    async def acharge(self, spend: Spend, *, id: str | None = None, label: str = "") -> Reservation:  # noqa: A002 - as above
        """Async twin of `charge`."""
        call = await self.ledger.acharge(self.account, spend, id=id, label=label)
        if call.overshoot:
            raise broken(await self.ledger.astates(self.account), call)
        return call

    def top_up(self, amounts: Mapping[str, object], *, id: str | None = None) -> None:  # noqa: A002 - as above
        """Raise this account's limits by ``amounts`` (``{"llm_calls": 5}``); the same id is applied once."""
        self.ledger.top_up(self.account, Spend.of(amounts), id=id or uuid4().hex)

    async def atop_up(self, amounts: Mapping[str, object], *, id: str | None = None) -> None:  # noqa: A002 - as above
        """Async twin of `top_up`."""
        await self.ledger.atop_up(self.account, Spend.of(amounts), id=id or uuid4().hex)

    def set_limits(self, limits: Mapping[str, object]) -> None:
        """Set limits of this account while it is in use (``{"usd": "2", "llm_calls": None}``); None takes one away.

        See `Ledger.set_limits`.
        """
        self.ledger.set_limits(self.account, limits_from(limits))

    async def aset_limits(self, limits: Mapping[str, object]) -> None:
        """Async twin of `set_limits`."""
        await self.ledger.aset_limits(self.account, limits_from(limits))

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
        """What can still be spent here: the least of this account and those above; None without a limit."""
        return Remaining(self.states())

    @property
    def level(self) -> Level:
        """How much is left, in one word: the worst of all limited resources, here and above."""
        return worst(self.levels.values())

    @property
    def levels(self) -> Mapping[str, Level]:
        """The level of each limited resource."""
        return levels_of(self.budget.levels, self.states())

    @property
    def charges(self) -> tuple[Reservation, ...]:
        """Every settled call on this account and below it, in order."""
        return self.ledger.charges(self.account)

    @property
    def by_label(self) -> Mapping[str, Spend]:
        """What was spent under each label (``"model:gpt-4o"``), on this account and below it."""
        return by_label(self.charges)

    def states(self) -> tuple[AccountState, ...]:
        """Snapshots of the accounts above, from the root down, and of this one last."""
        return self.ledger.states(self.account)

    async def astates(self) -> tuple[AccountState, ...]:
        """Async twin of `states`."""
        return await self.ledger.astates(self.account)

    def __repr__(self) -> str:
        return f"Scope({'/'.join(self.account)!r}, {self.budget!r})"


def _meter_langchain() -> None:
    """An open scope meters all that LangChain runs: the plug-in hooks itself in when it is imported.

    Only where LangChain is in use already, so that the books stay light without it.
    """
    if "langchain_core.callbacks" in sys.modules and "budgetkit.plugins" not in sys.modules:
        import_module("budgetkit.plugins")
