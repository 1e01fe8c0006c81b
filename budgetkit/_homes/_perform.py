"""A request performed on books in memory: what the homes without a language of their own do, and what a replay does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._reservation import MICRO, Reservation
from .._spend import Spend
from .._window import Window
from ._wire import Document, call_doc, spend_from

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .._account import Account
    from .._books import Books

__all__ = ["perform"]

_NOTHING: Final = Spend()


def perform(books: Books, request: Document) -> Document:
    """Do what a request asks; returns the reply, or raises as the ledger does."""
    return _ACTS[request["op"]](books, tuple(request["path"]), request)


def _open(books: Books, account: Account, request: Document) -> Document:
    window = None if request["window"] is None else Window.parse(request["window"])
    keep = Spend.from_units(_numbers(request["keep"]))
    books.open(account, _numbers(request["limits"]), keep=keep, prepaid=request["prepaid"], window=window)
    return {}


def _close(books: Books, account: Account, _: Document) -> Document:
    books.close(account)
    return {}


def _start(books: Books, account: Account, request: Document) -> Document:
    found = _presence(books, account, request["id"])
    return {"call": call_doc(found or books.start(account, lease=request["lease"] / MICRO, id=request["id"]))}


def _stop(books: Books, account: Account, request: Document) -> Document:
    found = _presence(books, account, request["id"])
    if found is not None:
        books.stop(found)
    return {}


def _freeze(books: Books, account: Account, _: Document) -> Document:
    books.freeze(account)
    return {}


def _unfreeze(books: Books, account: Account, _: Document) -> Document:
    books.unfreeze(account)
    return {}


def _top_up(books: Books, account: Account, request: Document) -> Document:
    books.top_up(account, Spend.from_units(_numbers(request["amounts"])), id=request["id"])
    return {}


def _set_limits(books: Books, account: Account, request: Document) -> Document:
    books.set_limits(account, {name: None if n is None else int(n) for name, n in request["limits"].items()})
    return {}


def _reserve(books: Books, account: Account, request: Document) -> Document:
    name = request["id"]
    node = books.nodes.get(account)
    before = node.calls.get(name) if node else None
    keep = None if request["keep"] is None else Spend.from_units(_numbers(request["keep"]))
    call = books.reserve(
        account,
        spend_from(request["asked"]),
        id=name,
        label=request["label"],
        keep=keep,
        final=request["final"],
        again=request["again"],
        lease=request["lease"] / MICRO,
    )
    left = None if call.time_left is None else round(call.time_left * MICRO)
    return {"call": call_doc(call), "time_left": left, "fresh": call is not before}


def _renew(books: Books, account: Account, request: Document) -> Document:
    call = _presence(books, account, request["id"]) if request["presence"] else _handed(account, request)
    if call is None:
        return {}
    books.renew(call, lease=request["lease"] / MICRO)
    node = books.nodes[account]
    known = call if call.presence else node.calls.get(call.id, call)
    return {"expires": round(known.expires * MICRO)}


def _settle(books: Books, account: Account, request: Document) -> Document:
    spend = None if request["spend"] is None else spend_from(request["spend"])
    return {"call": call_doc(books.settle(_handed(account, request), spend))}


def _release(books: Books, account: Account, request: Document) -> Document:
    books.release(_handed(account, request))
    return _found(books, account, request)


def _pause(books: Books, account: Account, request: Document) -> Document:
    books.pause(_handed(account, request), lease=request["lease"] / MICRO)
    return _found(books, account, request)


def _charge(books: Books, account: Account, request: Document) -> Document:
    call = books.charge(account, spend_from(request["spend"]), id=request["id"], label=request["label"])
    return {"call": call_doc(call)}


_ACTS: Final[Mapping[str, Callable[[Books, Account, Document], Document]]] = {
    "open": _open,
    "close": _close,
    "start": _start,
    "stop": _stop,
    "freeze": _freeze,
    "unfreeze": _unfreeze,
    "top_up": _top_up,
    "set_limits": _set_limits,
    "reserve": _reserve,
    "renew": _renew,
    "settle": _settle,
    "release": _release,
    "pause": _pause,
    "charge": _charge,
}


def _numbers(units: dict[str, Any]) -> dict[str, int]:
    return {name: int(n) for name, n in units.items()}


def _presence(books: Books, account: Account, name: str) -> Reservation | None:
    return next((c for c in books.open_calls if c.presence and c.id == name and c.account == account), None)


def _handed(account: Account, request: Document) -> Reservation:
    """The call as the caller knows it; the books find their own record of it by its name."""
    return Reservation(request["id"], account, request.get("label", ""), _NOTHING, request["attempt"])


def _found(books: Books, account: Account, request: Document) -> Document:
    calls = books.nodes[account].calls
    call = calls.get(request["id"])
    if call is not None and call.attempt != request["attempt"]:
        call = calls.get((request["id"], request["attempt"]))
    return {} if call is None else {"call": call_doc(call)}
