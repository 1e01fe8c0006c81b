"""What the properties have in common: a small tree, and comparisons that say in words what differs."""

from collections.abc import Callable, Mapping
from itertools import chain, repeat
from typing import Any, Final

from budgetkit import Account, BudgetExceeded, Ledger, Reservation, Spend

from ._clock import ManualClock
from ._ledger_home import LedgerHome

__all__ = [
    "BRANCH",
    "MIDNIGHT",
    "ONE",
    "RUN",
    "TENANT",
    "Balance",
    "balanced",
    "calls",
    "client",
    "clock",
    "cost",
    "fails",
    "refused",
    "same",
    "state",
    "tree",
]  # fmt: skip

TENANT, RUN, BRANCH = ("tenant",), ("tenant", "run"), ("tenant", "run", "branch")
ONE: Final = Spend(llm_calls=1)
MIDNIGHT: Final = 1_706_745_600.0
"""2024-02-01, 00:00 UTC, a Thursday."""

Balance = tuple[int, int, int | None]
"""Units spent, reserved and left."""


def calls(n: int) -> Spend:
    """So many model calls."""
    return Spend(llm_calls=n)


def clock(start: float = MIDNIGHT) -> ManualClock:
    """A clock that stands still."""
    return ManualClock(start)


def tree(home: LedgerHome, *limits: Mapping[str, int], at: ManualClock | None = None) -> Ledger:
    """Fresh books with a tenant, a run below it and a branch below that; no limits where none are given."""
    ledger = home.ledger(at)
    for account, its in zip((TENANT, RUN, BRANCH), chain(limits, repeat({})), strict=False):
        ledger.open(account, its)
    return ledger


def client(found: Ledger | None, home: LedgerHome) -> Ledger:
    """What `again` or `restart` has returned, which must be a ledger where the home says that there is one."""
    if found is None:
        raise AssertionError(f"{home} is said to be shared and durable, and makes no further client")
    return found


def state(ledger: Ledger, account: Account = TENANT, name: str = "llm_calls") -> Balance:
    """What an account has spent, reserved and left of one resource."""
    own = ledger.states(account)[-1]
    return own.spent.in_units(name), own.reserved.in_units(name), own.left(name)


def balanced(
    ledger: Ledger, expected: Balance, when: str, *, account: Account = TENANT, name: str = "llm_calls"
) -> None:
    """The account has spent, reserved and left just this."""
    same(f"{when}: {name} (spent, reserved, left) of {account}", state(ledger, account, name), expected)


def same(what: str, found: Any, expected: Any) -> None:
    """Both are equal."""
    if found != expected:
        raise AssertionError(f"{what}: expected {_shown(expected)}, found {_shown(found)}")


def cost(call: Reservation) -> Spend:
    """What a settled call cost; that it has none is an error of its own."""
    if call.spend is None:
        raise AssertionError(f"the call {_shown(call.id)} is settled, and what came back has spend=None")
    return call.spend


def refused(
    act: Callable[[], object], by: Account, when: str, *, resource: str = "llm_calls", **amounts: int
) -> BudgetExceeded:
    """The budget of this account refuses; the amounts that are named are in the error."""
    try:
        act()
    except BudgetExceeded as refusal:
        same(f"{when}: refused by", (refusal.account, refusal.resource), (by, resource))
        same(f"{when}: the error says", {name: getattr(refusal, name) for name in amounts}, amounts)
        return refusal
    raise AssertionError(f"{when}: was admitted, and the budget of {by} has no room for it")


def fails(act: Callable[[], object], kind: type[Exception], when: str) -> str:
    """It raises an error of this kind; returns the message."""
    try:
        act()
    except kind as error:
        return str(error)
    raise AssertionError(f"{when}: should raise {kind.__name__}, and did not")


def _shown(value: Any, most: int = 300) -> str:
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"
