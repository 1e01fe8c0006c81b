"""What is asked of a home: one JSON document per operation, also what its journal keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._ledger import check_known, check_lease, check_path
from .._reservation import MICRO
from .._resource import check_units
from .._window import check_window
from ._wire import Document, spend_doc, words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._account import Account
    from .._reservation import Reservation
    from .._spend import Spend
    from .._window import Window

__all__ = [
    "call_request",
    "charge_request",
    "limits_request",
    "open_request",
    "reserve_request",
    "simple_request",
    "start_request",
    "top_up_request",
]  # fmt: skip


def simple_request(op: str, account: Account) -> Document:
    """An operation that says it all."""
    return {"op": op, "path": list(account)}


def open_request(
    account: Account, limits: Mapping[str, int], keep: Spend, window: Window | None, *, prepaid: bool
) -> Document:
    """See `Ledger.open`."""
    check_path(account)
    check_units(limits)
    check_window(window, limits, prepaid=prepaid)
    terms = {"limits": words(limits), "keep": words(keep.as_units()), "prepaid": prepaid}
    return {**simple_request("open", account), **terms, "window": None if window is None else str(window)}


def start_request(account: Account, name: str, lease: float) -> Document:
    """See `Ledger.start`."""
    return {**simple_request("start", account), "id": name, "lease": _micro(lease)}


def top_up_request(account: Account, amounts: Spend, name: str) -> Document:
    """See `Ledger.top_up`."""
    check_known(amounts)
    return {**simple_request("top_up", account), "id": name, "amounts": words(amounts.as_units())}


def limits_request(account: Account, limits: Mapping[str, int | None]) -> Document:
    """See `Ledger.set_limits`."""
    check_units({name: n for name, n in limits.items() if n is not None})
    wanted = {name: None if n is None else str(n) for name, n in limits.items()}
    return {**simple_request("set_limits", account), "limits": wanted}


def reserve_request(
    account: Account,
    asked: Spend,
    name: str,
    *,
    label: str,
    keep: Spend | None,
    final: bool,
    again: bool,
    lease: float,
) -> Document:
    """See `Ledger.reserve`."""
    return {
        **simple_request("reserve", account),
        "id": name,
        "label": label,
        "asked": spend_doc(asked),
        "keep": None if keep is None else words(keep.as_units()),
        "final": final,
        "again": again,
        "lease": _micro(lease),
    }


def call_request(op: str, call: Reservation, *, lease: float | None = None, spend: Spend | None = None) -> Document:
    """An operation on a call that was reserved: settle, release, pause, renew, stop."""
    request = {**simple_request(op, call.account), "id": call.id, "attempt": call.attempt, "label": call.label}
    if lease is not None:
        request["lease"] = _micro(lease)
    if op == "renew":
        request["presence"] = call.presence
    if op == "settle":
        request["spend"] = None if spend is None else spend_doc(spend)
    return request


def charge_request(account: Account, spend: Spend, name: str, label: str) -> Document:
    """See `Ledger.charge`."""
    return {**simple_request("charge", account), "id": name, "label": label, "spend": spend_doc(spend)}


def _micro(lease: float) -> int:
    check_lease(lease)
    return round(lease * MICRO)
