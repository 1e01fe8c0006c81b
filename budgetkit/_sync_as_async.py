"""Async twins for a ledger whose operations never wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._ledger import WEEK, Account, AccountState, Ledger, Reservation
from ._spend import Spend

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SyncAsAsync"]

_NOTHING = Spend()


class SyncAsAsync(Ledger):
    """The async half of the protocol, for a ledger in memory: nothing to wait for, so nothing is awaited."""

    async def aopen(
        self, account: Account, limits: Mapping[str, int], *, keep: Spend = _NOTHING, prepaid: bool = False
    ) -> None:
        """See `Ledger.open`."""
        self.open(account, limits, keep=keep, prepaid=prepaid)

    async def aclose(self, account: Account) -> None:
        """See `Ledger.close`."""
        self.close(account)

    async def astart(self, account: Account) -> None:
        """See `Ledger.start`."""
        self.start(account)

    async def astop(self, account: Account) -> None:
        """See `Ledger.stop`."""
        self.stop(account)

    async def areserve(self, account: Account, asked: Spend, **options: Any) -> Reservation:
        """See `Ledger.reserve`."""
        return self.reserve(account, asked, **options)

    async def asettle(self, reservation: Reservation, spend: Spend | None = None) -> Reservation:
        """See `Ledger.settle`."""
        return self.settle(reservation, spend)

    async def arelease(self, reservation: Reservation) -> None:
        """See `Ledger.release`."""
        self.release(reservation)

    async def apause(self, reservation: Reservation, *, lease: float = WEEK) -> None:
        """See `Ledger.pause`."""
        self.pause(reservation, lease=lease)

    async def acharge(self, account: Account, spend: Spend, *, id: str | None = None, label: str = "") -> Reservation:  # noqa: A002 - as in the protocol
        """See `Ledger.charge`."""
        return self.charge(account, spend, id=id, label=label)

    async def atop_up(self, account: Account, amounts: Spend, *, id: str) -> None:  # noqa: A002 - as in the protocol
        """See `Ledger.top_up`."""
        self.top_up(account, amounts, id=id)

    async def astates(self, account: Account) -> tuple[AccountState, ...]:
        """See `Ledger.states`."""
        return self.states(account)

    async def acharges(self, account: Account) -> tuple[Reservation, ...]:
        """See `Ledger.charges`."""
        return self.charges(account)
