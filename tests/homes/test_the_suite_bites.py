"""The conformance suite finds what is wrong: ledgers, each broken in one way, and the property that each breaks."""

from __future__ import annotations

import time
import unittest
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import pytest

from budgetkit import Account, BudgetExceeded, Ledger, Reservation, Spend, Window
from budgetkit._books import Books
from budgetkit._books_accounts import steady_clock
from budgetkit._sync_as_async import SyncAsAsync
from budgetkit.testing import (
    LEDGER_PROPERTIES,
    LedgerHome,
    LedgerProperty,
    ManualClock,
    MemoryHome,
    check_ledger,
    check_machine,
    check_property,
    ledger_machine,
)


def merged(options: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    return options | others


class Sound(Books, SyncAsAsync):
    """As the ledger in memory."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        super().__init__(clock=clock or steady_clock())


class ForgetsItsAncestors(Sound):
    def reserve(self, account: Account, asked: Spend, **options: Any) -> Reservation:
        above = [cell for node in self.nodes[account].chain()[:-1] for cell in node.cells.values()]
        ceilings = [cell.ceiling for cell in above]
        for cell in above:
            cell.ceiling = 1 << 199
        try:
            return super().reserve(account, asked, **options)
        finally:
            for cell, ceiling in zip(above, ceilings, strict=True):
                cell.ceiling = ceiling


class CountsOnItsOwnAccountAlone(Sound):
    def open(self, account: Account, *args: Any, **options: Any) -> None:
        super().open(account, *args, **options)
        self.nodes[account].parent = None


class RefundsWhatLapses(Sound):
    def _end(self, call: Reservation, now: int, spend: Spend | None) -> None:
        super()._end(call, now, Spend() if spend is None else spend)


class NeverLapses(Sound):
    def _lapse(self, now: int) -> None:
        pass


class ForgetsTheReserve(Sound):
    def reserve(self, account: Account, asked: Spend, **options: Any) -> Reservation:
        return super().reserve(account, asked, **merged(options, {"keep": None}))


class LetsEveryCallBeFinal(Sound):
    def reserve(self, account: Account, asked: Spend, **options: Any) -> Reservation:
        return super().reserve(account, asked, **merged(options, {"final": True}))


class EndsTheDayEveryHour(Sound):
    def open(self, account: Account, *args: Any, **options: Any) -> None:
        if options.get("window") == Window.day():
            options["window"] = Window.hour()
        super().open(account, *args, **options)


class ForgetsTooEarly(Sound):
    def open(self, account: Account, *args: Any, **options: Any) -> None:
        window = options.get("window")
        if window is not None and window.kind == "sliding":
            options["window"] = Window.sliding(window.length / 10**6 * 0.9)
        super().open(account, *args, **options)


class FreezesOneAccountAlone(Sound):
    def _chill(self, account: Account) -> None:
        self.nodes[account].chilled = self.nodes[account].frozen


class SettlesTwice(Sound):
    def settle(self, reservation: Reservation, spend: Spend | None = None) -> Reservation:
        if reservation.spend is not None and not (reservation.lapsed or reservation.released):
            self.charge(reservation.account, spend or Spend())
        return super().settle(reservation, spend)


class KeepsTheShare(Sound):
    def close(self, account: Account) -> None:
        self.states(account)


class TakesNoShare(Sound):
    def open(self, account: Account, *args: Any, **options: Any) -> None:
        super().open(account, *args, **merged(options, {"prepaid": False}))


class TopsUpTwice(Sound):
    def top_up(self, account: Account, amounts: Spend, *, id: str) -> None:  # noqa: A002 - as in the protocol
        super().top_up(account, amounts, id=f"{id} {time.monotonic_ns()}")


class IgnoresWhatComesLate(Sound):
    def settle(self, reservation: Reservation, spend: Spend | None = None) -> Reservation:
        self.states(reservation.account)
        return reservation if reservation.lapsed else super().settle(reservation, spend)


class GivesMissingUsageBack(Sound):
    def settle(self, reservation: Reservation, spend: Spend | None = None) -> Reservation:
        return super().settle(reservation, Spend() if spend is None else spend)


class HidesTheOvershoot(Sound):
    def settle(self, reservation: Reservation, spend: Spend | None = None) -> Reservation:
        asked = reservation.asked.as_units()
        if spend is not None and not spend.unmeasured:
            spend = Spend.from_units({n: min(a, asked.get(n, a)) for n, a in spend.as_units().items()})
        return super().settle(reservation, spend)


class RefusesACharge(Sound):
    def charge(self, account: Account, spend: Spend, **options: Any) -> Reservation:
        self.release(self.reserve(account, spend))
        return super().charge(account, spend, **options)


class BlamesTheInnermost(Sound):
    def reserve(self, account: Account, asked: Spend, **options: Any) -> Reservation:
        try:
            return super().reserve(account, asked, **options)
        except BudgetExceeded as refusal:
            refusal.account = account
            raise


class CountsInDoubles(Sound):
    def settle(self, reservation: Reservation, spend: Spend | None = None) -> Reservation:
        rounded = None if spend is None else {n: int(float(a)) for n, a in spend.as_units().items()}
        if spend is not None and not spend.unmeasured and rounded != spend.as_units():
            spend = Spend.from_units(rounded or {})
        return super().settle(reservation, spend)


class JoinsItsPaths(Sound):
    def _node(self, account: Account) -> Any:
        return next(
            (n for path, n in self.nodes.items() if "/".join(path) == "/".join(account)), None
        ) or super()._node(account)


class CutsLongTexts(Sound):
    def reserve(self, account: Account, asked: Spend, **options: Any) -> Reservation:
        return super().reserve(account, asked, **merged(options, {"label": options.get("label", "")[:255]}))


class SharesItsIds(Sound):
    def reserve(self, account: Account, asked: Spend, **options: Any) -> Reservation:
        for node in self.nodes.values():
            if options.get("id") in node.calls:
                account = node.account
        return super().reserve(account, asked, **options)


class RunsTheClockAllNight(Sound):
    def pause(self, reservation: Reservation, **options: Any) -> None:
        self.renew(reservation, lease=options.get("lease", 10**6))


class ShortensALease(Sound):
    def renew(self, reservation: Reservation, *, lease: float = 600) -> None:
        if not reservation.lapsed:
            reservation.expires = self._clock() + lease
            self._soonest = 0


class CountsOverlapsTwice(Sound):
    def start(self, account: Account, **options: Any) -> Reservation:
        for node in self.nodes[account].upward():
            node.watch.elapsed += 10**6
        return super().start(account, **options)


class ListsTheCallsInAnyOrder(Sound):
    def charges(self, account: Account) -> tuple[Reservation, ...]:
        return super().charges(account)[::-1]


class ListsGrandchildren(Sound):
    def children(self, account: Account = ()) -> tuple[Account, ...]:
        super().children(account)
        return tuple(sorted(path for path in self.nodes if path != account and path[: len(account)] == account))


class TakesForgottenLimitsAway(Sound):
    def set_limits(self, account: Account, limits: Mapping[str, int | None]) -> None:
        others = {name: None for name in self.nodes[account].limited() if name not in {*limits, "seconds"}}
        super().set_limits(account, {**others, **limits})


class NeverLowersBelowWhatIsHeld(Sound):
    def set_limits(self, account: Account, limits: Mapping[str, int | None]) -> None:
        cells = self.nodes[account].cells
        held = {name: cells[name].held if name in cells else 0 for name in limits}
        super().set_limits(account, {name: None if n is None else max(n, held[name]) for name, n in limits.items()})


class AdmitsAnUnknownWorstCase(Sound):
    def reserve(self, account: Account, asked: Spend, **options: Any) -> Reservation:
        return super().reserve(account, Spend.from_units(asked.as_units()), **options)


class HasItsOwnTwin(Sound):
    async def arelease(self, reservation: Reservation) -> None:
        await self.asettle(reservation, None)


class CutsOffItsTwins(Sound):
    async def areserve(self, account: Account, asked: Spend, **options: Any) -> Reservation:
        with suppress(KeyError):
            options.pop("id")
        return await super().areserve(account, asked, **options)


BITES: Final[Mapping[type[Sound], str]] = {
    ForgetsItsAncestors: "what_does_not_fit_is_refused",
    CountsOnItsOwnAccountAlone: "a_call_counts_up_to_the_root",
    RefundsWhatLapses: "a_lost_call_becomes_spend",
    NeverLapses: "a_lost_call_becomes_spend",
    ForgetsTheReserve: "keep_is_set_with_the_call",
    LetsEveryCallBeFinal: "the_answer_reserve_is_the_owners",
    EndsTheDayEveryHour: "a_day_ends_at_midnight",
    ForgetsTooEarly: "a_sliding_window_forgets",
    FreezesOneAccountAlone: "freezing_stops_everything_below",
    SettlesTwice: "settling_twice_is_once",
    KeepsTheShare: "the_rest_goes_back",
    TakesNoShare: "a_share_is_taken_out",
    TopsUpTwice: "a_top_up_counts_once",
    IgnoresWhatComesLate: "a_late_answer_replaces_the_estimate",
    GivesMissingUsageBack: "no_usage_keeps_the_reservation",
    HidesTheOvershoot: "overshoot_is_recorded",
    RefusesACharge: "a_charge_is_never_refused",
    BlamesTheInnermost: "outermost_is_reported",
    CountsInDoubles: "the_largest_amounts",
    JoinsItsPaths: "look_alike_paths_differ",
    CutsLongTexts: "any_text_is_a_name",
    SharesItsIds: "ids_are_the_accounts_own",
    RunsTheClockAllNight: "waiting_for_a_person",
    ShortensALease: "a_lease_is_renewed",
    CountsOverlapsTwice: "starting_runs_all_above",
    ListsTheCallsInAnyOrder: "charges_are_in_order",
    ListsGrandchildren: "children_are_listed",
    TakesForgottenLimitsAway: "limits_are_set",
    NeverLowersBelowWhatIsHeld: "lowered_below_what_is_spent",
    AdmitsAnUnknownWorstCase: "an_unknown_worst_case_is_refused",
    HasItsOwnTwin: "twins_are_one",
    CutsOffItsTwins: "cancelled_and_done_again",
}


class HomeOf(LedgerHome):
    def __init__(self, kind: Callable[[ManualClock | None], Ledger]) -> None:
        self._kind = kind

    def ledger(self, clock: ManualClock | None = None) -> Ledger:
        return self._kind(clock)


def property_named(name: str) -> LedgerProperty:
    return next(prop for prop in LEDGER_PROPERTIES if prop.name == name)


@pytest.mark.parametrize(("kind", "name"), BITES.items(), ids=[kind.__name__ for kind in BITES])
def test_a_ledger_that_is_broken_in_one_way_breaks_a_property(kind: type[Sound], name: str) -> None:
    property_named(name).check(HomeOf(Sound))
    with pytest.raises((AssertionError, BudgetExceeded)) as broken:
        property_named(name).check(HomeOf(kind))
    assert str(broken.value)


@pytest.mark.parametrize(
    "kind",
    [
        ForgetsItsAncestors, RefundsWhatLapses, ForgetsTheReserve, ForgetsTooEarly, FreezesOneAccountAlone,
        SettlesTwice, KeepsTheShare, TakesNoShare, TopsUpTwice, HidesTheOvershoot, RunsTheClockAllNight, ShortensALease,
    ],
)  # fmt: skip
def test_the_recount_finds_it_too(kind: type[Sound]) -> None:
    with pytest.raises((AssertionError, BudgetExceeded)):
        check_machine(lambda: HomeOf(kind), examples=1000, shortest=False)


class OnTheCallersClock(LedgerHome):
    store_clock = True

    def ledger(self, clock: ManualClock | None = None) -> Ledger:
        return Sound(clock or (lambda: time.time()))  # noqa: PLW0108 - looked up at each call, as a ledger would


def test_a_store_that_takes_the_time_of_its_callers_is_found() -> None:
    with pytest.raises(AssertionError, match=r"hours between two leases, one of a client whose clock is .* s off"):
        property_named("the_clock_is_the_stores").check(OnTheCallersClock())


class NotShared(LedgerHome):
    shared = durable = True

    def ledger(self, clock: ManualClock | None = None) -> Ledger:
        return Sound(clock)

    def again(self) -> Ledger:
        ledger = Sound()
        for depth in range(1, 4):
            ledger.open(("tenant", "run", "branch")[:depth], {})
        return ledger


def test_clients_that_do_not_share_their_books_are_found() -> None:
    about_them = [prop for prop in LEDGER_PROPERTIES if {"shared", "durable"} & {*prop.needs}]
    report = check_ledger(NotShared(), about_them)
    assert [found.prop for found in report.findings if found.held] == []


def test_a_report_counts_what_holds_and_says_what_is_broken() -> None:
    lapsing = [property_named("a_lost_call_becomes_spend"), property_named("worst_case_is_held")]
    report = check_ledger(HomeOf(NeverLapses), [*lapsing, property_named("the_clock_is_the_stores")])
    assert [found.held for found in report.findings] == [False, True, True]
    assert str(report) == (
        "HomeOf: 1 of 2 properties hold\n"
        "BROKEN: rule 5: a reservation that nobody settles expires into spend, at its time and not before\n"
        "  AssertionError: when the lease of 10 s ends: llm_calls (spent, reserved, left) of ('tenant',): "
        "expected (3, 0, 6), found (0, 3, 6)\n"
        "  This breaks rule 5: a reservation that nobody settles expires into spend, at its time and not before"
    )


def test_what_does_not_apply_says_why() -> None:
    found = check_property(property_named("the_clock_is_the_stores"), MemoryHome())
    assert found.skipped == (
        "store's clock: the time is the store's, whatever the clock of a client says: "
        "memory says that its time is the client's"
    )
    with pytest.raises(unittest.SkipTest, match="its books have one client"):
        property_named("two_share_the_last_unit").check(MemoryHome())


def test_a_machine_is_a_test_case_that_fails_for_a_broken_ledger() -> None:
    case = ledger_machine(lambda: HomeOf(TopsUpTwice), examples=1000, shortest=False)
    assert issubclass(case, unittest.TestCase)
    result = unittest.TestResult()
    case("runTest").run(result)
    assert len(result.failures) + len(result.errors) == 1
    sound = unittest.TestResult()
    ledger_machine(MemoryHome, examples=5)("runTest").run(sound)
    assert (sound.testsRun, sound.failures, sound.errors) == (1, [], [])
