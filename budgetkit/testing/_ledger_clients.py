"""Several clients on one set of books, restarts, the store's own clock, async twins, and being cut off."""

import asyncio
import time
from collections.abc import Awaitable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any
from unittest.mock import patch

from budgetkit import Ledger, Spend, Window, verify

from ._ledger_checks import BRANCH, ONE, RUN, TENANT, balanced, calls, client, clock, cost, refused, same, tree
from ._ledger_home import LedgerHome, through_twins
from ._ledger_property import holds

_HOUR = 3600.0


@holds("two clients", "what one client does the other sees at once", "shared")
def one_sees_what_the_other_does(home: LedgerHome) -> None:
    one = tree(home, {"llm_calls": 9})
    two = client(home.again(), home)
    call = one.reserve(RUN, calls(4))
    balanced(two, (0, 4, 5), "reserved by the other client")
    two.open((*RUN, "new"), {"llm_calls": 1})
    one.charge((*RUN, "new"), ONE)
    one.settle(call, calls(2))
    balanced(two, (3, 0, 6), "settled and charged by the other client")
    same("states", two.states(BRANCH), one.states(BRANCH))
    same("charges", [(c.id, c.spend) for c in two.charges(TENANT)], [(c.id, c.spend) for c in one.charges(TENANT)])


@holds("two clients", "a call of one is found, settled, paused and taken back by the other", "shared")
def one_ends_what_the_other_began(home: LedgerHome) -> None:
    one = tree(home, {"llm_calls": 9})
    two = client(home.again(), home)
    call = one.reserve(RUN, calls(3))
    same("settled by the other", cost(two.settle(call, ONE)), ONE)
    same("settled again by the one who began it", cost(one.settle(call, calls(2))), ONE)
    two.release(one.reserve(RUN, calls(3)))
    one.reserve(RUN, calls(3), id="node")
    same("attempt found", two.reserve(RUN, calls(3), id="node").attempt, 1)
    balanced(one, (1, 3, 5), "one settled, one taken back, one found")


@holds("two clients", "both together never take more than there is", "shared")
def two_share_the_last_unit(home: LedgerHome) -> None:
    one = tree(home, {"llm_calls": 2})
    two = client(home.again(), home)
    one.reserve(RUN, ONE)
    two.reserve(RUN, ONE)
    for ledger in (one, two):
        refused(partial(ledger.reserve, RUN, ONE), TENANT, "each client has taken one of two")


@holds("two clients", "freezing, limits and top-ups by one hold for the other; a top-up counts once", "shared")
def limits_by_the_other(home: LedgerHome) -> None:
    one = tree(home, {"llm_calls": 2})
    two = client(home.again(), home)
    one.freeze(RUN)
    refused(lambda: two.reserve(BRANCH, ONE), RUN, "frozen by the other", frozen=True)
    two.unfreeze(RUN)
    for ledger in (one, two):
        ledger.top_up(TENANT, ONE, id="t")
        balanced(ledger, (0, 0, 3), "topped up by both under one id")
    two.set_limits(TENANT, {"llm_calls": 1})
    refused(lambda: one.reserve(RUN, calls(2)), TENANT, "lowered by the other", limit=1)


@holds("two clients", "a presence of one is stopped by the other, and overlaps are counted once", "shared")
def presences_of_two(home: LedgerHome) -> None:
    at = clock()
    one = tree(home, {"seconds": 60_000}, at=at)
    two = client(home.again(), home)
    first, second = one.start(RUN, lease=1000), two.start(BRANCH, lease=1000)
    at.advance(2)
    two.stop(first)
    at.advance(3)
    one.stop(second)
    at.advance(4)
    same("seconds", one.states(TENANT)[-1].spent["seconds"], 5)


@holds("restart", "balances, limits, calls in flight and top-ups are there after a restart", "durable")
def a_restart_keeps_the_books(home: LedgerHome) -> None:
    before = tree(home, {"llm_calls": 9}, {"usd": 5})
    before.charge(BRANCH, ONE, id="charge", label="a label")
    before.reserve(RUN, calls(3), id="call")
    before.top_up(TENANT, ONE, id="t")
    before.freeze(BRANCH)
    states = before.states(BRANCH)
    after = client(home.restart(), home)
    same("states", after.states(BRANCH), states)
    same("children", after.children(RUN), (BRANCH,))
    same("charges", [(c.id, c.label, c.spend) for c in after.charges(TENANT)], [("charge", "a label", ONE)])
    after.top_up(TENANT, ONE, id="t")
    after.charge(BRANCH, ONE, id="charge")
    after.settle(after.reserve(RUN, calls(3), id="call"), calls(2))
    balanced(after, (3, 0, 7), "everything is said again, and the call is settled at 2")


@holds("restart", "what nobody came back for expires into spend", "durable")
def a_call_lost_in_a_restart(home: LedgerHome) -> None:
    at = clock()
    tree(home, {"llm_calls": 9}, at=at).reserve(RUN, calls(3), lease=10)
    after = client(home.restart(), home)
    at.advance(10)
    balanced(after, (3, 0, 6), "a lease that ended after the restart")


@holds("journal", "replayed from its beginning, the journal gives the balances, to the unit", "journal")
def the_journal_replays(home: LedgerHome) -> None:
    at = clock()
    ledger = home.ledger(at)
    ledger.open(TENANT, {"llm_calls": 60, "seconds": 10**6}, keep=ONE, window=Window.day())
    ledger.open(RUN, {"llm_calls": 30}, prepaid=True)
    ledger.open(BRANCH, {"llm_calls": 8}, window=Window.sliding(600))
    for n in range(3):
        ledger.start(BRANCH, lease=7)
        ledger.reserve(BRANCH, calls(2), id=f"lost {n}", lease=50)
        call = ledger.reserve(RUN, calls(2), id="node", again=True)
        ledger.pause(call)
        at.advance(n * 4 * _HOUR + 20)
        ledger.settle(call, ONE if n else None)
        ledger.charge(RUN, Spend.from_units({"llm_calls": 1, "usd": 5}, unmeasured=["usd"]), id=f"charge {n}")
        ledger.release(ledger.reserve(TENANT, ONE))
        ledger.top_up(TENANT, ONE, id=f"t{n}")
        ledger.set_limits(RUN, {"llm_calls": 30 - n})
    ledger.freeze(BRANCH)
    ledger.close(RUN)
    found = verify(ledger)
    same("where the journal and the balances differ", found.differences, ())
    same("accounts and calls that were replayed", (found.accounts, found.calls), (3, 12))


@holds("store's clock", "the time is the store's, whatever the clock of a client says", "store_clock")
def the_clock_is_the_stores(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 9})
    call = ledger.reserve(RUN, ONE, lease=_HOUR)
    for shift in (-1000 * _HOUR, 1000 * _HOUR):
        with _client_clock_off_by(shift):
            balanced(ledger, (0, 1, 8), f"the client's clock is {shift:g} s off: a lease of an hour, just begun")
            other = ledger.reserve(BRANCH, ONE, lease=_HOUR)
            ledger.release(other)
        same(f"hours between two leases, one of a client whose clock is {shift:g} s off",
             round((other.expires - call.expires) / _HOUR), 0)  # fmt: skip


@contextmanager
def _client_clock_off_by(seconds: float) -> Generator[None]:
    """What this process takes for the time is wrong."""
    true = time.time
    with patch("time.time", lambda: true() + seconds):
        yield


# -- the async twins ------------------------------------------------------------------------------------------------


@holds("async", "each method and its async twin are one: what one begins the other ends", "crowds")
def twins_are_one(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 40, "seconds": 10**6})
    with asyncio.Runner() as runner:
        twin = through_twins(ledger, runner)
        _begin_and_end(ledger, twin)
        _begin_and_end(twin, ledger)
        runner.run(home.aclose())


def _begin_and_end(one: Ledger, two: Ledger) -> None:
    """Every method of the protocol, in turn."""
    spent = one.states(TENANT)[-1].spent.in_units("llm_calls")
    limit = one.states(TENANT)[-1].limits["llm_calls"]
    account = (*RUN, f"n{spent}")
    one.open(account, {"llm_calls": 4}, prepaid=True)
    same("children", account in two.children(RUN), True)
    two.stop(one.start(account, lease=1000))
    call = one.reserve(account, calls(3), id="c", label="l")
    same("found", two.reserve(account, calls(2), id="c").asked, calls(3))
    two.renew(call, lease=900)
    one.pause(call)
    same("paused", two.reserve(account, ONE, id="c").paused, False)
    same("settled", cost(two.settle(call, calls(2))), calls(2))
    one.release(two.reserve(account, ONE))
    two.charge(account, ONE, id="charge")
    one.freeze(account)
    refused(lambda: two.reserve(account, ONE), account, "frozen by the twin", frozen=True)
    two.unfreeze(account)
    two.top_up(account, ONE, id="t")
    one.set_limits(account, {"llm_calls": 4})
    balanced(two, (3, 0, 1), "all done in turn", account=account)
    two.close(account)
    same("charges", [c.id for c in one.charges(account)], ["c", "charge"])
    balanced(one, (spent + 3, 0, limit - spent - 3), "all done in turn")


@holds("async", "cancelled at any await and done again under its id, a call counts once", "crowds")
def cancelled_and_done_again(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 200})

    async def run() -> None:
        for n in range(24):
            await _cut_off(ledger.areserve(RUN, calls(3), id=f"c{n}"), n)
            call = await ledger.areserve(RUN, calls(3), id=f"c{n}")
            await _cut_off(ledger.asettle(call, calls(2)), n)
            await ledger.asettle(call, calls(2))
            await _cut_off(ledger.acharge(RUN, ONE, id=f"d{n}"), n)
            await ledger.acharge(RUN, ONE, id=f"d{n}")
            await _cut_off(ledger.atop_up(TENANT, ONE, id=f"t{n}"), n)
            await ledger.atop_up(TENANT, ONE, id=f"t{n}")
        await home.aclose()

    asyncio.run(run())
    balanced(ledger, (72, 0, 200 + 24 - 72), "24 calls of 2 and 24 of 1, each cut off and done again; 24 top-ups of 1")


@holds(
    "async", "cancelled at any await and never heard of again, a call expires into spend or was never made", "crowds"
)
def cancelled_and_gone(home: LedgerHome) -> None:
    at = clock()
    ledger = tree(home, {"llm_calls": 200}, at=at)

    async def run() -> None:
        for n in range(24):
            await _cut_off(ledger.areserve(RUN, calls(3), lease=10), n)
        at.advance(5)
        await ledger.astates(TENANT)
        await home.aclose()

    asyncio.run(run())
    at.advance(1000)
    found = [c.spend for c in ledger.charges(TENANT)]
    same(
        "what each lapsed at", set(found) - {Spend.from_units({"llm_calls": 3}, estimated=["llm_calls"])}, set[Spend]()
    )
    balanced(ledger, (3 * len(found), 0, 200 - 3 * len(found)), f"{len(found)} of 24 calls were made, and lapsed")


async def _cut_off(work: Awaitable[Any], after: int) -> None:
    """Cancel it after so many turns of the loop; it may be done by then."""
    task = asyncio.ensure_future(work)
    for turn in range(after):
        await asyncio.sleep(0 if turn % 2 else 0.0002)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
