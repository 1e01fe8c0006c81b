"""The ledger in memory: one process, any number of threads and tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from ._books import Books
from ._books_accounts import steady_clock
from ._sync_as_async import SyncAsAsync

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MemoryLedger"]


@final
class MemoryLedger(Books, SyncAsAsync):
    """The books of one process.

    One lock guards the whole tree and is never held while anything is awaited, so a reservation holds on every
    ancestor or on none. The accounts and their calls stay until the ledger goes: nothing in a graph can give money
    back by forgetting.

    Args:
        clock: seconds since 1970 that never go back; `budgetkit.testing.ManualClock` in tests. None: this machine's.
    """

    def __init__(self, *, clock: Callable[[], float] | None = None) -> None:
        """See the class."""
        super().__init__(clock=clock or steady_clock())
