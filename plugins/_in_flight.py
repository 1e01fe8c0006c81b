"""The model call that is under way: where a callback leaves what the call used, and the wrapper finds it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, final

from budgetkit import PriceBook, TokenCounter, default_counter

if TYPE_CHECKING:
    from uuid import UUID

    from budgetkit import Account, Reservation, Scope, Usage

__all__ = [
    "MODEL",
    "InFlight",
    "Money",
    "Place",
    "current_model_call",
    "current_money",
    "flying",
    "holding_place",
    "outer_call",
    "paying",
    "take_place",
]

MODEL: Final = "model"
"""The key of a model call; a tool call's key is its id."""


@dataclass(slots=True, eq=False)
class InFlight:
    """One reserved call of a model or a tool.

    The first model run inside a model call is the one that was reserved; anything further (a retry below the wrapper)
    is metered as a call of its own. Two budgets on one agent meet here as well: the inner one, whose account lies below
    the outer's, takes the call over, so that it counts once on both.

    Attributes:
        key: `MODEL`, or the id of a tool call.
        scope: who pays.
        reservation: what is set aside.
        run: the model run that was reserved, by the number of its id; None until it starts.
        cached: whether LangChain's cache answered.
        usage: what the provider said that the run used, if it did.
        error: what the run failed with, although the wrapper may see an answer (a retry inside it).
        handed_over: whether an inner budget's wrapper pays in its place.
    """

    key: str
    scope: Scope
    reservation: Reservation
    run: int | None = None
    cached: bool = False
    usage: Usage | None = None
    error: BaseException | None = None
    handed_over: bool = False

    @property
    def started(self) -> bool:
        """Whether the reserved model run was seen."""
        return self.run is not None

    def takes(self, run: UUID) -> bool:
        """Whether this is the reserved run: the first one that comes, however many meters see it."""
        if self.run is None:
            self.run = run.int
        return self.run == run.int


@dataclass(frozen=True, slots=True)
class Money:
    """How tokens are counted and priced here."""

    prices: PriceBook
    counter: TokenCounter

    @classmethod
    def of(cls, prices: PriceBook | None = None, counter: TokenCounter | None = None) -> Money:
        """What the user gave; else the packaged price table, and the best counter that works offline."""
        return cls(prices or _packaged_prices(), counter or _offline_counter())


@cache
def _packaged_prices() -> PriceBook:
    return PriceBook()


@cache
def _offline_counter() -> TokenCounter:
    return default_counter()


@final
class Place:
    """A model call that was set aside for a node whose calls no wrapper sees: the first one made inside takes it."""

    __slots__ = ("_free",)

    def __init__(self, reservation: Reservation) -> None:
        self._free = [reservation]

    def take(self, account: Account) -> Reservation | None:
        """The reservation, once, for a call that this account or one below it pays; None if there is none."""
        try:
            reservation = self._free.pop()  # atomic, so that two threads never both take it
        except IndexError:
            return None
        if account[: len(reservation.account)] == reservation.account:
            return reservation
        self._free.append(reservation)
        return None


_call: ContextVar[InFlight | None] = ContextVar("budgetkit_call", default=None)
_place: ContextVar[Place | None] = ContextVar("budgetkit_place", default=None)
_money: ContextVar[Money | None] = ContextVar("budgetkit_money", default=None)


def current_model_call() -> InFlight | None:
    """The reserved model call that this context is part of, or None."""
    call = _call.get()
    return call if call is not None and call.key == MODEL else None


def current_money() -> Money | None:
    """The prices and the counter that the nearest plug-in was given, or None."""
    return _money.get()


def outer_call(key: str) -> InFlight | None:
    """The same call as an outer budget's wrapper reserved it, if there is one that is not handed over yet."""
    call = _call.get()
    return call if call is not None and call.key == key and not (call.started or call.handed_over) else None


def take_place(account: Account) -> Reservation | None:
    """What was set aside for the first model call of the node that this context is in, if this account may take it."""
    place = _place.get()
    return place.take(account) if place is not None else None


@contextmanager
def holding_place(place: Place) -> Generator[None]:
    """Leave a place to the first model call inside."""
    token = _place.set(place)
    try:
        yield
    finally:
        _place.reset(token)


@contextmanager
def flying(call: InFlight) -> Generator[InFlight]:
    """Make this the call under way."""
    token = _call.set(call)
    try:
        yield call
    finally:
        _call.reset(token)


@contextmanager
def paying(money: Money) -> Generator[None]:
    """Price what is metered in this context with these books."""
    token = _money.set(money)
    try:
        yield
    finally:
        _money.reset(token)
