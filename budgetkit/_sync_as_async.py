"""Async twins for a ledger whose operations never wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._ledger import LEASE, WEEK, Ledger
from ._spend import Spend

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._account import Account, AccountState
    from ._reservation import Reservation
    from ._window import Window

__all__ = ["SyncAsAsync"]

_NOTHING = Spend()


class SyncAsAsync(Ledger):
    """The async half of the protocol, for a ledger in memory: nothing to wait for, so nothing is awaited."""

    async def aopen(
        self,
        account: Account,
        limits: Mapping[str, int],
        *,
        keep: Spend = _NOTHING,
        prepaid: bool = False,
        window: Window | None = None,
    ) -> None:
        """See `Ledger.open`."""
        self.open(account, limits, keep=keep, prepaid=prepaid, window=window)

    async def aclose(self, account: Account) -> None:
        """See `Ledger.close`."""
        self.close(account)

    async def astart(self, account: Account, *, lease: float | None = None) -> Reservation:
        """See `Ledger.start`."""
        return self.start(account, lease=lease)

    async def astop(self, presence: Reservation) -> None:
        """See `Ledger.stop`."""
        self.stop(presence)

    async def afreeze(self, account: Account) -> None:
        """See `Ledger.freeze`."""
        self.freeze(account)

    async def aunfreeze(self, account: Account) -> None:
        """See `Ledger.unfreeze`."""
        self.unfreeze(account)

    async def aset_limits(self, account: Account, limits: Mapping[str, int | None]) -> None:
        """See `Ledger.set_limits`."""
        self.set_limits(account, limits)

    async def arenew(self, reservation: Reservation, *, lease: float = LEASE) -> None:
        """See `Ledger.renew`."""
        self.renew(reservation, lease=lease)

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

    async def achildren(self, account: Account = ()) -> tuple[Account, ...]:
        """See `Ledger.children`."""
        return self.children(account)
