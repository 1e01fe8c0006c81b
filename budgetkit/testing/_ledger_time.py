"""Seconds: one stopwatch an account, overlaps counted once, waiting for a person not at all."""

from decimal import Decimal

from budgetkit import Ledger, Spend

from ._clock import ManualClock
from ._ledger_checks import ONE, RUN, TENANT, balanced, calls, clock, refused, same, tree
from ._ledger_home import LedgerHome
from ._ledger_property import holds

_LEASE = 10_000.0
"""Longer than any of these checks takes."""


def timed(home: LedgerHome, at: ManualClock, tenant: int = 60, run: int | None = None) -> Ledger:
    """Limits on seconds."""
    return tree(home, {"seconds": tenant * 1000}, {} if run is None else {"seconds": run * 1000}, at=at)


def took(ledger: Ledger, seconds: object, when: str) -> None:
    """The tenant has been in use for so long."""
    same(f"{when}: seconds", ledger.states(TENANT)[-1].spent["seconds"], seconds)


@holds("time", "the clock of an account stands still while nothing runs")
def the_clock_stands_still(home: LedgerHome) -> None:
    at = clock()
    ledger = timed(home, at)
    at.advance(3600)
    took(ledger, 0, "an idle hour")


@holds("time", "calls at the same time are counted once")
def overlaps_count_once(home: LedgerHome) -> None:
    at = clock()
    ledger = timed(home, at)
    first = ledger.reserve(RUN, ONE)
    at.advance(2)
    second = ledger.reserve(TENANT, ONE)
    at.advance(3)
    ledger.settle(first, ONE)
    at.advance(4)
    ledger.settle(second, ONE)
    at.advance(5)
    took(ledger, 9, "calls from 0 to 5 and from 2 to 9")


@holds("time", "an account that is started runs with all above it, until it is stopped")
def starting_runs_all_above(home: LedgerHome) -> None:
    at = clock()
    ledger = timed(home, at)
    presence = ledger.start(RUN, lease=_LEASE)
    at.advance(7)
    ledger.stop(presence)
    at.advance(1)
    same("seconds of tenant and run", [s.spent["seconds"] for s in ledger.states(RUN)], [7, 7])
    same("charges", ledger.charges(TENANT), ())


@holds("time", "stopping twice is stopping once")
def stopping_twice_is_once(home: LedgerHome) -> None:
    at = clock()
    ledger = timed(home, at)
    presence = ledger.start(RUN, lease=_LEASE)
    ledger.reserve(RUN, ONE)
    for _ in range(2):
        ledger.stop(presence)
    at.advance(3)
    took(ledger, 3, "a call goes on after a presence was stopped twice")


@holds("time", "a presence with a lease ends by itself, unless it is renewed")
def a_presence_ends(home: LedgerHome) -> None:
    at = clock()
    ledger = timed(home, at)
    presence = ledger.start(RUN, lease=5)
    at.advance(4)
    ledger.renew(presence, lease=5)
    at.advance(20)
    took(ledger, 9, "5 s of lease, renewed after 4")
    ledger.renew(presence, lease=5)
    at.advance(1)
    ledger.stop(presence)
    took(ledger, 9, "renewed and stopped after it had ended")


@holds("time", "a call is told the time to the nearest limit")
def time_left_is_told(home: LedgerHome) -> None:
    at = clock()
    ledger = timed(home, at, 60, 10)
    same("time left at first", ledger.reserve(RUN, ONE).time_left, 10.0)
    at.advance(4.25)
    same("time left of the run", ledger.reserve(RUN, ONE).time_left, 5.75)
    same("time left of the tenant", ledger.reserve(TENANT, ONE).time_left, 55.75)
    same("time left without a limit", tree(home, at=at).reserve(RUN, ONE).time_left, None)


@holds("time", "no call begins once the time is up, and one just before")
def no_call_after_the_time_is_up(home: LedgerHome) -> None:
    at = clock()
    ledger = timed(home, at, 5)
    ledger.start(TENANT, lease=_LEASE)
    at.advance(4.875)
    ledger.release(ledger.reserve(RUN, ONE))
    at.advance(0.125)
    refused(lambda: ledger.reserve(RUN, ONE), TENANT, "5 s of 5", resource="seconds", limit=5, spent=5, asked=0)


@holds("time", "a call that names its longest time must fit into what is left; its own word is not added up")
def the_longest_time_must_fit(home: LedgerHome) -> None:
    at = clock()
    ledger = timed(home, at, 5)
    refused(lambda: ledger.reserve(RUN, Spend(seconds=6)), TENANT, "6 s of 5", resource="seconds", limit=5, asked=6)
    call = ledger.reserve(RUN, Spend(llm_calls=1, seconds=5))
    done = ledger.settle(call, Spend(llm_calls=1, seconds=3))
    same("what the call says of itself", done.spend, Spend(llm_calls=1, seconds=3))
    took(ledger, 0, "a call that took no time and says 3 s")


@holds("time", "only the final call uses the time that is kept")
def kept_time_is_for_the_final_call(home: LedgerHome) -> None:
    at = clock()
    ledger = home.ledger(at)
    ledger.open(TENANT, {"seconds": 60_000}, keep=Spend(seconds=6))
    ledger.start(TENANT, lease=_LEASE)
    at.advance(54)
    refused(lambda: ledger.reserve(TENANT, ONE), TENANT, "54 s of 60, and 6 are kept", resource="seconds",
            limit=60, spent=54, reserved=6)  # fmt: skip
    same("time left of the final call", ledger.reserve(TENANT, ONE, final=True).time_left, 6.0)


@holds("time", "the outermost budget that is out of anything is the one reported")
def outermost_of_time_and_units(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 0}, {"seconds": 0, "llm_calls": 5}, at=clock())
    refused(lambda: ledger.reserve(RUN, ONE), TENANT, "no call above, no time below")
    ledger.top_up(TENANT, ONE, id="more")
    refused(lambda: ledger.reserve(RUN, ONE), RUN, "one call above, no time below", resource="seconds")
    balanced(ledger, (0, 0, 1), "after the refusals")


@holds("time", "a lapsed call stops the clock when it lapses, whenever anybody looks")
def a_dead_call_eats_no_time(home: LedgerHome) -> None:
    at = clock()
    ledger = timed(home, at)
    dead = ledger.reserve(RUN, ONE, lease=10)
    at.advance(30)
    live = ledger.reserve(RUN, ONE)
    at.advance(5)
    ledger.settle(live, ONE)
    took(ledger, 15, "a call that died after 10 s, and one of 5 s")
    ledger.settle(dead, ONE)
    took(ledger, 15, "the dead one is settled late")


@holds("time", "a dead call among live ones takes nothing from their time")
def a_dead_call_among_live_ones(home: LedgerHome) -> None:
    at = clock()
    ledger = timed(home, at)
    ledger.reserve(RUN, ONE, lease=10)
    at.advance(8)
    live = ledger.reserve(RUN, ONE)
    at.advance(12)
    ledger.settle(live, ONE)
    took(ledger, 20, "calls from 0 to 10, where it died, and from 8 to 20")


@holds("time", "a call that waits for a person stays reserved, and its clock stands still")
def waiting_for_a_person(home: LedgerHome) -> None:
    at = clock()
    ledger = timed(home, at)
    call = ledger.reserve(RUN, ONE, id="tool")
    at.advance(2)
    for _ in range(2):
        ledger.pause(call)
    at.advance(12 * 3600)
    balanced(ledger, (0, 1, None), "a night later")
    resumed = ledger.reserve(RUN, ONE, id="tool")
    same("resumed (attempt, paused, time left)", (resumed.attempt, resumed.paused, resumed.time_left), (1, False, 58.0))
    at.advance(3)
    ledger.settle(resumed, ONE)
    took(ledger, 5, "2 s before the night and 3 s after it")


@holds("time", "a person who never comes back leaves spend and no time")
def nobody_comes_back(home: LedgerHome) -> None:
    at = clock()
    ledger = timed(home, at)
    ledger.pause(ledger.reserve(RUN, ONE, id="tool"))
    at.advance(7 * 24 * 3600 - 1)
    balanced(ledger, (0, 1, None), "a second before the week is over")
    at.advance(1)
    balanced(ledger, (1, 0, None), "after a week")
    took(ledger, 0, "a call that waited from the start")


@holds("time", "a paused call can be settled and released as it stands")
def ending_a_paused_call(home: LedgerHome) -> None:
    at = clock()
    ledger = timed(home, at)
    for end in (ledger.settle, ledger.release):
        call = ledger.reserve(RUN, ONE)
        ledger.pause(call)
        at.advance(5)
        end(call)
    took(ledger, 0, "two calls that waited")
    balanced(ledger, (1, 0, None), "one settled, one released")


@holds("time", "many short calls lose nothing to rounding")
def short_calls_add_up(home: LedgerHome) -> None:
    at = clock()
    ledger = timed(home, at)
    for _ in range(40):
        call = ledger.reserve(RUN, ONE)
        at.advance(2**-11)  # 488 microseconds and a bit: a float holds it exactly
        ledger.settle(call, ONE)
    took(ledger, Decimal("0.019"), "40 calls of 0.49 ms")


@holds("time", "time over the limit is an overshoot like any other")
def time_overshoots(home: LedgerHome) -> None:
    at = clock()
    ledger = timed(home, at, 5)
    ledger.start(TENANT, lease=_LEASE)
    at.advance(7)
    same("overshoot", ledger.states(TENANT)[-1].overshoot, Spend(seconds=2))


@holds("time", "the estimate of a lost call does not claim to estimate time")
def time_is_never_estimated(home: LedgerHome) -> None:
    ledger = timed(home, clock())
    ledger.settle(ledger.reserve(RUN, Spend(llm_calls=1, seconds=30)))
    same("estimated", ledger.states(TENANT)[-1].spent.estimated, {"llm_calls"})


@holds("time", "what lapses is on the books in the order of its expiry")
def lapses_are_in_order(home: LedgerHome) -> None:
    at = clock()
    ledger = tree(home, at=at)
    for n, lease in ((1, 30), (2, 10), (3, 20)):
        ledger.reserve(RUN, calls(n), lease=lease)
    at.advance(60)
    same("charges", [c.asked for c in ledger.charges(TENANT)], [calls(2), calls(3), calls(1)])
