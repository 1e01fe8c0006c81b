"""Windows: limits by the hour, day, week and month, and sliding ones."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from budgetkit import BudgetExceeded, Ledger, Spend, Window

from ._clock import ManualClock
from ._ledger_checks import BRANCH, MIDNIGHT, ONE, RUN, TENANT, balanced, calls, clock, fails, refused, same
from ._ledger_home import LedgerHome
from ._ledger_property import holds

DAY = 24 * 3600


def windowed(
    home: LedgerHome, at: ManualClock, window: Window, limits: Mapping[str, int] | None = None, **below: int
) -> Ledger:
    """A tenant with a window, ten calls a window if nothing else is said, and a run without one."""
    ledger = home.ledger(at)
    ledger.open(TENANT, {"llm_calls": 10} if limits is None else limits, window=window)
    ledger.open(RUN, below)
    return ledger


@holds("windows", "what was spent counts until the boundary of the calendar, and not beyond")
def a_day_ends_at_midnight(home: LedgerHome) -> None:
    at = clock(MIDNIGHT + 3600)
    ledger = windowed(home, at, Window.day())
    ledger.charge(RUN, calls(10))
    at.advance(23 * 3600 - 0.125)
    balanced(ledger, (10, 0, 0), "an eighth of a second before midnight")
    refused(lambda: ledger.reserve(RUN, ONE), TENANT, "the day is spent", limit=10, spent=10, reserved=0)
    at.advance(0.125)
    balanced(ledger, (0, 0, 10), "at midnight")
    balanced(ledger, (10, 0, None), "the run, which has no window", account=RUN)
    ledger.reserve(RUN, calls(10))


@holds("windows", "days, weeks, months and hours are those of their time zone, also where its clocks change")
def boundaries_of_the_calendar(home: LedgerHome) -> None:
    for window, now, ends in (
        (Window.day("Europe/Berlin"), "2024-03-31 00:00", "2024-04-01 00:00"),  # 23 hours
        (Window.day("Europe/Berlin"), "2024-10-27 00:00", "2024-10-28 00:00"),  # 25 hours
        (Window.week("America/New_York"), "2024-03-06 12:00", "2024-03-11 00:00"),
        (Window.month("Europe/Berlin"), "2024-02-29 23:59", "2024-03-01 00:00"),
        (Window.month("Asia/Tokyo"), "2024-12-01 00:00", "2025-01-01 00:00"),
        (Window.hour("Asia/Kolkata"), "2024-02-01 10:01", "2024-02-01 11:00"),  # half an hour beside those of UTC
    ):
        start, end = (
            datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(window.zone)).timestamp() for text in (now, ends)
        )
        at = clock(start)
        ledger = windowed(home, at, window)
        ledger.charge(RUN, ONE)
        at.advance(end - start - 1)
        balanced(ledger, (1, 0, 9), f"{window}, spent at {now}: a second before {ends}")
        at.advance(1)
        balanced(ledger, (0, 0, 10), f"{window}, spent at {now}: at {ends}")


@holds("windows", "a call in flight at the boundary is carried over, and counts where it is settled")
def in_flight_at_the_boundary(home: LedgerHome) -> None:
    at = clock(MIDNIGHT - 10)
    ledger = windowed(home, at, Window.day())
    call = ledger.reserve(RUN, calls(4))
    ledger.charge(RUN, calls(6))
    at.advance(20)
    balanced(ledger, (0, 4, 6), "4 in flight at midnight, 6 spent before it")
    ledger.settle(call, calls(3))
    balanced(ledger, (3, 0, 7), "they cost 3")
    at.advance(DAY)
    balanced(ledger, (0, 0, 10), "the next day")


@holds("windows", "a call that lapsed before the boundary counts before it, whenever anybody looks")
def lapsed_before_the_boundary(home: LedgerHome) -> None:
    at = clock(MIDNIGHT - 10)
    ledger = windowed(home, at, Window.day())
    lost = ledger.reserve(RUN, calls(4), lease=5)
    late = ledger.reserve(RUN, calls(2), lease=15)
    at.advance(20)
    balanced(ledger, (2, 0, 8), "4 lapsed before midnight and 2 after it; looked at later")
    ledger.settle(lost, calls(9))
    balanced(ledger, (2, 0, 8), "the former are settled at 9, at the time when they lapsed")
    ledger.settle(late, ONE)
    balanced(ledger, (1, 0, 9), "the latter are settled at 1")
    balanced(ledger, (10, 0, None), "the run, which has no window", account=RUN)


@holds("windows", "a sliding window forgets a spend never before it is as old as the window, and soon after")
def a_sliding_window_forgets(home: LedgerHome) -> None:
    for length in (60, 7):
        at = clock()
        ledger = windowed(home, at, Window.sliding(length))
        ledger.charge(RUN, calls(10))
        at.advance(length - 0.125)
        balanced(ledger, (10, 0, 0), f"an eighth of a second before {length} s")
        at.advance(0.25 + length / 60)
        balanced(ledger, (0, 0, 10), f"{length} s, a sixtieth and an eighth of a second later")


@holds("windows", "over a sliding window the limit holds in every stretch of its length")
def every_stretch_of_a_sliding_window(home: LedgerHome) -> None:
    at = clock()
    ledger = windowed(home, at, Window.sliding(6), {"llm_calls": 3})
    made: list[float] = []
    for step in range(48):
        try:
            ledger.settle(ledger.reserve(RUN, ONE), ONE)
            made.append(at())
        except BudgetExceeded:
            pass
        at.advance(0.125 + step % 5 * 0.125)
    busiest = max(sum(begin <= t < begin + 6 for t in made) for begin in made)
    same("calls in the busiest 6 seconds, with a limit of 3", busiest, 3)


@holds("windows", "a call settled late or lapsed in a sliding window counts from when it was booked")
def late_in_a_sliding_window(home: LedgerHome) -> None:
    at = clock()
    ledger = windowed(home, at, Window.sliding(60))
    call = ledger.reserve(RUN, calls(2), lease=1000)
    ledger.reserve(RUN, calls(3), lease=30)
    at.advance(50)
    ledger.settle(call, calls(2))
    at.advance(42)
    balanced(ledger, (2, 0, 8), "92 s on: 2 were settled at 50, 3 lapsed at 30")
    at.advance(20)
    balanced(ledger, (0, 0, 10), "112 s on")


@holds("windows", "a window is its account's own: above and below, spends count for ever or in windows of theirs")
def windows_are_their_accounts_own(home: LedgerHome) -> None:
    at = clock(MIDNIGHT + 1800)
    ledger = home.ledger(at)
    ledger.open(TENANT, {"llm_calls": 12}, window=Window.day())
    ledger.open(RUN, {"llm_calls": 20})
    ledger.open(BRANCH, {"llm_calls": 4}, window=Window.hour())
    hours = (0, 1, 2)
    for hour in hours:
        ledger.charge(BRANCH, calls(4))
        refused(lambda: ledger.reserve(BRANCH, ONE), TENANT if hour == hours[-1] else BRANCH, f"hour {hour}")
        at.advance(3600)
    same("left, from the root down", [s.left("llm_calls") for s in ledger.states(BRANCH)], [0, 8, 4])
    at.advance(DAY)
    same("left the next day", [s.left("llm_calls") for s in ledger.states(BRANCH)], [12, 8, 4])


@holds("windows", "what is left of a share is carried over, and what was spent of it is not")
def a_share_in_a_window(home: LedgerHome) -> None:
    at = clock()
    ledger = home.ledger(at)
    ledger.open(TENANT, {"llm_calls": 10}, window=Window.day())
    ledger.open(RUN, {"llm_calls": 4}, prepaid=True)
    ledger.charge(RUN, ONE)
    balanced(ledger, (1, 3, 6), "1 spent of a share of 4")
    at.advance(DAY)
    balanced(ledger, (0, 3, 7), "the next day")
    ledger.close(RUN)
    balanced(ledger, (0, 0, 10), "the share is closed")


@holds("windows", "a top-up and a new limit are for every window to come")
def limits_outlast_the_window(home: LedgerHome) -> None:
    at = clock()
    ledger = windowed(home, at, Window.day())
    ledger.top_up(TENANT, calls(2), id="t")
    ledger.charge(RUN, calls(11))
    at.advance(DAY)
    ledger.top_up(TENANT, calls(2), id="t")
    balanced(ledger, (0, 0, 12), "topped up by 2 yesterday, and again under the same id")
    ledger.charge(RUN, calls(4))
    ledger.set_limits(TENANT, {"llm_calls": 3, "usd": 5})
    balanced(ledger, (4, 0, 0), "4 spent, and the limit lowered to 3")
    ledger.charge(RUN, Spend.from_units({"usd": 5}))
    at.advance(DAY)
    balanced(ledger, (0, 0, 3), "the day after")
    balanced(ledger, (0, 0, 5), "the day after", name="usd")


@holds("windows", "a frozen account stays frozen in the next window")
def freezing_outlasts_the_window(home: LedgerHome) -> None:
    at = clock()
    ledger = windowed(home, at, Window.day())
    ledger.freeze(TENANT)
    at.advance(DAY)
    refused(lambda: ledger.reserve(RUN, ONE), TENANT, "frozen yesterday", frozen=True)


@holds("windows", "seconds are counted anew in each window of the calendar, and not limited over a sliding one")
def seconds_in_a_window(home: LedgerHome) -> None:
    at = clock(MIDNIGHT - 10)
    ledger = windowed(home, at, Window.day(), {"seconds": 60_000})
    ledger.reserve(RUN, ONE)
    at.advance(15)
    same("seconds, 5 after midnight", ledger.states(TENANT)[-1].spent["seconds"], 5)
    same("time left", ledger.reserve(RUN, ONE).time_left, 55.0)
    act = lambda: ledger.open(("other",), {"seconds": 1}, window=Window.sliding(60))  # noqa: E731 - one line, used once
    fails(act, ValueError, "seconds over a sliding window")


@holds("windows", "a share that renews itself is refused")
def no_share_with_a_window(home: LedgerHome) -> None:
    ledger = windowed(home, clock(), Window.day())
    act = lambda: ledger.open(BRANCH, {"llm_calls": 1}, prepaid=True, window=Window.day())  # noqa: E731 - as above
    fails(act, ValueError, "a prepaid account with a window")


@holds("windows", "the window of an account is told, and kept when the account is opened again")
def the_window_is_told(home: LedgerHome) -> None:
    at = clock()
    for window in (Window.month("Europe/Berlin"), Window.sliding(0.5), Window.hour()):
        ledger = windowed(home, at, window)
        ledger.open(TENANT, {}, window=Window.day())
        same("windows of tenant and run", [s.window for s in ledger.states(RUN)], [window, None])


@holds("windows", "an idle year changes nothing but what counts")
def an_idle_year(home: LedgerHome) -> None:
    at = clock()
    for window in (Window.hour(), Window.month("Europe/Berlin"), Window.sliding(60)):
        ledger = windowed(home, at, window)
        ledger.charge(RUN, calls(10))
        at.advance(366 * DAY)
        balanced(ledger, (0, 0, 10), f"{window}: a year later")
        ledger.charge(RUN, ONE)
        balanced(ledger, (1, 0, 9), f"{window}: spent a year later")
