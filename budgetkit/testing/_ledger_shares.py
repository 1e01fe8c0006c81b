"""Rule 7 of the books: a child draws on its parent's pool, or takes its share out and gives the rest back."""

from collections.abc import Mapping

from budgetkit import Ledger, Spend

from ._ledger_checks import BRANCH, ONE, RUN, TENANT, balanced, calls, refused, same
from ._ledger_home import LedgerHome
from ._ledger_property import holds


def shared_out(home: LedgerHome, limit: int = 10, share: int = 4) -> Ledger:
    """A run that has taken its share out of its tenant."""
    return opened(home, {"llm_calls": limit}, {"llm_calls": share})


def opened(home: LedgerHome, limits: Mapping[str, int], share: Mapping[str, int]) -> Ledger:
    """The same, of any resources."""
    ledger = home.ledger()
    ledger.open(TENANT, limits)
    ledger.open(RUN, share, prepaid=True)
    return ledger


@holds("rule 7", "a child that shares draws on the pool, up to its own limit")
def a_child_draws_on_the_pool(home: LedgerHome) -> None:
    ledger = home.ledger()
    ledger.open(TENANT, {"llm_calls": 3})
    ledger.open(RUN, {"llm_calls": 2})
    balanced(ledger, (0, 0, 3), "a child with a limit of 2 is open")
    ledger.reserve(RUN, calls(2))
    balanced(ledger, (0, 2, 1), "it reserves 2")
    refused(lambda: ledger.reserve(RUN, ONE), RUN, "its own limit is reached")


@holds("rule 7", "a prepaid child takes its share out at the start")
def a_share_is_taken_out(home: LedgerHome) -> None:
    ledger = shared_out(home)
    balanced(ledger, (0, 4, 6), "a share of 4 out of 10")
    refused(lambda: ledger.reserve(TENANT, calls(7)), TENANT, "7 beside a share of 4 out of 10",
            limit=10, spent=0, reserved=4, asked=7)  # fmt: skip


@holds("rule 7", "a prepaid child spends its share even when its parent has nothing left")
def a_share_is_there_to_be_spent(home: LedgerHome) -> None:
    ledger = shared_out(home)
    ledger.settle(ledger.reserve(TENANT, calls(6)), calls(6))
    ledger.settle(ledger.reserve(RUN, calls(4)), calls(4))
    balanced(ledger, (10, 0, 0), "6 of the parent's own, and the share of 4")


@holds("rule 7", "whoever spends from a share sees it as left, not as reserved, here and below")
def a_share_is_left_to_its_owner(home: LedgerHome) -> None:
    ledger = shared_out(home, 4, 4)
    ledger.open(BRANCH, {"llm_calls": 9})
    same("left for the branch, from the root down", [s.left("llm_calls") for s in ledger.states(BRANCH)], [4, 4, 9])
    same("left of the root itself", ledger.states(TENANT)[-1].left("llm_calls"), 0)
    ledger.reserve(BRANCH, calls(4))
    refused(lambda: ledger.reserve(BRANCH, ONE), RUN, "the share is used up", limit=4, spent=0, reserved=4, asked=1)


@holds("rule 7", "the rest of a share goes back at the end, once")
def the_rest_goes_back(home: LedgerHome) -> None:
    ledger = shared_out(home)
    ledger.settle(ledger.reserve(RUN, ONE), ONE)
    for _ in range(2):
        ledger.close(RUN)
    balanced(ledger, (1, 0, 9), "1 of a share of 4 is spent, and the share is closed twice")


@holds("rule 7", "a call in flight when the share ends gives its rest back when it is settled")
def a_call_in_flight_at_the_end(home: LedgerHome) -> None:
    ledger = shared_out(home)
    call = ledger.reserve(RUN, calls(3))
    ledger.close(RUN)
    balanced(ledger, (0, 3, 7), "the share is closed with 3 in flight")
    ledger.settle(call, ONE)
    balanced(ledger, (1, 0, 9), "they cost 1")


@holds("rule 7", "after the end a child draws on the pool, and its own limit holds")
def after_the_end_the_limit_holds(home: LedgerHome) -> None:
    ledger = shared_out(home)
    ledger.close(RUN)
    ledger.reserve(RUN, calls(4))
    balanced(ledger, (0, 4, 6), "4 reserved from the pool")
    refused(lambda: ledger.reserve(RUN, ONE), RUN, "its limit of 4 is reached", limit=4, reserved=4)


@holds("rule 7", "a share that is opened again is what was not used")
def a_share_is_opened_again(home: LedgerHome) -> None:
    ledger = shared_out(home)
    ledger.charge(RUN, ONE)
    ledger.close(RUN)
    for _ in range(2):
        ledger.open(RUN, {"llm_calls": 4}, prepaid=True)
    balanced(ledger, (1, 3, 6), "1 of 4 spent, closed, opened twice")


@holds("rule 7", "a share that the parent cannot pay is refused, and opens nothing")
def a_share_too_large(home: LedgerHome) -> None:
    ledger = home.ledger()
    ledger.open(TENANT, {"llm_calls": 3, "usd": 9}, keep=ONE)
    refused(lambda: ledger.open(RUN, {"usd": 5, "llm_calls": 3}, prepaid=True), TENANT,
            "3 of 3, one of them kept", limit=3, spent=0, reserved=1, asked=3)  # fmt: skip
    same("children", ledger.children(TENANT), ())
    balanced(ledger, (0, 0, 9), "a refused share", name="usd")
    ledger.open(RUN, {"llm_calls": 2}, prepaid=True)
    balanced(ledger, (0, 2, 1), "a share of 2")


@holds("rule 7", "an overshoot of the share is the parent's too, and comes back with a later truth")
def an_overshoot_of_a_share(home: LedgerHome) -> None:
    ledger = shared_out(home)
    first, second = ledger.reserve(RUN, calls(2)), ledger.reserve(RUN, calls(2))
    same("the overshoot of 5 on 2 in a share of 4", ledger.settle(first, calls(5)).overshoot, calls(3))
    balanced(ledger, (5, 2, 3), "5 spent and 2 held by a share of 4 out of 10")
    ledger.settle(second, Spend())
    balanced(ledger, (5, 0, 5), "the 2 cost nothing")


@holds("rule 7", "a share within a share")
def a_share_within_a_share(home: LedgerHome) -> None:
    ledger = shared_out(home, 10, 6)
    ledger.open(BRANCH, {"llm_calls": 4}, prepaid=True)
    balanced(ledger, (0, 6, 4), "a share of 4 out of a share of 6 out of 10")
    ledger.charge(BRANCH, calls(7))
    balanced(ledger, (7, 0, 3), "7: four of its own share, two of the other, one of the pool")
    same("the overshoot of the outer share", ledger.states(RUN)[-1].overshoot, ONE)


@holds("rule 7", "what a prepaid child does not limit it draws from the pool")
def unlimited_in_a_share(home: LedgerHome) -> None:
    ledger = opened(home, {"llm_calls": 9, "usd": 5}, {"llm_calls": 4})
    refused(lambda: ledger.reserve(RUN, Spend.from_units({"usd": 6})), TENANT, "6 of 5", resource="usd")


@holds("rule 7", "time cannot be taken out of a parent")
def time_is_not_shared_out(home: LedgerHome) -> None:
    ledger = opened(home, {"seconds": 10_000}, {"seconds": 20_000})
    same("seconds left", [s.left("seconds") for s in ledger.states(RUN)], [10_000, 20_000])


@holds("rule 7", "a top-up of a share comes out of the parent, or is refused and may be tried again")
def a_top_up_of_a_share(home: LedgerHome) -> None:
    ledger = shared_out(home)
    ledger.top_up(RUN, calls(5), id="more")
    balanced(ledger, (0, 9, 1), "a share of 4, topped up by 5")
    refused(lambda: ledger.top_up(RUN, calls(2), id="too much"), TENANT, "2 more with 1 left", reserved=9, asked=2)
    same("the limit after the refusal", dict(ledger.states(RUN)[-1].limits), {"llm_calls": 9})
    ledger.top_up(TENANT, ONE, id="root")
    ledger.top_up(RUN, calls(2), id="too much")
    balanced(ledger, (0, 11, 0), "the same, once the parent was topped up")


@holds("rule 7", "a top-up first pays what the share overshot")
def a_top_up_pays_the_overshoot(home: LedgerHome) -> None:
    ledger = shared_out(home)
    ledger.charge(RUN, calls(6))
    ledger.top_up(RUN, calls(3), id="more")
    balanced(ledger, (6, 1, 3), "6 spent of a share of 4, which was topped up by 3")


@holds("rule 7", "a share is raised at its parent's cost, lowered to its gain, and ends where its limit is taken away")
def the_limits_of_a_share_are_set(home: LedgerHome) -> None:
    ledger = shared_out(home)
    ledger.charge(RUN, calls(2))
    for limit, reserved in ((7, 5), (3, 1), (1, 0), (4, 2), (None, 0)):
        ledger.set_limits(RUN, {"llm_calls": limit})
        balanced(ledger, (2, reserved, 8 - reserved), f"2 spent of a share that was set to {limit}")
    ledger.set_limits(RUN, {"llm_calls": 5})
    balanced(ledger, (2, 0, 8), "a new limit on what is a share no longer")


@holds("rule 7", "a share cannot be raised beyond what its parent has")
def a_share_cannot_be_raised_beyond(home: LedgerHome) -> None:
    ledger = shared_out(home)
    refused(lambda: ledger.set_limits(RUN, {"llm_calls": 11}), TENANT, "a share of 11 out of 10", reserved=4, asked=7)
    balanced(ledger, (0, 4, 6), "after the refusal")
    same("the limit after the refusal", dict(ledger.states(RUN)[-1].limits), {"llm_calls": 4})
