"""What all shared homes have in common, on a home that is books in memory behind the wire."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from budgetkit import Budget, BudgetExceeded, LedgerError, MemoryLedger, Spend, Window, verify
from budgetkit._books import Books
from budgetkit._books_accounts import steady_clock
from budgetkit._homes._keeper import Keeper
from budgetkit._homes._perform import perform
from budgetkit._homes._shared_ledger import SharedLedger
from budgetkit._homes._wire import account_doc, call_doc
from budgetkit.testing import ManualClock

ONE = Spend(llm_calls=1)


class WireLedger(SharedLedger):
    """Books in memory; every request and every reply passes through JSON, as it does on its way to a store."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        super().__init__(clock=clock)
        self.store_clock = clock or steady_clock()
        self.books = Books(clock=self.store_clock)
        self.journal: list[dict[str, Any]] = []
        self.sent: list[str] = []
        self.asked = asyncio.Event()
        self.gate: asyncio.Event | None = None

    def _send(self, request: dict[str, Any], now: int | None, windows: list[Any]) -> dict[str, Any]:
        del now, windows
        text = json.dumps(request)
        self.sent.append(request["op"])
        reply: dict[str, Any] = json.loads(json.dumps(self._answer(json.loads(text))))
        return reply

    async def _asend(self, request: dict[str, Any], now: int | None, windows: list[Any]) -> dict[str, Any]:
        reply = self._send(request, now, windows)
        self.asked.set()
        if self.gate is not None:
            await self.gate.wait()
        return reply

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        books, path = self.books, tuple(request["path"])
        match request["op"]:
            case "states":
                if path not in books.nodes:
                    return {"missing": list(path)}
                now = books._time(books.nodes[path])
                return {"accounts": [account_doc(node) for node in books.nodes[path].chain()], "now": now}
            case "charges":
                return {"calls": [call_doc(call) for call in books.charges(path)]}
            case "children":
                return {"children": [child[-1] for child in books.children(path)]}
            case "dump":
                return self._dump(path)
            case _:
                at = round(self.store_clock() * 10**6)
                reply = perform(books, request)
                self.journal.append({"seq": len(self.journal), "at": at, "request": request})
                return reply

    def _dump(self, root: tuple[str, ...]) -> dict[str, Any]:
        books = self.books
        calls = [call for node in books.nodes.values() for call in node.calls.values()]
        return {
            "accounts": [account_doc(node) for node in books.nodes.values()],
            "calls": [call_doc(call) for call in calls],
            "journal": self.journal,
            "now": books._time(books.nodes[root]),
        }

    def disconnect(self) -> None:
        """Nothing is connected."""

    async def adisconnect(self) -> None:
        """Nothing is connected."""


# -- the same as in memory --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [MemoryLedger, WireLedger], ids=["memory", "wire"])
def test_a_scope_reads_the_same_on_every_home(make: type[MemoryLedger | WireLedger]) -> None:
    clock = ManualClock(start=1000)
    ledger = make(clock=clock)
    budget = Budget(usd="1", llm_calls=3, seconds=60, answer_reserve={"llm_calls": 1}, window=Window.day("Asia/Tokyo"))
    with budget.open("acme", id="acme", ledger=ledger) as acme:
        call = acme.reserve(Spend(llm_calls=1, usd="0.5"), label="model:x")
        clock.advance(2)
        acme.settle(call, Spend(llm_calls=1, usd="0.25"))
        with pytest.raises(BudgetExceeded, match="'acme' is out of llm_calls: limit 3, spent 1, reserved 1, asked 2"):
            acme.reserve(Spend(llm_calls=2))
        assert acme.spent == Spend(llm_calls=1, usd="0.25", seconds=2)
        assert dict(acme.remaining) == {"usd": Spend(usd="0.75")["usd"], "llm_calls": 2, "seconds": 58}
        assert acme.by_label == {"model:x": Spend(llm_calls=1, usd="0.25")}
        assert call.spend == Spend(llm_calls=1, usd="0.25")
        assert acme.states()[-1].window == Window.day("Asia/Tokyo")
        ledger.freeze(("acme",))
        with pytest.raises(
            BudgetExceeded, match="budget 'acme' is frozen: 1 llm_calls are refused until it is unfrozen"
        ):
            acme.reserve(ONE)


# -- cancellation -----------------------------------------------------------------------------------------------------


async def cancelled_while(ledger: WireLedger, operation: Callable[[], Any]) -> None:
    """Start an operation, cancel it when the store has done it and the reply is under way, let the reply arrive."""
    ledger.gate, ledger.asked = asyncio.Event(), asyncio.Event()
    task = asyncio.ensure_future(operation())
    await ledger.asked.wait()
    task.cancel()
    await asyncio.sleep(0)
    ledger.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    ledger.gate = None


async def test_a_reservation_whose_caller_was_cancelled_is_taken_back() -> None:
    ledger = WireLedger()
    await ledger.aopen(("a",), {"llm_calls": 1})
    await cancelled_while(ledger, lambda: ledger.areserve(("a",), ONE))
    assert (await ledger.astates(("a",)))[-1].reserved == Spend()
    assert await ledger.areserve(("a",), ONE)


async def test_an_open_reservation_that_was_only_found_again_stays() -> None:
    ledger = WireLedger()
    await ledger.aopen(("a",), {"llm_calls": 1})
    await ledger.areserve(("a",), ONE, id="x")
    await cancelled_while(ledger, lambda: ledger.areserve(("a",), ONE, id="x"))
    assert (await ledger.astates(("a",)))[-1].reserved == ONE


async def test_a_start_whose_caller_was_cancelled_stops() -> None:
    ledger = WireLedger()
    await ledger.aopen(("a",), {})
    await cancelled_while(ledger, lambda: ledger.astart(("a",)))
    assert not ledger.books.open_calls


async def test_a_settlement_whose_caller_was_cancelled_is_on_the_books() -> None:
    ledger = WireLedger()
    await ledger.aopen(("a",), {"llm_calls": 2})
    call = await ledger.areserve(("a",), ONE)
    await cancelled_while(ledger, lambda: ledger.asettle(call, ONE))
    assert (await ledger.astates(("a",)))[-1].spent == ONE


async def test_what_the_store_could_not_do_needs_no_undoing() -> None:
    ledger = WireLedger()
    await ledger.aopen(("a",), {"llm_calls": 0})
    with pytest.raises(BudgetExceeded):
        await ledger.areserve(("a",), ONE)
    assert ledger.sent == ["open", "reserve"]


# -- windows: the store has the clock, the client the calendar ---------------------------------------------------------


class Rolling(WireLedger):
    """Has to be told where the window ends, and the window ends again while it is told, a few times."""

    turns = 0

    def _send(self, request: dict[str, Any], now: int | None, windows: list[Any]) -> dict[str, Any]:
        self.turns -= 1
        if self.turns >= 0:
            return {"roll": [[["a"], "day"]], "now": 86_400_000_000}
        self.told = windows
        return super()._send(request, now, windows)


def test_the_boundaries_that_a_home_asks_for_are_sent_with_the_request() -> None:
    ledger = Rolling()
    ledger.turns = 2
    ledger.open(("a",), {}, window=Window.day())
    assert ledger.told == [[["a"], 86_400_000_000, 2 * 86_400_000_000]]


def test_a_home_that_never_has_enough_is_given_up() -> None:
    ledger = Rolling()
    ledger.turns = 100
    with pytest.raises(LedgerError, match="account 'a': its windows end faster than the store can be asked"):
        ledger.open(("a",), {}, window=Window.day())


# -- the keeper -------------------------------------------------------------------------------------------------------


class Renewals:
    """Counts renewals, and says when the n-th came."""

    def __init__(self, *, failing: int = 0) -> None:
        self.names: list[str] = []
        self.came = threading.Semaphore(0)
        self.failing = failing

    def __call__(self, held: Any, lease: float) -> None:
        del lease
        self.names.append(held.id)
        self.came.release()
        self.failing -= 1
        if self.failing >= 0:
            raise LedgerError("the store is away")


def held(ledger: MemoryLedger, name: str) -> Any:
    ledger.open(("a",), {})
    return ledger.reserve(("a",), ONE, id=name)


def test_what_is_held_is_renewed_again_and_again_until_it_is_let_go() -> None:
    renewals = Renewals(failing=1)
    keeper = Keeper(renewals)
    call = held(MemoryLedger(), "x")
    keeper.hold(call, 0.03)
    for _ in range(3):
        assert renewals.came.acquire(timeout=30)
    keeper.let_go(call)
    assert set(renewals.names) == {"x"}
    keeper.let_all_go()


def test_a_reservation_that_everybody_forgot_is_not_kept_alive() -> None:
    renewals = Renewals()
    keeper = Keeper(renewals)
    ledger = WireLedger()
    ledger.open(("a",), {})
    forgotten = ledger.reserve(("a",), ONE)
    keeper.hold(forgotten, 3600)
    del forgotten
    gc.collect()
    assert len(keeper._held) == 0
    keeper.let_all_go()


def test_the_shorter_lease_is_not_kept_waiting_by_the_longer_one() -> None:
    renewals = Renewals()
    keeper, ledger = Keeper(renewals), MemoryLedger()
    slow, fast = held(ledger, "slow"), held(ledger, "fast")
    keeper.hold(slow, 3600)
    keeper.hold(fast, 0.03)
    assert renewals.came.acquire(timeout=30)
    assert renewals.names[0] == "fast"
    keeper.let_all_go()


def test_a_ledger_renews_what_is_in_flight_and_lets_go_what_is_over() -> None:
    ledger = WireLedger()
    ledger.open(("a",), {})
    call = ledger.reserve(("a",), ONE)
    presence = ledger.start(("a",))
    assert ledger._keeper is not None
    assert set(ledger._keeper._held) == {call, presence}
    ledger.settle(call, ONE)
    ledger.stop(presence)
    assert not set(ledger._keeper._held)
    ledger._keeper.let_all_go()


# -- verify -----------------------------------------------------------------------------------------------------------


def busy(clock: ManualClock) -> WireLedger:
    """Books on which everything has happened once."""
    ledger = WireLedger(clock)
    with (
        Budget(llm_calls=50).open("acme", id="acme", ledger=ledger),
        Budget(llm_calls=5).open("r", prepaid=True) as run,
    ):
        run.settle(run.reserve(ONE, label="model:x"), ONE)
        lapsed = ledger.reserve(run.account, ONE, lease=1)
        clock.advance(2)
        ledger.settle(lapsed)
        ledger.release(run.reserve(ONE))
        ledger.pause(run.reserve(ONE, id="asks"))
        run.charge(Spend(llm_calls=2))
        run.top_up({"llm_calls": 1})
        run.set_limits({"llm_calls": 7})
        ledger.freeze(run.account)
    ledger.reserve(("acme",), ONE)
    return ledger


def test_the_journal_of_a_busy_day_gives_the_balances() -> None:
    clock = ManualClock(start=10_000)
    report = verify(busy(clock))
    assert report, report.differences
    assert (report.accounts, report.calls) == (2, 6)


def test_a_balance_that_somebody_changed_is_found() -> None:
    ledger = busy(ManualClock(start=10_000))
    ledger.books.nodes["acme",].cells["llm_calls"].spent -= 1
    report = verify(ledger)
    assert not report
    assert report.differences[0].startswith("account acme: cells is")


def test_a_call_that_is_not_in_the_journal_is_found() -> None:
    ledger = busy(ManualClock(start=10_000))
    ledger.books.charge(("acme",), ONE, id="smuggled")
    differences = verify(ledger, "acme").differences
    assert "call 'smuggled' (attempt 1) of 'acme' is in the books and not in the journal" in differences


def test_a_journal_with_a_hole_does_not_pass() -> None:
    ledger = busy(ManualClock(start=10_000))
    del ledger.journal[0]
    assert verify(ledger).differences == (
        "the journal does not replay: account 'acme' is not open: open it before it spends",
    )


def test_books_in_memory_have_no_journal_to_check() -> None:
    with pytest.raises(LedgerError, match="MemoryLedger keeps no journal: what it knows ends with this process"):
        verify(MemoryLedger())


# -- garbage collections in the middle of an operation ---------------------------------------------------------------


class Collecting(WireLedger):
    """A garbage collection comes in the middle of an operation and ends a stream, which settles its call."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.threads: list[tuple[str, str]] = []
        self.streaming: Any = None

    def _send(self, request: dict[str, Any], now: int | None, windows: list[Any]) -> dict[str, Any]:
        if request["op"] == "states":
            self.settle(self.streaming, ONE)
            assert self.charge(("a",), ONE, id="dropped").id == "dropped"
            for thread in threading.enumerate():
                if thread.name == "budgetkit-settle":
                    thread.join()
        else:
            self.threads.append((request["op"], threading.current_thread().name))
        return super()._send(request, now, windows)


def test_a_settlement_inside_another_operation_of_its_thread_is_left_to_another_thread() -> None:
    ledger = Collecting(ManualClock())
    ledger.open(("a",), {})
    ledger.streaming = ledger.reserve(("a",), ONE)
    assert ledger.states(("a",))[-1].spent == ONE + ONE
    assert set(ledger.threads[2:]) == {("settle", "budgetkit-settle"), ("charge", "budgetkit-settle")}
