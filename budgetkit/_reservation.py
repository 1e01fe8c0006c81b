"""`Reservation`: the worst case of one call, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

from ._spend import Spend

if TYPE_CHECKING:
    from ._account import Account

__all__ = ["MICRO", "Reservation"]

MICRO: Final = 10**6
"""Microseconds in a second: what ledgers count time in."""

_NOTHING: Final = Spend()


@final
@dataclass(slots=True, eq=False, weakref_slot=True)
class Reservation:
    """The worst case of one call, set aside before it starts and settled at what it really cost.

    Made by a ledger; read it, do not write it.

    Attributes:
        id: names the call within its account; reserving an open id again finds it.
        account: the account that pays.
        label: what the money is for, such as ``"model:gpt-4o"``.
        asked: what was set aside.
        attempt: 1 for the first use of the id, more when a settled id was reserved again.
        time_left: seconds until the nearest ``seconds`` limit above the call, None without one.
        spend: what it cost, once settled; None while the call is in flight.
        overshoot: by how much it broke limits, once settled.
        expires: when it counts as spent if nobody settles it, in seconds on the ledger's clock.
        lapsed: whether that happened; a late settlement still replaces the estimate.
        released: whether it was taken back; should it be settled after all, it is recorded.
        paused: whether it waits for a person: reserved, with its clock standing still.
        presence: whether it is no call but a scope that is open (`Ledger.start`): nothing but the clock runs.
    """

    id: str
    account: Account
    label: str
    asked: Spend
    attempt: int = 1
    time_left: float | None = None
    spend: Spend | None = None
    overshoot: Spend = _NOTHING
    expires: float = 0.0
    lapsed: bool = False
    released: bool = False
    paused: bool = False
    presence: bool = False
