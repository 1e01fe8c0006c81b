"""The async half of a shared ledger: what `SharedLedger` does, awaited."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Final, Self

from .._ledger import LEASE, WEEK
from .._spend import Spend
from ._replies import calls_of, charged, children_of, renewed, reserved, settled, states_of
from ._requests import (
    call_request,
    charge_request,
    limits_request,
    open_request,
    reserve_request,
    simple_request,
    start_request,
    top_up_request,
)
from ._shared_core import PRESENT, SharedCore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from .._account import Account, AccountState
    from .._reservation import Reservation
    from .._window import Window
    from ._wire import Document

__all__ = ["AsyncHalf"]

_NOTHING: Final = Spend()


class AsyncHalf(SharedCore):
    """See `SharedLedger`."""

    @abstractmethod
    async def adisconnect(self) -> None:
        """Close the connections of this event loop; the next operation opens them anew."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._let_all_go()
        await self.adisconnect()

    # -- accounts ---------------------------------------------------------------------------------------------------

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
        await self._aask(open_request(account, limits, keep, window, prepaid=prepaid))

    async def aclose(self, account: Account) -> None:
        """See `Ledger.close`."""
        await self._aask(simple_request("close", account))

    async def astart(self, account: Account, *, lease: float | None = None) -> Reservation:
        """See `Ledger.start`."""
        request = start_request(account, self._name(), lease or PRESENT)
        presence = reserved(await self._aask(request))
        return presence if lease else self._keep(presence, PRESENT)

    async def astop(self, presence: Reservation) -> None:
        """See `Ledger.stop`."""
        self._let_go(presence)
        await self._aask(call_request("stop", presence))

    async def afreeze(self, account: Account) -> None:
        """See `Ledger.freeze`."""
        await self._aask(simple_request("freeze", account))

    async def aunfreeze(self, account: Account) -> None:
        """See `Ledger.unfreeze`."""
        await self._aask(simple_request("unfreeze", account))

    async def atop_up(self, account: Account, amounts: Spend, *, id: str) -> None:  # noqa: A002 - as in the protocol
        """See `Ledger.top_up`."""
        await self._aask(top_up_request(account, amounts, id))

    async def aset_limits(self, account: Account, limits: Mapping[str, int | None]) -> None:
        """See `Ledger.set_limits`."""
        await self._aask(limits_request(account, limits))

    # -- calls ------------------------------------------------------------------------------------------------------

    async def areserve(
        self,
        account: Account,
        asked: Spend,
        *,
        id: str | None = None,  # noqa: A002 - as in the protocol
        label: str = "",
        keep: Spend | None = None,
        final: bool = False,
        again: bool = False,
        lease: float = LEASE,
    ) -> Reservation:
        """See `Ledger.reserve`."""
        name = self._name() if id is None else id
        request = reserve_request(account, asked, name, label=label, keep=keep, final=final, again=again, lease=lease)
        return self._keep(reserved(await self._aask(request)), lease)

    async def arenew(self, reservation: Reservation, *, lease: float = LEASE) -> None:
        """See `Ledger.renew`."""
        renewed(reservation, await self._aask(call_request("renew", reservation, lease=lease)))

    async def asettle(self, reservation: Reservation, spend: Spend | None = None) -> Reservation:
        """See `Ledger.settle`."""
        self._let_go(reservation)
        return settled(reservation, await self._aask(call_request("settle", reservation, spend=spend)))

    async def arelease(self, reservation: Reservation) -> None:
        """See `Ledger.release`."""
        self._let_go(reservation)
        settled(reservation, await self._aask(call_request("release", reservation)))

    async def apause(self, reservation: Reservation, *, lease: float = WEEK) -> None:
        """See `Ledger.pause`."""
        self._let_go(reservation)
        settled(reservation, await self._aask(call_request("pause", reservation, lease=lease)))

    async def acharge(
        self,
        account: Account,
        spend: Spend,
        *,
        id: str | None = None,  # noqa: A002 - as in the protocol
        label: str = "",
    ) -> Reservation:
        """See `Ledger.charge`."""
        name = id or self._name()
        return charged(account, name, label, await self._aask(charge_request(account, spend, name, label)))

    # -- reading ----------------------------------------------------------------------------------------------------

    async def astates(self, account: Account) -> tuple[AccountState, ...]:
        """See `Ledger.states`."""
        return states_of(await self._aask(simple_request("states", account)))

    async def acharges(self, account: Account) -> tuple[Reservation, ...]:
        """See `Ledger.charges`."""
        return calls_of(await self._aask(simple_request("charges", account)))

    async def achildren(self, account: Account = ()) -> tuple[Account, ...]:
        """See `Ledger.children`."""
        return children_of(account, await self._aask(simple_request("children", account)))

    async def adump(self, root: str) -> Document:
        """Everything of one tree at one moment: its accounts, its calls, its journal, as documents."""
        return await self._aask(simple_request("dump", (root,)))
