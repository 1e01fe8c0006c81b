"""Rule 5 of the books: whatever is said twice counts once, and no reservation is forgotten or immortal."""

import copy
from functools import partial
from math import inf, nan

from budgetkit import Reservation, Spend

from ._ledger_checks import BRANCH, ONE, RUN, TENANT, balanced, calls, clock, cost, fails, refused, same, tree
from ._ledger_home import LedgerHome
from ._ledger_property import holds


@holds("rule 5", "settling twice is settling once, whatever the second says")
def settling_twice_is_once(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 9})
    call = ledger.reserve(RUN, calls(3))
    ledger.settle(call, ONE)
    same("what the second settlement returns", cost(ledger.settle(call, calls(7))), ONE)
    ledger.release(call)
    balanced(ledger, (1, 0, 8), "settled at 1, settled at 7, released")


@holds("rule 5", "a copy of a reservation settles the same call once")
def a_copy_is_the_same_call(home: LedgerHome) -> None:
    for name in (None, "call"):
        ledger = tree(home, {"llm_calls": 9})
        call = ledger.reserve(RUN, calls(3), id=name)
        for _ in range(2):
            ledger.settle(copy.deepcopy(call), ONE)
        ledger.settle(call, ONE)
        balanced(ledger, (1, 0, 8), f"id={name!r}: two copies and the original are settled")
        same("charges", len(ledger.charges(TENANT)), 1)


@holds("rule 5", "a charge with an id is charged once, on each account for itself")
def a_charge_with_an_id_counts_once(home: LedgerHome) -> None:
    ledger = tree(home)
    for n in (1, 2):
        same("what the charge returns", cost(ledger.charge(RUN, calls(n), id="c")), ONE)
    ledger.charge(TENANT, ONE, id="c")
    balanced(ledger, (2, 0, None), "one id, twice on one account and once on another")


@holds("rule 5", "a charge with the id of a reservation settles it")
def a_charge_settles_its_reservation(home: LedgerHome) -> None:
    """Who reserves and who meters may be two; between them they count one call."""
    ledger = tree(home, {"llm_calls": 9})
    call = ledger.reserve(RUN, calls(3), id="c")
    ledger.charge(RUN, ONE, id="c")
    ledger.settle(call, calls(2))
    balanced(ledger, (1, 0, 8), "reserved 3, charged 1 under the same id, settled at 2")


@holds("rule 5", "a node that is re-entered finds its reservation")
def re_entering_finds_the_reservation(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 3})
    first = ledger.reserve(RUN, calls(3), id="node", label="first")
    again = ledger.reserve(RUN, calls(3), id="node", label="again")
    same("(id, attempt, label)", (again.id, again.attempt, again.label), (first.id, 1, "first"))
    balanced(ledger, (0, 3, 0), "3 reserved twice under one id")


@holds("rule 5", "a node that is re-entered and needs more holds more, or is refused and holds what it held")
def re_entering_widens(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 5})
    ledger.reserve(RUN, calls(2), id="node")
    for asked in (4, 1):
        same(f"held when {asked} are asked", ledger.reserve(RUN, calls(asked), id="node").asked, calls(4))
    refused(lambda: ledger.reserve(RUN, calls(6), id="node"), TENANT, "2 more than the 4 that are held, of 5",
            limit=5, spent=0, reserved=4, asked=2)  # fmt: skip
    balanced(ledger, (0, 4, 1), "after the refusal")


@holds("rule 5", "a settled id is returned as it stands; asked for again, it is a further attempt and paid again")
def again_is_a_further_attempt(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 2})
    ledger.settle(ledger.reserve(RUN, ONE, id="node"), ONE)
    found = ledger.reserve(RUN, ONE, id="node")
    same("the settled id, reserved (attempt, spend)", (found.attempt, found.spend), (1, ONE))
    second = ledger.reserve(RUN, ONE, id="node", again=True)
    same("reserved again (attempt, spend)", (second.attempt, second.spend), (2, None))
    ledger.settle(second, ONE)
    refused(lambda: ledger.reserve(RUN, ONE, id="node", again=True), TENANT, "two attempts of two")
    same("charges", [(c.id, c.attempt) for c in ledger.charges(RUN)], [("node", 1), ("node", 2)])


@holds("rule 5", "a late settlement of an earlier attempt is that attempt's")
def late_settlement_of_an_earlier_attempt(home: LedgerHome) -> None:
    at = clock()
    ledger = tree(home, {"llm_calls": 9}, at=at)
    first = copy.deepcopy(ledger.reserve(RUN, calls(3), id="node", lease=1))
    at.advance(2)
    ledger.reserve(RUN, calls(2), id="node", again=True)
    same("attempt 1, which lapsed, is settled", cost(ledger.settle(first, ONE)), ONE)
    balanced(ledger, (1, 2, 6), "attempt 1 cost 1, attempt 2 holds 2")


@holds("rule 5", "a reservation that nobody settles expires into spend, at its time and not before")
def a_lost_call_becomes_spend(home: LedgerHome) -> None:
    at = clock()
    ledger = tree(home, {"llm_calls": 9}, at=at)
    ledger.reserve(RUN, calls(3), lease=10)
    at.advance(9.875)
    balanced(ledger, (0, 3, 6), "an eighth of a second before the lease of 10 s ends")
    at.advance(0.125)
    balanced(ledger, (3, 0, 6), "when the lease of 10 s ends")
    same("the charges (asked, spend, lapsed)", [(c.asked, cost(c).as_units(), c.lapsed) for c in ledger.charges(RUN)],
         [(calls(3), {"llm_calls": 3}, True)])  # fmt: skip


@holds("rule 5", "a lapsed id is returned as it stands")
def a_lapsed_id_stands(home: LedgerHome) -> None:
    at = clock()
    ledger = tree(home, {"llm_calls": 9}, at=at)
    ledger.reserve(RUN, calls(3), id="node", lease=1)
    at.advance(2)
    found = ledger.reserve(RUN, calls(3), id="node")
    same("the lapsed id, reserved (attempt, lapsed, spend)", (found.attempt, found.lapsed, cost(found)["llm_calls"]),
         (1, True, 3))  # fmt: skip
    balanced(ledger, (3, 0, 6), "found, not reserved")


@holds("rule 5", "a lease is renewed, never shortened, and not after it ended")
def a_lease_is_renewed(home: LedgerHome) -> None:
    at = clock()
    ledger = tree(home, {"llm_calls": 9}, at=at)
    call = ledger.reserve(RUN, ONE, lease=10)
    at.advance(9)
    ledger.renew(call, lease=10)
    ledger.renew(call, lease=1)
    at.advance(9)
    balanced(ledger, (0, 1, 8), "18 s after a lease of 10 s, renewed after 9")
    at.advance(1)
    ledger.renew(call, lease=10)
    balanced(ledger, (1, 0, 8), "19 s after, too late for another renewal")


@holds("rule 5", "reserving an open id again renews its lease")
def reserving_again_renews(home: LedgerHome) -> None:
    at = clock()
    ledger = tree(home, at=at)
    for _ in range(4):
        same("attempt", ledger.reserve(RUN, ONE, id="long", lease=10).attempt, 1)
        at.advance(9)
    balanced(ledger, (0, 1, None), "36 s, and a lease of 10 s that was renewed every 9")
    at.advance(1)
    balanced(ledger, (1, 0, None), "10 s after the last renewal")


@holds("rule 5", "no reservation is immortal: a lease without an end is refused")
def no_lease_without_end(home: LedgerHome) -> None:
    ledger = tree(home)
    for lease in (0, -1, nan, inf):
        fails(partial(ledger.reserve, RUN, ONE, lease=lease), ValueError, f"lease={lease}")
    balanced(ledger, (0, 0, None), "after refusals")


@holds("rule 5", "what was certainly never sent is taken back, and its id may be reserved again")
def a_release_costs_nothing(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 1})
    call = ledger.reserve(RUN, ONE, id="node")
    for _ in range(2):
        ledger.release(call)
    balanced(ledger, (0, 0, 1), "released twice")
    same("charges", ledger.charges(TENANT), ())
    again = ledger.reserve(RUN, ONE, id="node")
    same("reserved anew", again.spend, None)
    ledger.settle(call, ONE)
    balanced(ledger, (1, 1, 0), "the one that was taken back is settled after all, beside its successor")


@holds("rule 5", "a call that was taken back and sent after all is recorded at what it cost")
def released_and_settled(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 9})
    call = ledger.reserve(RUN, calls(3))
    ledger.release(call)
    same("settled after it was released", cost(ledger.settle(call, calls(2))), calls(2))
    balanced(ledger, (2, 0, 7), "taken back, and cost 2")


@holds("rule 5", "what lapsed but was certainly never sent costs nothing")
def lapsed_and_released(home: LedgerHome) -> None:
    at = clock()
    ledger = tree(home, {"llm_calls": 1}, at=at)
    call = ledger.reserve(RUN, ONE, lease=1)
    at.advance(2)
    ledger.release(call)
    balanced(ledger, (0, 0, 1), "lapsed, and released")


@holds("rule 5", "a call that the books have never seen is recorded once")
def a_stranger_is_recorded_once(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 9})
    stranger = Reservation("elsewhere", RUN, "model:x", calls(3))
    for _ in range(2):
        ledger.settle(copy.deepcopy(stranger), ONE)
    balanced(ledger, (1, 0, 8), "a reservation from elsewhere, settled twice")


@holds("rule 5", "ids are an account's own, and one that the books made up cannot be guessed")
def ids_are_the_accounts_own(home: LedgerHome) -> None:
    ledger = tree(home)
    unnamed = ledger.reserve(RUN, ONE)
    ledger.settle(ledger.reserve(RUN, ONE, id="x"), ONE)
    ledger.reserve(RUN, ONE, id="x", again=True)
    for name in ("#1", "1", "x@1", "", unnamed.id.split("-")[0]):
        same(f"attempt of {name!r}", ledger.reserve(RUN, ONE, id=name).attempt, 1)
    same("the same id below", ledger.reserve(BRANCH, ONE, id="x").attempt, 1)


@holds("rule 5", "who spent what, by label, in the order of settling")
def charges_are_in_order(home: LedgerHome) -> None:
    ledger = tree(home)
    first, second = ledger.reserve(BRANCH, ONE, label="first"), ledger.reserve(RUN, ONE, label="second")
    ledger.charge(TENANT, ONE, label="charge")
    ledger.settle(second, calls(2))
    ledger.settle(first, Spend())
    found = [(c.account, c.label, cost(c)["llm_calls"]) for c in ledger.charges(TENANT)]
    same("charges", found, [(TENANT, "charge", 1), (RUN, "second", 2), (BRANCH, "first", 0)])
    same("charges of the branch alone", [c.label for c in ledger.charges(BRANCH)], ["first"])


@holds("rule 5", "opening an account again keeps what it has")
def opening_again_keeps(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 3})
    ledger.charge(RUN, ONE)
    ledger.open(TENANT, {"llm_calls": 99, "usd": 1}, keep=ONE)
    own = ledger.states(TENANT)[-1]
    same("(limits, kept)", (dict(own.limits), own.kept), ({"llm_calls": 3}, Spend()))
    balanced(ledger, (1, 0, 2), "opened twice")
