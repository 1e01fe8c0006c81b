"""Rule 8 of the books: what cannot be kept is refused, and hostile names and amounts are names and amounts."""

from collections.abc import Callable
from functools import partial

from budgetkit import LedgerError, Reservation, Spend

from ._ledger_checks import BRANCH, ONE, RUN, TENANT, balanced, calls, clock, fails, refused, same, tree
from ._ledger_home import LedgerHome
from ._ledger_property import holds

LARGEST = 2**63 - 1
HOSTILE = (
    "a/b", "a\nb", "a:b", "{a}", "a*", "'; drop table accounts; --", '"', "\\", "%s", "\x00", "\x00\x01", "\ud800",
    "x" * 10**6, "", " ", "ключ", "null", '["tenant"]',
)  # fmt: skip


@holds("rule 8", "an account that was never opened can do nothing")
def an_unknown_account_can_do_nothing(home: LedgerHome) -> None:
    ledger = tree(home)
    nobody = (*TENANT, "nobody")
    acts: dict[str, Callable[[], object]] = {
        "reserve": lambda: ledger.reserve(nobody, ONE),
        "charge": lambda: ledger.charge(nobody, ONE),
        "settle": lambda: ledger.settle(Reservation("x", nobody, "", ONE), ONE),
        "release": lambda: ledger.release(Reservation("x", nobody, "", ONE)),
        "pause": lambda: ledger.pause(Reservation("x", nobody, "", ONE)),
        "renew": lambda: ledger.renew(Reservation("x", nobody, "", ONE)),
        "states": lambda: ledger.states(nobody),
        "charges": lambda: ledger.charges(nobody),
        "children": lambda: ledger.children(nobody),
        "top_up": lambda: ledger.top_up(nobody, ONE, id="x"),
        "set_limits": lambda: ledger.set_limits(nobody, {"usd": 1}),
        "freeze": lambda: ledger.freeze(nobody),
        "unfreeze": lambda: ledger.unfreeze(nobody),
        "open below it": lambda: ledger.open((*nobody, "child"), {}),
        "start": lambda: ledger.start(nobody, lease=1),
        "close": lambda: ledger.close(nobody),
    }
    for name, act in acts.items():
        same(f"{name}: whether the message names the account", "nobody" in fails(act, LedgerError, name), True)
    same("children", ledger.children(TENANT), (RUN,))


@holds("rule 8", "an account needs a name")
def an_account_needs_a_name(home: LedgerHome) -> None:
    ledger = home.ledger()
    fails(lambda: ledger.open((), {}), LedgerError, "the account ()")


@holds("rule 8", "an unknown worst case is refused under a limit, and only there")
def an_unknown_worst_case_is_refused(home: LedgerHome) -> None:
    asked = Spend(llm_calls=1, usd=None)
    ledger = tree(home, {"usd": 10**9})
    fails(lambda: ledger.reserve(BRANCH, asked), LedgerError, "an unknown amount of dollars under a limit of 1")
    balanced(ledger, (0, 0, None), "after the refusal")
    same("the same call without a limit on dollars",
         tree(home, {"llm_calls": 1}).reserve(BRANCH, asked).spend, None)  # fmt: skip


@holds("rule 8", "a tenant cannot reach into another's account by guessing a path or an id")
def tenants_are_apart(home: LedgerHome) -> None:
    ledger = tree(home, {"llm_calls": 3})
    ledger.open(("mallory",), {"llm_calls": 3})
    theirs = ledger.reserve(TENANT, calls(2), id="call")
    forged = Reservation(theirs.id, ("mallory",), "", ONE)
    ledger.release(forged)
    ledger.settle(forged, Spend())
    same("attempt of the same id elsewhere", ledger.reserve(("mallory",), ONE, id="other").attempt, 1)
    balanced(ledger, (0, 2, 1), "a reservation with the same id was released and settled on another account")
    balanced(ledger, (0, 1, 2), "the account that guessed", account=("mallory",))


@holds("hostile", "any text names an account, a call, a label and a top-up, and comes back as it was")
def any_text_is_a_name(home: LedgerHome) -> None:
    ledger = tree(home)
    for n, name in enumerate(HOSTILE, 1):
        account = (*TENANT, name)
        ledger.open(account, {"llm_calls": 0})
        for _ in range(2):
            ledger.top_up(account, ONE, id=name)
        ledger.settle(ledger.reserve(account, ONE, id=name, label=name), ONE)
        refused(partial(ledger.reserve, account, ONE), account, "the one call is made")
        same("charges", [(c.account, c.id, c.label) for c in ledger.charges(account)], [(account, name, name)])
        balanced(ledger, (n, 0, None), f"{n} names")
    same("children", set(ledger.children(TENANT)), {RUN, *((*TENANT, name) for name in HOSTILE)})


@holds("hostile", "accounts whose paths look alike are different accounts")
def look_alike_paths_differ(home: LedgerHome) -> None:
    ledger = home.ledger()
    alike = [
        ("a/b", "c"), ("a", "b/c"), ("a", "b", "c"), ("a\x00b", "c"), ("a", "b\x00c"), ('a","b', "c"), ("a", "B"),
        ("a", "b"), ("a", "b "), ("a", ""), ("a", "", ""), ("é",), ("e\u0301",), ("1",), ("01",),
    ]  # fmt: skip
    paths = sorted({path[:depth] for path in alike for depth in range(1, len(path) + 1)}, key=len)
    for path in paths:
        ledger.open(path, {})
        ledger.charge(path, ONE, id="same")
    for path in paths:
        below = sum(other[: len(path)] == path for other in paths)
        balanced(ledger, (below, 0, None), "one call on each account", account=path)
        same(f"children of {path}", set(ledger.children(path)),
             {other for other in paths if other[:-1] == path})  # fmt: skip


@holds("hostile", "resources of any printable name are counted apart")
def any_resource_is_counted(home: LedgerHome) -> None:
    names = ["tool:a b", "tool:a:b", "tool:a.b", "tool:'", 'tool:"', "tool:{}", "Größe", "x" * 200, "limits", "path"]
    ledger = tree(home, dict.fromkeys(names, 5))
    ledger.settle(ledger.reserve(RUN, Spend.from_units(dict.fromkeys(names, 2))), Spend.from_units({names[0]: 1}))
    ledger.charge(RUN, Spend.from_units(dict.fromkeys(names, 3)))
    for name in names:
        balanced(ledger, (4, 0, 1) if name == names[0] else (3, 0, 2), "3 charged", name=name)


@holds("amounts", "the largest amounts are exact to the unit, and so are their sums")
def the_largest_amounts(home: LedgerHome) -> None:
    ledger = tree(home, {"pages": LARGEST}, {"pages": LARGEST - 1})
    most = Spend.from_units({"pages": LARGEST})
    refused(lambda: ledger.reserve(BRANCH, most), RUN, "one unit more than there are", resource="pages",
            limit=LARGEST - 1, spent=0, asked=LARGEST)  # fmt: skip
    call = ledger.reserve(BRANCH, Spend.from_units({"pages": LARGEST - 1}))
    balanced(ledger, (0, LARGEST - 1, 1), "all but one unit", name="pages")
    ledger.settle(call, Spend.from_units({"pages": LARGEST - 2}))
    balanced(ledger, (LARGEST - 2, 0, 2), "all but two units", name="pages")
    same("overshoot", ledger.charge(BRANCH, most).overshoot.in_units("pages"), LARGEST - 1)
    balanced(ledger, (2 * LARGEST - 2, 0, 0), "and as many again", name="pages")
    ledger.top_up(TENANT, most, id="t")
    balanced(ledger, (2 * LARGEST - 2, 0, 2), "topped up by as many", name="pages")


@holds("amounts", "units beyond the doubles are counted one by one")
def units_beyond_doubles(home: LedgerHome) -> None:
    """A store that counts in doubles loses single units above 2**53."""
    start = 2**53
    ledger = tree(home, {"pages": start + 8})
    ledger.charge(RUN, Spend.from_units({"pages": start}))
    for n in range(1, 9):
        ledger.settle(ledger.reserve(RUN, Spend.from_units({"pages": 1})), Spend.from_units({"pages": 1}))
        balanced(ledger, (start + n, 0, 8 - n), f"2**53 and {n}", name="pages")
    refused(lambda: ledger.reserve(RUN, Spend.from_units({"pages": 1})), TENANT, "all is spent", resource="pages")


@holds("amounts", "the largest amounts are exact under windows, shares and leases")
def the_largest_amounts_everywhere(home: LedgerHome) -> None:
    at = clock()
    ledger = home.ledger(at)
    ledger.open(TENANT, {"pages": LARGEST})
    ledger.open(RUN, {"pages": LARGEST - 1}, prepaid=True)
    balanced(ledger, (0, LARGEST - 1, 1), "a share of all but one", name="pages")
    ledger.reserve(RUN, Spend.from_units({"pages": LARGEST - 3}), lease=1)
    at.advance(2)
    balanced(ledger, (LARGEST - 3, 2, 1), "all but two of the share have lapsed", name="pages")
    ledger.close(RUN)
    balanced(ledger, (LARGEST - 3, 0, 3), "the share is closed", name="pages")
