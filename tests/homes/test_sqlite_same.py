"""The books in SQLite and those in memory, asked the same in the same order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from budgetkit import (
    Account,
    BudgetExceeded,
    Ledger,
    LedgerError,
    MemoryLedger,
    Reservation,
    Spend,
    SqliteLedger,
    Window,
)
from budgetkit._homes._verify import verify
from budgetkit.testing import ManualClock

PATHS: list[Account] = [("r",), ("r", "a"), ("r", "b"), ("r", "a", "x"), ("q",)]
RESOURCES = ["llm_calls", "usd", "tool:s"]
WINDOWS = [Window.sliding(60), Window.hour(), Window.day("Europe/Berlin")]

paths, ids = st.sampled_from(PATHS), st.sampled_from(["i", "j\x00\ud800"])
units = st.dictionaries(st.sampled_from(RESOURCES), st.integers(0, 6))
with_time = st.dictionaries(st.sampled_from([*RESOURCES, "seconds"]), st.integers(0, 40))
spends = st.builds(Spend.from_units, units, unmeasured=st.sets(st.sampled_from(RESOURCES), max_size=1))
leases = st.sampled_from([5.0, 100.0])

Step = Callable[[Ledger, list[Reservation]], object]
"""An operation on a ledger and on the calls that it handed out."""


def opened(account: Account, limits: dict[str, int], keep: int, kind: Window | bool) -> Step:
    kept = Spend.from_units({name: min(keep, n) for name, n in limits.items()})
    prepaid, window = kind is True, kind if isinstance(kind, Window) else None
    return lambda ledger, _: ledger.open(account, limits, keep=kept, prepaid=prepaid, window=window)


def reserved(account: Account, asked: Spend, **options: Any) -> Step:
    return lambda ledger, calls: calls.append(ledger.reserve(account, asked, **options))


def started(account: Account, lease: float) -> Step:
    return lambda ledger, calls: calls.append(ledger.start(account, lease=lease))


def ended(how: str, nth: int, *args: Any, **options: Any) -> Step:
    def end(ledger: Ledger, calls: list[Reservation]) -> None:
        fitting = [call for call in calls if call.presence == (how == "stop")]
        if fitting:
            getattr(ledger, how)(fitting[nth % len(fitting)], *args, **options)

    return end


def told(how: str, *args: Any, **options: Any) -> Step:
    def tell(ledger: Ledger, _: list[Reservation]) -> None:
        getattr(ledger, how)(*args, **options)

    return tell


nths = st.integers(0, 9)
steps = st.one_of(
    st.builds(opened, paths, with_time, st.integers(0, 2), st.sampled_from([False, True, *WINDOWS])),
    st.builds(
        reserved,
        paths,
        spends,
        id=ids,
        label=st.sampled_from("ab"),
        keep=st.none() | st.builds(Spend.from_units, units),
        final=st.booleans(),
        again=st.booleans(),
        lease=leases,
    ),
    st.builds(ended, st.just("settle"), nths, st.none() | spends),
    st.builds(ended, st.sampled_from(["release", "stop"]), nths),
    st.builds(ended, st.sampled_from(["pause", "renew"]), nths, lease=leases),
    st.builds(started, paths, leases),
    st.builds(told, st.just("charge"), paths, spends, id=ids),
    st.builds(told, st.just("top_up"), paths, st.builds(Spend.from_units, units), id=ids),
    st.builds(told, st.just("set_limits"), paths, st.dictionaries(st.sampled_from(RESOURCES), st.none() | st.just(9))),
    st.builds(told, st.sampled_from(["freeze", "unfreeze", "close"]), paths),
    st.sampled_from([1, 7, 61, 3600, 50_000]),
)


def outcome(step: Step, ledger: Ledger, calls: list[Reservation]) -> object:
    try:
        step(ledger, calls)
    except (BudgetExceeded, LedgerError, ValueError) as refusal:
        return type(refusal), str(refusal)
    return None


def seen(ledger: Ledger) -> list[object]:
    """All that a ledger tells."""
    found: list[object] = [ledger.children(), ledger.children(("r",))] if ledger.children(()) else []
    for account in PATHS:
        try:
            found.append((ledger.states(account), [shown(call) for call in ledger.charges(account)]))
        except LedgerError as refusal:
            found.append(str(refusal))
    return found


def shown(call: Reservation) -> object:
    return (
        call.id, call.account, call.label, call.asked, call.attempt, call.spend, call.overshoot, call.expires,
        call.lapsed, call.released, call.paused,
    )  # fmt: skip


@settings(max_examples=40)
@given(st.lists(steps, max_size=40))
def test_the_same_operations_have_the_same_results_as_in_memory_and_the_journal_replays(
    todo: list[Step | int],
) -> None:
    clock = ManualClock(start=1_000_000)
    memory, ours, theirs = MemoryLedger(clock=clock), list[Reservation](), list[Reservation]()
    with TemporaryDirectory() as folder, SqliteLedger(Path(folder, "books.db"), clock=clock) as sqlite:
        for step in [opened(("r",), {"llm_calls": 20, "usd": 20}, 2, kind=False), *todo]:
            if isinstance(step, int):
                clock.advance(step)
            else:
                assert outcome(step, sqlite, ours) == outcome(step, memory, theirs)
            assert [call.asked for call in ours] == [call.asked for call in theirs]
        assert seen(sqlite) == seen(memory)
        assert verify(sqlite).differences == ()
