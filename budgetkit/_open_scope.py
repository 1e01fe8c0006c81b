"""Which account a new scope gets: on whose books, below whom, by what name."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from ._memory_ledger import MemoryLedger
from ._scope import Scope, current_scope

if TYPE_CHECKING:
    from ._budget import Budget
    from ._ledger import Ledger

__all__ = ["open_scope"]


def open_scope(
    budget: Budget,
    name: str,
    *,
    id: str | None,  # noqa: A002 - the field's own word, keyword-only
    ledger: Ledger | None,
    parent: Scope | None,
    prepaid: bool,
) -> Scope:
    """See `Budget.open`."""
    parent = parent or current_scope()
    if parent is None:
        alone = ledger is None and id is None  # the one account of new books: its name is enough
        return Scope(budget, ledger or MemoryLedger(), (name if alone else _leaf(name, id),))
    if ledger is not None and ledger is not parent.ledger:
        raise ValueError(
            f"ledger={ledger!r} cannot hold the limits of scope {parent.name!r}, which is open on another ledger: "
            "leave `ledger` out, or open this scope outside of that one"
        )
    return Scope(budget, parent.ledger, (*parent.account, _leaf(name, id)), parent=parent, prepaid=prepaid)


def _leaf(name: str, id: str | None) -> str:  # noqa: A002 - the field's own word
    return id if id is not None else f"{name}-{uuid4().hex[:8]}"
