"""Async twins for a ledger whose operations never wait."""

from __future__ import annotations

from collections.abc import Mapping

from ._ledger import Account, AccountState, Ledger, Reservation
from ._spend import Spend

__all__ = ["SyncAsAsync"]


class SyncAsAsync(Ledger):
    """The async half of the protocol, for a ledger in memory: nothing to wait for, so nothing is awaited."""

    async def aopen(
        self, account: Account, limits: Mapping[str, int], *, keep: Spend = Spend(), prepaid: bool = False  # noqa: B008 - immutable
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

    async def areserve(self, account: Account, asked: Spend, **options: object) -> Reservation:  # type: ignore[override]  # the options are the protocol's, handed through
        """See `Ledger.reserve`."""
        return self.reserve(account, asked, **options)  # type: ignore[arg-type]  # the same

    async def asettle(self, reservation: Reservation, spend: Spend | None = None) -> Reservation:
        """See `Ledger.settle`."""
        return self.settle(reservation, spend)

    async def arelease(self, reservation: Reservation) -> None:
        """See `Ledger.release`."""
        self.release(reservation)

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
