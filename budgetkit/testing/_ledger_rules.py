"""Rules 1 to 4 and 6 of the books: set aside, hold everywhere or nowhere, record always, keep what nobody measured."""

from functools import partial
from itertools import product

from budgetkit import Spend

from ._ledger_checks import BRANCH, ONE, RUN, TENANT, balanced, calls, clock, cost, refused, same, tree
from ._ledger_home import LedgerHome
from ._ledger_property import holds

OTHER = (*TENANT, "other")


# -- rule 1: reserve, call, settle ----------------------------------------------------------------------------------


@holds("rule 1", "the worst case of a call is set aside until its cost is known")
def worst_case_is_held(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 10})
    call = ledger.reserve(RUN, calls(4), label="model:x")
    same("what reserve returns", (call.account, call.label, call.asked, call.attempt, call.spend),
         (RUN, "model:x", calls(4), 1, None))  # fmt: skip
    balanced(ledger, (0, 4, 6), "4 of 10 are reserved")
    same("what settling at 1 costs", cost(ledger.settle(call, ONE)), ONE)
    balanced(ledger, (1, 0, 9), "the 4 cost 1")


@holds("rule 1", "what does not fit is refused before it is spent, and the refusal says why")
def what_does_not_fit_is_refused(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 6})
    ledger.settle(ledger.reserve(RUN, ONE), ONE)
    ledger.reserve(RUN, calls(2))
    refused(lambda: ledger.reserve(RUN, calls(4)), TENANT, "1 of 6 spent, 2 reserved, 4 asked",
            limit=6, spent=1, reserved=2, asked=4, frozen=False)  # fmt: skip
    balanced(ledger, (1, 2, 3), "after a refusal")


@holds("rule 1", "the outermost exhausted budget is the one reported")
def outermost_is_reported(home: LedgerHome) -> None:
    """Also where an inner one is out of time: a loop over inner budgets ends at the outer one."""
    for inner in ({"llm_calls": 0}, {"llm_calls": 0, "seconds": 0}):
        ledger = tree(home, {"llm_calls": 0}, inner, inner)
        refused(partial(ledger.reserve, BRANCH, ONE), TENANT, "every budget on the way is out")


@holds("rule 1", "calls take what is left to the last unit, and not one more")
def the_last_unit(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 3})
    ledger.settle(ledger.reserve(RUN, ONE), ONE)
    ledger.settle(ledger.reserve(RUN, calls(2)), calls(2))
    balanced(ledger, (3, 0, 0), "3 of 3 are spent")
    refused(lambda: ledger.reserve(RUN, ONE), TENANT, "3 of 3 are spent")


@holds("rule 1", "a call that asks for nothing is admitted at the limit")
def nothing_is_admitted(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 0})
    same("what is reserved", ledger.reserve(RUN, Spend()).asked, Spend())


@holds("rule 1", "a resource that nothing limits is counted and never refused")
def unlimited_is_counted(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 1})
    ledger.settle(ledger.reserve(RUN, Spend(tools={"search": 5})), Spend(tools={"search": 7}))
    balanced(ledger, (7, 0, None), "7 searches", name="tool:search")


# -- rule 2: atomic over the tree -----------------------------------------------------------------------------------


@holds("rule 2", "a refusal anywhere changes nothing anywhere, not even the answer reserve that came with it")
def a_refusal_changes_nothing(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 9, "usd": 9}, {"llm_calls": 9}, {"usd": 1})
    before = ledger.states(BRANCH)
    asked = Spend.from_units({"llm_calls": 1, "usd": 2})
    refused(lambda: ledger.reserve(BRANCH, asked, keep=calls(3)), BRANCH, "2 of 1 nano-dollars", resource="usd")
    same("the states after a refusal", ledger.states(BRANCH), before)


@holds("rule 2", "a call counts on its account and on every account above, and on no other")
def a_call_counts_up_to_the_root(home: LedgerHome) -> None:
    ledger = tree(home)
    ledger.open(OTHER, {})
    ledger.charge(RUN, ONE)
    for account, n in ((TENANT, 1), (RUN, 1), (BRANCH, 0), (OTHER, 0)):
        balanced(ledger, (n, 0, None), f"one call on {RUN}", account=account)


@holds("rule 2", "siblings cannot both take the last unit")
def siblings_share_the_last_unit(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 1})
    ledger.open(OTHER, {})
    ledger.reserve(RUN, ONE)
    refused(lambda: ledger.reserve(OTHER, ONE), TENANT, "a sibling holds the last unit")


@holds("rule 2", "a batch is reserved as its units or not at all")
def a_batch_is_whole(home: LedgerHome) -> None:
    ledger = tree(home, {"tool:search": 3})
    refused(lambda: ledger.reserve(RUN, Spend(tools={"search": 4})), TENANT, "four queries with three left",
            resource="tool:search", limit=3, spent=0, reserved=0, asked=4)  # fmt: skip
    ledger.reserve(RUN, Spend(tools={"search": 3}))
    balanced(ledger, (0, 3, 0), "three queries", name="tool:search")


# -- rule 3: record always, then judge ------------------------------------------------------------------------------


@holds("rule 3", "spend over the limit is on the books, with the overshoot of the tightest limit named")
def overshoot_is_recorded(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 3}, {"llm_calls": 2})
    call = ledger.settle(ledger.reserve(RUN, ONE), calls(5))
    same("settled at 5 over limits of 3 and 2 (spend, overshoot)", (call.spend, call.overshoot), (calls(5), calls(3)))
    same("the overshoot of each account", [s.overshoot for s in ledger.states(RUN)], [calls(2), calls(3)])
    balanced(ledger, (5, 0, 0), "5 spent of 3")


@holds("rule 3", "the overshoot is named to the call that cost more than it reserved, and to no other")
def overshoot_is_the_greedy_calls(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 10})
    greedy, honest = ledger.reserve(RUN, calls(5)), ledger.reserve(RUN, calls(5))
    same("8 spent on a reservation of 5", ledger.settle(greedy, calls(8)).overshoot, calls(3))
    same("5 spent on a reservation of 5", ledger.settle(honest, calls(5)).overshoot, Spend())


@holds("rule 3", "a charge that the limit has no room for is recorded")
def a_charge_is_never_refused(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 2})
    done = ledger.charge(RUN, calls(5))
    same("5 charged of 2 (spend, overshoot)", (done.spend, done.overshoot), (calls(5), calls(3)))
    balanced(ledger, (5, 0, 0), "5 charged of 2")


# -- rule 4: missing usage keeps the reservation --------------------------------------------------------------------


@holds("rule 4", "a call whose usage is missing is kept at its reservation and marked estimated")
def no_usage_keeps_the_reservation(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 9})
    done = ledger.settle(ledger.reserve(RUN, Spend(llm_calls=1, output_tokens=500)))
    names = {"llm_calls", "output_tokens"}
    kept = Spend.from_units({"llm_calls": 1, "output_tokens": 500}, estimated=names)
    same("settled without usage", done.spend, kept)
    same("what the root marks as estimated", ledger.states(TENANT)[-1].spent.estimated, names)


@holds("rule 4", "only what was not measured is estimated")
def only_the_unmeasured_is_estimated(home: LedgerHome) -> None:
    ledger = tree(home)
    call = ledger.reserve(RUN, Spend(llm_calls=1, output_tokens=500, usd="0.01"))
    done = ledger.settle(call, Spend(llm_calls=1, output_tokens=None, usd="0.002"))
    same("settled without its output tokens", done.spend, Spend.from_units(
        {"llm_calls": 1, "output_tokens": 500, "usd": 2_000_000}, estimated=["output_tokens"]))  # fmt: skip


@holds("rule 4", "an estimate is never less than what is known")
def an_estimate_is_at_least_what_is_known(home: LedgerHome) -> None:
    ledger = tree(home)
    known = Spend.from_units({"output_tokens": 700}, unmeasured=["output_tokens"])
    done = ledger.settle(ledger.reserve(RUN, Spend(output_tokens=500)), known)
    same("500 reserved, 700 or more spent", done.spend,
         Spend.from_units({"output_tokens": 700}, estimated=["output_tokens"]))  # fmt: skip


@holds("rule 4", "what was neither measured nor reserved stays unknown, up to the root")
def the_unknown_stays_unknown(home: LedgerHome) -> None:
    ledger = tree(home)
    done = ledger.settle(ledger.reserve(BRANCH, ONE), Spend(llm_calls=1, usd=None))
    same("the dollars of the call", cost(done)["usd"], None)
    same("the dollars of each account", [s.spent["usd"] for s in ledger.states(BRANCH)], [None, None, None])


@holds("rule 4", "a late answer replaces the estimate and its mark")
def a_late_answer_replaces_the_estimate(home: LedgerHome) -> None:
    at = clock()
    ledger = tree(home, {"llm_calls": 9}, at=at)
    call = ledger.reserve(RUN, calls(4), lease=10)
    at.advance(11)
    same("which charges lapsed", [c.lapsed for c in ledger.charges(RUN)], [True])
    same("what is estimated", ledger.states(TENANT)[-1].spent.estimated, {"llm_calls"})
    ledger.settle(call, ONE)
    balanced(ledger, (1, 0, 8), "a lapsed call of 4 cost 1 after all")
    same("what is estimated still", ledger.states(TENANT)[-1].spent.estimated, frozenset[str]())
    same("the charges (spend, lapsed)", [(c.spend, c.lapsed) for c in ledger.charges(RUN)], [(ONE, False)])


# -- rule 6: only the owner swallows --------------------------------------------------------------------------------


@holds("rule 6", "a refusal names the account whose limit it is")
def a_refusal_names_its_account(home: LedgerHome) -> None:
    for limits in product([0, 5], repeat=3):
        ledger = tree(home, *({"llm_calls": n} for n in limits))
        empty = [account for account, n in zip((TENANT, RUN, BRANCH), limits, strict=True) if n == 0]
        if empty:
            refused(partial(ledger.reserve, BRANCH, ONE), empty[0], f"limits of {limits}")
        else:
            ledger.reserve(BRANCH, ONE)


@holds("rule 6", "only the final call of an account uses its answer reserve, and no call below it")
def the_answer_reserve_is_the_owners(home: LedgerHome) -> None:
    ledger = home.ledger()
    ledger.open(TENANT, {"llm_calls": 2}, keep=ONE)
    ledger.open(RUN, {"llm_calls": 2}, keep=ONE)
    ledger.reserve(RUN, ONE, final=True)
    refused(lambda: ledger.reserve(RUN, ONE, final=True), TENANT, "only the reserve of the root is left",
            limit=2, spent=0, reserved=2, asked=1)  # fmt: skip
    refused(lambda: ledger.reserve(TENANT, ONE), TENANT, "only the reserve is left, and the call is not final")
    ledger.reserve(TENANT, ONE, final=True)
    balanced(ledger, (0, 2, 0), "the reserve is used")


@holds("rule 6", "an answer reserve that comes with a call is set in the same step, and the call fits beside it")
def keep_is_set_with_the_call(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 4})
    refused(lambda: ledger.reserve(TENANT, calls(3), keep=calls(2)), TENANT, "3 beside 2 of 4", reserved=2)
    ledger.reserve(TENANT, calls(2), keep=calls(2))
    same("the answer reserve", ledger.states(TENANT)[-1].kept, calls(2))
    refused(lambda: ledger.reserve(RUN, ONE), TENANT, "2 reserved and 2 kept of 4", reserved=4)
