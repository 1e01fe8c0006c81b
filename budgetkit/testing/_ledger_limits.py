"""What people do to accounts while runs are going: top up, freeze, raise and lower; and where accounts are listed."""

from functools import partial
from typing import Any

from budgetkit import LedgerError, Spend

from ._ledger_checks import BRANCH, ONE, RUN, TENANT, balanced, calls, clock, fails, refused, same, tree
from ._ledger_home import LedgerHome
from ._ledger_property import holds

OTHER = (*TENANT, "other")


@holds("top-up", "a top-up raises the limits that there are, once per id; no limit stays no limit")
def a_top_up_counts_once(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 1})
    for _ in range(2):
        ledger.top_up(TENANT, Spend(llm_calls=2, usd="1"), id="person-said-yes")
    same("limits", dict(ledger.states(TENANT)[-1].limits), {"llm_calls": 3})
    ledger.top_up(TENANT, ONE, id="another")
    balanced(ledger, (0, 0, 4), "1, topped up by 2 and by 1")


@holds("top-up", "the id of a top-up is the account's own")
def the_id_of_a_top_up_is_the_accounts(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 1}, {"llm_calls": 1})
    for account in (TENANT, RUN):
        ledger.top_up(account, ONE, id="t")
    same("left of tenant and run", [s.left("llm_calls") for s in ledger.states(RUN)], [2, 2])


@holds("top-up", "an unknown amount is refused")
def an_unknown_top_up(home: LedgerHome) -> None:
    ledger = tree(home, {"usd": 1})
    fails(lambda: ledger.top_up(TENANT, Spend(usd=None), id="x"), LedgerError, "a top-up by an unknown amount")


@holds("top-up", "what was refused is admitted after a top-up")
def a_top_up_makes_room(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 0})
    refused(lambda: ledger.reserve(RUN, ONE, id="c"), TENANT, "a limit of 0")
    ledger.top_up(TENANT, ONE, id="t")
    same("attempt", ledger.reserve(RUN, ONE, id="c").attempt, 1)
    balanced(ledger, (0, 1, 0), "topped up by 1, which is reserved")


@holds("freeze", "a frozen account admits nothing, nor does any below it; others do")
def freezing_stops_everything_below(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 9})
    ledger.open(OTHER, {})
    ledger.freeze(RUN)
    ledger.open((*RUN, "later"), {})
    for account in (RUN, BRANCH, (*RUN, "later")):
        refused(partial(ledger.reserve, account, ONE), RUN, f"{RUN} is frozen", frozen=True)
    ledger.reserve(OTHER, ONE)
    ledger.reserve(TENANT, ONE)
    same("who is frozen", [s.frozen for s in ledger.states(BRANCH)], [False, True, False])
    balanced(ledger, (0, 2, 7), "one call beside the frozen account, one above")


@holds("freeze", "unfreezing admits again, unless an account above is frozen")
def unfreezing(home: LedgerHome) -> None:
    ledger = tree(home)
    for account in (TENANT, RUN):
        ledger.freeze(account)
    ledger.unfreeze(RUN)
    refused(lambda: ledger.reserve(BRANCH, ONE), TENANT, "the tenant is still frozen", frozen=True)
    for _ in range(2):
        ledger.unfreeze(TENANT)
    ledger.reserve(BRANCH, ONE)
    balanced(ledger, (0, 1, None), "all are unfrozen")


@holds("freeze", "calls in flight on a frozen account are settled, charged and found; it cannot be asked for more")
def calls_in_flight_on_a_frozen_account(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 9})
    call = ledger.reserve(RUN, calls(2), id="c")
    ledger.freeze(TENANT)
    same("held", ledger.reserve(RUN, calls(2), id="c").asked, calls(2))
    refused(lambda: ledger.reserve(RUN, calls(3), id="c"), TENANT, "one more, frozen", frozen=True)
    ledger.settle(call, ONE)
    ledger.charge(RUN, ONE)
    balanced(ledger, (2, 0, 7), "settled and charged while frozen")


@holds("limits", "those named are set, and those not named stay; None takes one away")
def limits_are_set(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 3, "usd": 5})
    ledger.set_limits(TENANT, {"llm_calls": None, "tool:search": 2})
    same("limits", dict(ledger.states(TENANT)[-1].limits), {"usd": 5, "tool:search": 2})
    ledger.reserve(RUN, calls(99))
    refused(lambda: ledger.reserve(RUN, Spend(tools={"search": 3})), TENANT, "3 of 2", resource="tool:search")


@holds("limits", "a new limit counts what was spent and reserved before it")
def a_new_limit_counts_the_past(home: LedgerHome) -> None:
    ledger = tree(home)
    ledger.charge(BRANCH, ONE)
    ledger.reserve(RUN, calls(2))
    ledger.set_limits(TENANT, {"llm_calls": 4})
    balanced(ledger, (1, 2, 1), "a limit of 4 on 1 spent and 2 reserved")
    refused(lambda: ledger.reserve(BRANCH, calls(2)), TENANT, "2 with 1 left", limit=4, spent=1, reserved=2)


@holds("limits", "what is spent stays spent under a limit that was lowered below it")
def lowered_below_what_is_spent(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 9})
    ledger.charge(RUN, calls(3))
    call = ledger.reserve(RUN, calls(2))
    ledger.set_limits(TENANT, {"llm_calls": 1})
    own = ledger.states(TENANT)[-1]
    same("(limits, overshoot) after lowering 9 to 1", (dict(own.limits), own.overshoot), ({"llm_calls": 1}, calls(2)))
    balanced(ledger, (3, 2, 0), "3 spent, 2 reserved, the limit lowered from 9 to 1")
    refused(lambda: ledger.reserve(RUN, ONE), TENANT, "over the limit")
    same("the overshoot of a call within its reservation", ledger.settle(call, calls(2)).overshoot, Spend())
    ledger.set_limits(TENANT, {"llm_calls": 6})
    balanced(ledger, (5, 0, 1), "raised to 6")
    ledger.reserve(RUN, ONE)


@holds("limits", "the answer reserve stays kept under another limit")
def the_reserve_stays_kept(home: LedgerHome) -> None:
    ledger = home.ledger()
    ledger.open(TENANT, {"llm_calls": 2}, keep=ONE)
    ledger.set_limits(TENANT, {"llm_calls": 3})
    ledger.reserve(TENANT, calls(2))
    refused(lambda: ledger.reserve(TENANT, ONE), TENANT, "1 of 3 is kept", limit=3, reserved=3)
    ledger.reserve(TENANT, ONE, final=True)


@holds("limits", "seconds are limited from the start or not at all: raised and lowered, not begun or taken away")
def seconds_from_the_start(home: LedgerHome) -> None:
    at = clock()
    ledger = tree(home, {"seconds": 5000}, at=at)
    fails(lambda: ledger.set_limits(RUN, {"seconds": 1000}), LedgerError, "seconds were not limited")
    fails(lambda: ledger.set_limits(TENANT, {"seconds": None, "usd": 1}), LedgerError, "seconds are taken away")
    same("limits", dict(ledger.states(TENANT)[-1].limits), {"seconds": 5000})
    ledger.set_limits(TENANT, {"seconds": 8000})
    same("time left", ledger.reserve(RUN, ONE).time_left, 8.0)


@holds("limits", "a limit that would admit everything is no limit")
def a_limit_is_an_amount(home: LedgerHome) -> None:
    ledger = home.ledger()
    ledger.open(TENANT, {"usd": 1})
    wrong: tuple[Any, ...] = (-1, float("nan"), 1.5, "3")
    for limit in wrong:
        fails(partial(ledger.open, RUN, {"llm_calls": limit}), ValueError, f"opened with a limit of {limit!r}")
        fails(partial(ledger.set_limits, TENANT, {"usd": limit}), ValueError, f"a limit set to {limit!r}")
    same("children", ledger.children(TENANT), ())


@holds("accounts", "an account lists those right below it, sorted; () the roots")
def children_are_listed(home: LedgerHome) -> None:
    ledger = tree(home)
    same("roots of the books", ledger.children(), (TENANT,))
    for name in ("z", "ä", "Z", "10", "9"):
        ledger.open((*TENANT, name), {})
    ledger.open(("tenant2",), {})
    same("roots", ledger.children(), (TENANT, ("tenant2",)))
    same("below", ledger.children(TENANT), tuple((*TENANT, name) for name in sorted(["z", "ä", "Z", "10", "9", "run"])))
    same("below the run", ledger.children(RUN), (BRANCH,))
    same("below the branch", ledger.children(BRANCH), ())
