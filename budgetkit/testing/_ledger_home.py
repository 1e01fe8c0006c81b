"""How the conformance suite gets at ledgers of one kind."""

import asyncio
import functools
from collections.abc import Callable
from typing import Any, cast

from budgetkit import Ledger, MemoryLedger

from ._clock import ManualClock

__all__ = ["AsyncTwins", "LedgerHome", "MemoryHome", "through_twins"]


class LedgerHome:
    """Where ledgers of one kind come from. Derive from it, and say how one is made.

    A ledger that is made with a clock must take the time from there and nowhere else: nothing is renewed behind the
    suite's back, so that a lease ends when the clock says so.

    Attributes:
        shared: whether several clients can have the same books; then `again` makes one.
        store_clock: whether time is the store's, and not that of the process that asks.
        durable: whether the books outlive their clients; then `restart` makes a new one.
        journal: whether `budgetkit.verify` can rebuild its books from its journal.
        crowds: whether threads, and event loops of their own, may use one ledger at the same time.
    """

    shared: bool = False
    store_clock: bool = False
    durable: bool = False
    journal: bool = False
    crowds: bool = True

    def ledger(self, clock: ManualClock | None = None) -> Ledger:
        """A ledger on fresh books, whatever was made before; None: on the home's own clock."""
        raise NotImplementedError(f"{type(self).__name__}.ledger(clock) says how a ledger on fresh books is made")

    def again(self) -> Ledger | None:
        """A second client onto the books of the last `ledger`, as another process has one, on the same clock."""
        return None

    def restart(self) -> Ledger | None:
        """End every client of the last `ledger`, or its store as well, and return a new client onto its books."""
        return None

    def close(self) -> None:
        """Put away what was made; `ledger` may be called again."""

    async def aclose(self) -> None:
        """Put away what the async twins have open in the loop that runs now; comes before `close`."""

    def __str__(self) -> str:
        return type(self).__name__


class MemoryHome(LedgerHome):
    """`MemoryLedger`."""

    def ledger(self, clock: ManualClock | None = None) -> Ledger:
        """See `LedgerHome`."""
        return MemoryLedger(clock=clock)

    def __str__(self) -> str:
        return "memory"


class AsyncTwins(LedgerHome):
    """The same home, with every operation done by its async twin: `prop.check(AsyncTwins(home))`.

    Args:
        home: any other home.
    """

    def __init__(self, home: LedgerHome) -> None:
        self._home = home
        self._runner: asyncio.Runner | None = None
        self.shared, self.store_clock, self.durable = home.shared, home.store_clock, home.durable
        self.crowds = False  # all is done in one event loop

    def ledger(self, clock: ManualClock | None = None) -> Ledger:
        """See `LedgerHome`."""
        return self._twin(self._home.ledger(clock))

    def again(self) -> Ledger | None:
        """See `LedgerHome`."""
        return self._twin(other) if (other := self._home.again()) else None

    def restart(self) -> Ledger | None:
        """See `LedgerHome`."""
        self._end()
        return self._twin(other) if (other := self._home.restart()) else None

    def close(self) -> None:
        """See `LedgerHome`."""
        self._end()
        self._home.close()

    def _twin(self, ledger: Ledger) -> Ledger:
        if self._runner is None:
            self._runner = asyncio.Runner()
        return through_twins(ledger, self._runner)

    def _end(self) -> None:
        if self._runner is not None:
            self._runner.run(self._home.aclose())
            self._runner.close()
            self._runner = None

    def __str__(self) -> str:
        return f"{self._home}, async"


def through_twins(ledger: Ledger, runner: asyncio.Runner) -> Ledger:
    """The same ledger; each method runs its async twin to the end."""
    return cast("Ledger", _Twin(ledger, runner))


class _Twin:
    """Looks like a ledger; each method runs its twin to the end."""

    def __init__(self, ledger: Ledger, runner: asyncio.Runner) -> None:
        self._ledger, self._runner = ledger, runner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        twin = getattr(self._ledger, f"a{name}")

        @functools.wraps(twin)
        def run(*args: Any, **options: Any) -> Any:
            return self._runner.run(twin(*args, **options))

        return run
