"""What a home replies: errors to raise, calls and accounts to hand out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._errors import BudgetExceeded, LedgerError
from .._reservation import MICRO, Reservation
from .._spend import Spend
from .._window import Window
from ._wire import Document, call_from, nodes_from, update

if TYPE_CHECKING:
    from .._account import Account, AccountState

__all__ = ["boundaries", "calls_of", "charged", "checked", "children_of", "renewed", "reserved", "settled", "states_of"]


def checked(reply: Document) -> Document:
    """The reply, unless it is a refusal: that is raised."""
    if "refused" in reply:
        raise _refusal(reply["refused"])
    if "missing" in reply:
        raise LedgerError(f"account {'/'.join(reply['missing'])!r} is not open: open it before it spends")
    if "fault" in reply:
        raise LedgerError(reply["fault"])
    return reply


def _refusal(doc: Document) -> BudgetExceeded:
    amounts = {name: int(doc[name]) for name in ("limit", "spent", "reserved", "asked")}
    return BudgetExceeded(resource=doc["resource"], account=tuple(doc["path"]), frozen=doc["frozen"], **amounts)


def boundaries(reply: Document) -> list[Any]:
    """Start and end of the windows that a home must begin: it has the clock, we have the calendar."""
    return [[path, *Window.parse(window).bounds(reply["now"])] for path, window in reply["roll"]]


def reserved(reply: Document) -> Reservation:
    """The call that was set aside."""
    call = call_from(reply["call"])
    left = reply.get("time_left")
    call.time_left = None if left is None else left / MICRO
    return call


def charged(account: Account, name: str, label: str, reply: Document) -> Reservation:
    """The charge as the books have it; as it was asked for where the reply is still to come."""
    return reserved(reply) if reply else Reservation(name, account, label, Spend())


def settled(call: Reservation, reply: Document) -> Reservation:
    """The call that was handed in, as the books have it now."""
    if "call" in reply:
        update(call, reply["call"])
    return call


def renewed(call: Reservation, reply: Document) -> None:
    """When the call expires now."""
    if "expires" in reply:
        call.expires = reply["expires"] / MICRO


def states_of(reply: Document) -> tuple[AccountState, ...]:
    """Snapshots from the root down, as the last account sees them."""
    nodes = nodes_from(reply["accounts"])
    return next(reversed(nodes.values())).states(reply["now"])


def calls_of(reply: Document) -> tuple[Reservation, ...]:
    """Settled calls, in order."""
    return tuple(call_from(doc) for doc in reply["calls"])


def children_of(account: Account, reply: Document) -> tuple[Account, ...]:
    """Paths of the accounts right below."""
    return tuple(sorted((*account, name) for name in reply["children"]))
