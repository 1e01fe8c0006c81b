"""A ledger's balances beside those of the brute-force recount."""

from collections.abc import Mapping
from typing import Any

from budgetkit import Account, AccountState, Ledger

from ._ledger_checks import same
from ._ledger_recount import COUNTS, Recount, RecountAccount, Units, above

__all__ = ["above_zero", "compare"]


def compare(ledger: Ledger, recount: Recount) -> None:
    """Every balance of every account, and every charge once.

    Raises:
        AssertionError: one differs; the message names it.
    """
    for account, entry in recount.accounts.items():
        states = ledger.states(account)
        same(f"accounts above {account}", [state.account for state in states], above(account))
        _compare_account(states[-1], entry, recount)
        for state in states:
            _compare_view(state, account, recount)
    _compare_charges(ledger, recount)


def above_zero(units: Mapping[str, int]) -> Units:
    """What is more than nothing."""
    return {name: n for name, n in units.items() if n > 0}


def _compare_account(state: AccountState, entry: RecountAccount, recount: Recount) -> None:
    account = state.account
    same(f"limits of {account}", dict(state.limits), entry.limits)
    same(f"(kept, window, frozen) of {account}", (state.kept.as_units(), state.window, state.frozen),
         (above_zero(entry.keep), entry.window, entry.frozen))  # fmt: skip
    same(f"milliseconds of {account}", state.spent.in_units("seconds"), recount.micros(account) // 1000)
    for name, limit in state.limits.items():
        if name != "seconds":
            total = state.spent.in_units(name) + state.reserved.in_units(name) + (state.left(name) or 0)
            same(f"spent + reserved + left - limit of {name} of {account}", total - limit, recount.over(account, name))
    _compare_marks(state, recount)


def _compare_marks(state: AccountState, recount: Recount) -> None:
    """What is not exact says so; in a window, it may say so still when that is over."""
    over = [call for call in recount.below(state.account) if call.over]
    for kind in ("estimated", "unmeasured"):
        marks: frozenset[str] = getattr(state.spent, kind)
        wanted = {name for call in over for name in getattr(call, kind)}
        present = {name for call in over if recount.counts(state.account, call.booked) for name in getattr(call, kind)}
        same(f"{kind} of {state.account}", (marks - wanted, present - marks), (set[str](), set[str]()))


def _compare_view(state: AccountState, account: Account, recount: Recount) -> None:
    """An account above, as this one sees it: nothing negative (a `Spend` cannot be), and to the unit."""
    for name in COUNTS:
        found = (state.spent.in_units(name), state.reserved.in_units(name))
        wanted = (recount.spent(state.account, name), recount.reserved_as_seen_by(account, state.account, name))
        same(f"{name} (spent, reserved) of {state.account} as seen by {account}", found, wanted)


def _compare_charges(ledger: Ledger, recount: Recount) -> None:
    def shown(account: Account, attempt: int, lapsed: bool, spend: Units) -> tuple[Any, ...]:
        return account, attempt, lapsed, above_zero(spend)

    root = next(iter(recount.accounts))
    found = [shown(c.account, c.attempt, c.lapsed, c.spend.as_units() if c.spend else {}) for c in ledger.charges(root)]
    wanted = [shown(c.account, c.attempt, c.state == "lapsed", c.spend) for c in recount.journal]
    same(f"charges of {root} (account, attempt, lapsed, spend)", found, wanted)
