"""The ledger of every home beyond this process: operations become requests, and replies become what users get."""

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
from ._shared_async import AsyncHalf
from ._shared_core import PRESENT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from .._account import Account, AccountState
    from .._reservation import Reservation
    from .._window import Window
    from ._wire import Document

__all__ = ["SharedLedger"]

_NOTHING: Final = Spend()


class SharedLedger(AsyncHalf):
    """The books in a store that outlives the process. A home says how a request gets there and its reply back.

    Args:
        clock: seconds since 1970, for tests; None: the store's own clock, and leases are renewed.
    """

    @abstractmethod
    def disconnect(self) -> None:
        """Close the connections; the next operation opens them anew."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._let_all_go()
        self.disconnect()

    # -- accounts ---------------------------------------------------------------------------------------------------

    def open(
        self,
        account: Account,
        limits: Mapping[str, int],
        *,
        keep: Spend = _NOTHING,
        prepaid: bool = False,
        window: Window | None = None,
    ) -> None:
        """See `Ledger.open`."""
        self._ask(open_request(account, limits, keep, window, prepaid=prepaid))

    def close(self, account: Account) -> None:
        """See `Ledger.close`."""
        self._ask(simple_request("close", account))

    def start(self, account: Account, *, lease: float | None = None) -> Reservation:
        """See `Ledger.start`."""
        request = start_request(account, self._name(), lease or PRESENT)
        presence = reserved(self._ask(request))
        return presence if lease else self._keep(presence, PRESENT)

    def stop(self, presence: Reservation) -> None:
        """See `Ledger.stop`."""
        self._let_go(presence)
        self._ask(call_request("stop", presence))

    def freeze(self, account: Account) -> None:
        """See `Ledger.freeze`."""
        self._ask(simple_request("freeze", account))

    def unfreeze(self, account: Account) -> None:
        """See `Ledger.unfreeze`."""
        self._ask(simple_request("unfreeze", account))

    def top_up(self, account: Account, amounts: Spend, *, id: str) -> None:  # noqa: A002 - as in the protocol
        """See `Ledger.top_up`."""
        self._ask(top_up_request(account, amounts, id))

    def set_limits(self, account: Account, limits: Mapping[str, int | None]) -> None:
        """See `Ledger.set_limits`."""
        self._ask(limits_request(account, limits))

    # -- calls ------------------------------------------------------------------------------------------------------

    def reserve(
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
        return self._keep(reserved(self._ask(request)), lease)

    def renew(self, reservation: Reservation, *, lease: float = LEASE) -> None:
        """See `Ledger.renew`."""
        renewed(reservation, self._ask(call_request("renew", reservation, lease=lease)))

    def settle(self, reservation: Reservation, spend: Spend | None = None) -> Reservation:
        """See `Ledger.settle`."""
        self._let_go(reservation)
        return settled(reservation, self._ask(call_request("settle", reservation, spend=spend)))

    def release(self, reservation: Reservation) -> None:
        """See `Ledger.release`."""
        self._let_go(reservation)
        settled(reservation, self._ask(call_request("release", reservation)))

    def pause(self, reservation: Reservation, *, lease: float = WEEK) -> None:
        """See `Ledger.pause`."""
        self._let_go(reservation)
        settled(reservation, self._ask(call_request("pause", reservation, lease=lease)))

    def charge(
        self,
        account: Account,
        spend: Spend,
        *,
        id: str | None = None,  # noqa: A002 - as in the protocol
        label: str = "",
    ) -> Reservation:
        """See `Ledger.charge`."""
        name = id or self._name()
        return charged(account, name, label, self._ask(charge_request(account, spend, name, label)))

    # -- reading ----------------------------------------------------------------------------------------------------

    def states(self, account: Account) -> tuple[AccountState, ...]:
        """See `Ledger.states`."""
        return states_of(self._ask(simple_request("states", account)))

    def charges(self, account: Account) -> tuple[Reservation, ...]:
        """See `Ledger.charges`."""
        return calls_of(self._ask(simple_request("charges", account)))

    def children(self, account: Account = ()) -> tuple[Account, ...]:
        """See `Ledger.children`."""
        return children_of(account, self._ask(simple_request("children", account)))

    def dump(self, root: str) -> Document:
        """Everything of one tree at one moment: its accounts, its calls, its journal, as documents."""
        return self._ask(simple_request("dump", (root,)))
