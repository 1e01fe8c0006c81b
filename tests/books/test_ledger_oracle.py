"""The memory ledger against a brute-force recount: every balance is worked out anew from a plain list of calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from budgetkit import Account, BudgetExceeded, MemoryLedger, Reservation, Spend
from budgetkit.testing import ManualClock

Units = dict[str, int]
COUNTS = ("llm_calls", "tool:search", "usd")
ROOT: Account = ("root",)


@dataclass
class OracleCall:
    """One attempt of one call; ``state`` is open, settled, lapsed or released."""

    account: Account
    id: str
    attempt: int
    asked: Units
    windows: list[list[int | None]]
    expires: int
    state: str = "open"
    spend: Units = field(default_factory=dict[str, int])
    estimated: frozenset[str] = frozenset()
    unmeasured: frozenset[str] = frozenset()

    @property
    def paused(self) -> bool:
        return self.windows[-1][1] is not None

    def stop(self, now: int) -> None:
        if not self.paused:
            self.windows[-1][1] = now

    @property
    def counts(self) -> Units:
        """What the call takes out of its budget as things stand."""
        return {"open": self.asked, "released": {}}.get(self.state, self.spend)


@dataclass
class OracleAccount:
    limits: Units
    keep: Units
    share_out: bool
    prepaid: bool
    windows: list[list[int | None]] = field(default_factory=list[list[int | None]])


class Oracle:
    """Events in a list, and nothing remembered that can be counted again."""

    def __init__(self) -> None:
        self.now = 0
        self.accounts: dict[Account, OracleAccount] = {}
        self.calls: list[OracleCall] = []

    # -- counting ---------------------------------------------------------------------------------------------------

    def spent(self, account: Account, name: str) -> int:
        below = [c for c in self.calls if c.account[: len(account)] == account and c.state in {"settled", "lapsed"}]
        return sum(c.spend.get(name, 0) for c in below)

    def held(self, account: Account, name: str) -> int:
        own = sum(c.counts.get(name, 0) for c in self.calls if c.account == account)
        children = (a for a in self.accounts if a[:-1] == account)
        return own + sum(self.claim(child, name) for child in children)

    def claim(self, account: Account, name: str) -> int:
        entry, held = self.accounts[account], self.held(account, name)
        return max(held, entry.limits[name]) if entry.prepaid and name in entry.limits else held

    def milliseconds(self, account: Account) -> Fraction:
        """Measure of the union of all windows in which the account was in use."""
        windows = [w for c in self.calls if self._timed(account, c) for w in c.windows]
        windows += [w for path, e in self.accounts.items() if path[: len(account)] == account for w in e.windows]
        ticks = {t for a, b in windows for t in range(a or 0, self.now if b is None else b)}
        return Fraction(len(ticks) * 1000)

    def _timed(self, account: Account, call: OracleCall) -> bool:
        return call.account[: len(account)] == account and "seconds" in self.accounts[account].limits

    # -- judging ----------------------------------------------------------------------------------------------------

    def refusing(self, account: Account, asked: Units, *, final: bool, timed: bool = True) -> set[tuple[Account, str]]:
        """The outermost account that cannot pay, with each resource that it lacks."""
        for depth in range(1, len(account) + 1):
            path = account[:depth]
            lacking = {
                (path, name)
                for name, n in asked.items()
                if self._pays(path, account, name)
                and self.held(path, name) + n > self.ceiling(path, name, final and path == account)
            }
            everything = final and path == account
            if timed and self.milliseconds(path) >= self.ceiling(path, "seconds", everything):
                lacking.add((path, "seconds"))
            if lacking:
                return lacking
        return set()

    def ceiling(self, path: Account, name: str, everything: bool) -> Fraction | float:
        entry = self.accounts[path]
        if name not in entry.limits:
            return float("inf")
        return Fraction(entry.limits[name] - (0 if everything else entry.keep.get(name, 0)))

    def _pays(self, path: Account, account: Account, name: str) -> bool:
        """Whether no account below ``path`` on the way has paid for the call already."""
        between = [account[:d] for d in range(len(path) + 1, len(account) + 1)]
        return not any(self.accounts[a].prepaid and name in self.accounts[a].limits for a in between)

    # -- what happens -----------------------------------------------------------------------------------------------

    def find(self, account: Account, id: str | None) -> OracleCall | None:  # noqa: A002 - as in the protocol
        found = [c for c in self.calls if (c.account, c.id) == (account, id)]
        return found[-1] if found else None

    def end(self, call: OracleCall, spend: Spend | None) -> None:
        if call.state == "settled":
            return
        call.stop(self.now)
        known = {} if spend is None else spend.as_units()
        missing = frozenset(call.asked) if spend is None else spend.unmeasured
        kept = {n: max(call.asked[n], known.get(n, 0)) for n in missing if n in call.asked}
        call.spend, call.state = known | kept, "settled"
        call.estimated, call.unmeasured = frozenset(kept), missing - kept.keys()

    def lapse(self) -> None:
        for call in self.calls:
            if call.state == "open" and call.expires <= self.now:
                call.stop(call.expires)
                self.end(call, None)
                call.state = "lapsed"


amounts = st.fixed_dictionaries({}, optional=dict.fromkeys(COUNTS, st.integers(0, 6)))
limits = st.fixed_dictionaries(
    {}, optional={**dict.fromkeys(COUNTS, st.integers(0, 12)), "seconds": st.integers(0, 12).map(lambda s: s * 1000)}
)
keeps = st.none() | st.fixed_dictionaries({}, optional=dict.fromkeys(("llm_calls", "usd"), st.integers(0, 4)))
ids = st.none() | st.sampled_from(["a", "b", "a@1"])


class LedgerMachine(RuleBasedStateMachine):
    """Any calls in any order: after each step the ledger says what the recount says."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.ledger = MemoryLedger(clock=self.clock)
        self.oracle = Oracle()
        self.handed: list[tuple[Reservation, OracleCall]] = []
        self.settled: list[OracleCall] = []
        self.top_ups: set[tuple[Account, str]] = set()
        self.present: list[tuple[Reservation, list[int | None]]] = []

    @initialize(limits=limits, keep=keeps)
    def open_root(self, limits: Units, keep: Units | None) -> None:
        self._open(ROOT, limits, keep or {}, prepaid=False)

    def _account(self, data: st.DataObject) -> Account:
        return data.draw(st.sampled_from(sorted(self.oracle.accounts)))

    def _handed(self, data: st.DataObject) -> tuple[Reservation, OracleCall]:
        return self.handed[data.draw(st.integers(0, len(self.handed) - 1))]

    @precondition(lambda self: len(self.oracle.accounts) < 6)
    @rule(data=st.data(), limits=limits, keep=keeps, prepaid=st.booleans())
    def open_child(self, data: st.DataObject, limits: Units, keep: Units | None, prepaid: bool) -> None:
        parent = self._account(data)
        if len(parent) < 4:
            self._open((*parent, f"n{len(self.oracle.accounts)}"), limits, keep or {}, prepaid=prepaid)

    def _open(self, account: Account, limits: Units, keep: Units, *, prepaid: bool) -> None:
        share = {n: a for n, a in limits.items() if n != "seconds"} if prepaid else {}
        refusing = self.oracle.refusing(account[:-1], share, final=False, timed=False) if share else set()

        def act() -> None:
            self.ledger.open(account, limits, keep=Spend.from_units(keep), prepaid=prepaid)

        if self._same_verdict(refusing, act):
            self.oracle.accounts[account] = OracleAccount(limits, dict(keep), prepaid, prepaid)

    def _same_verdict(self, refusing: set[tuple[Account, str]], act: Any) -> bool:
        """Run it: refused where the recount refuses, naming the outermost account, and admitted everywhere else."""
        if not refusing:
            act()
            return True
        with pytest.raises(BudgetExceeded) as refusal:
            act()
        assert (refusal.value.account, refusal.value.resource) in refusing
        return False

    @rule(
        data=st.data(),
        asked=amounts,
        name=ids,
        keep=keeps,
        final=st.booleans(),
        again=st.booleans(),
        lease=st.integers(1, 9),
    )
    def reserve(
        self, data: st.DataObject, asked: Units, name: Any, keep: Any, final: bool, again: bool, lease: int
    ) -> None:
        account = self._account(data)
        asked = {name: n for name, n in asked.items() if n}
        found = self.oracle.find(account, name)
        made: list[Reservation] = []

        def act() -> None:
            made.append(
                self.ledger.reserve(
                    account,
                    Spend.from_units(asked),
                    id=name,
                    keep=None if keep is None else Spend.from_units(keep),
                    final=final,
                    again=again,
                    lease=lease,
                )
            )

        if found is not None and found.state in {"settled", "lapsed"} and not again:
            act()
            assert made[0].attempt == found.attempt
            assert made[0].spend is not None
            return
        entry = self.oracle.accounts[account]
        before = entry.keep
        wide = found is not None and found.state == "open"
        more = {n: a - found.asked.get(n, 0) for n, a in asked.items()} if found is not None and wide else asked
        more = {n: a for n, a in more.items() if a > 0}
        entry.keep = before if keep is None else dict(keep)
        refusing = self.oracle.refusing(account, more, final=final)
        if not self._same_verdict(refusing, act):
            entry.keep = before
        elif found is not None and wide:
            found.asked = {n: max(asked.get(n, 0), found.asked.get(n, 0)) for n in {*asked, *found.asked}}
            found.expires = max(0 if found.paused else found.expires, self.oracle.now + lease)
            if found.paused:
                found.windows.append([self.oracle.now, None])
            self.handed.append((made[0], found))
        else:
            attempt = found.attempt + 1 if found is not None else 1
            call = OracleCall(account, made[0].id, attempt, asked, [[self.oracle.now, None]], self.oracle.now + lease)
            self.oracle.calls.append(call)
            self.handed.append((made[0], call))
            assert (made[0].attempt, made[0].spend) == (attempt, None)

    @precondition(lambda self: self.handed)
    @rule(data=st.data(), spend=st.none() | amounts, unmeasured=st.frozensets(st.sampled_from(COUNTS), max_size=2))
    def settle(self, data: st.DataObject, spend: Units | None, unmeasured: frozenset[str]) -> None:
        reservation, call = self._handed(data)
        cost = None if spend is None else Spend.from_units(spend, unmeasured=unmeasured)
        self._settle(call, cost, lambda: self.ledger.settle(reservation, cost))

    def _settle(self, call: OracleCall, cost: Spend | None, act: Any) -> None:
        before = {(a, n): self._over(a, n) for a in self._above(call.account) for n in COUNTS}
        first, untouched = call.state != "settled", call.state in {"open", "released"}
        self.oracle.end(call, cost)
        done = act()
        if untouched:
            self.settled.append(call)
        grown = {n: max(self._over(a, n) - before[a, n] for a in self._above(call.account)) for n in COUNTS}
        if first:
            assert done.overshoot.as_units() == {n: over for n, over in grown.items() if over > 0}
        assert done.spend.as_units() == {n: a for n, a in call.spend.items() if a}

    def _above(self, account: Account) -> list[Account]:
        return [account[:depth] for depth in range(1, len(account) + 1)]

    def _over(self, account: Account, name: str) -> int:
        limit = self.oracle.accounts[account].limits.get(name)
        return 0 if limit is None else max(0, self.oracle.held(account, name) - limit)

    @precondition(lambda self: self.handed)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        reservation, call = self._handed(data)
        self.ledger.release(reservation)
        if call.state == "open":
            call.stop(self.oracle.now)
            call.state = "released"
        elif call.state == "lapsed":
            self.oracle.end(call, Spend())

    @precondition(lambda self: self.handed)
    @rule(data=st.data(), lease=st.integers(1, 20))
    def pause(self, data: st.DataObject, lease: int) -> None:
        reservation, call = self._handed(data)
        self.ledger.pause(reservation, lease=lease)
        if call.state == "open" and not call.paused:
            call.stop(self.oracle.now)
            call.expires = self.oracle.now + lease

    @rule(data=st.data(), spend=amounts, unmeasured=st.frozensets(st.sampled_from(COUNTS), max_size=1), name=ids)
    def charge(self, data: st.DataObject, spend: Units, unmeasured: frozenset[str], name: Any) -> None:
        account = self._account(data)
        cost = Spend.from_units(spend, unmeasured=unmeasured)
        call = self.oracle.find(account, name)
        if call is None:
            call = OracleCall(account, name or f"charge {len(self.oracle.calls)}", 1, {}, [[0, 0]], 0, "released")
            self.oracle.calls.append(call)
        self._settle(call, cost, lambda: self.ledger.charge(account, cost, id=name))

    @rule(data=st.data(), more=amounts, name=st.sampled_from(["t1", "t2", "t3"]))
    def top_up(self, data: st.DataObject, more: Units, name: str) -> None:
        account = self._account(data)
        entry = self.oracle.accounts[account]
        more = {n: a for n, a in more.items() if a and n in entry.limits}
        again = (account, name) in self.top_ups
        share = (
            {n: self._share(account, n, a) - self._share(account, n, 0) for n, a in more.items()}
            if entry.prepaid
            else {}
        )
        refusing = self.oracle.refusing(account[:-1], share, final=False, timed=False) if share and not again else set()
        if (
            self._same_verdict(refusing, lambda: self.ledger.top_up(account, Spend.from_units(more), id=name))
            and not again
        ):
            entry.limits = {n: limit + more.get(n, 0) for n, limit in entry.limits.items()}
            self.top_ups.add((account, name))

    def _share(self, account: Account, name: str, more: int) -> int:
        return max(self.oracle.accounts[account].limits[name] + more, self.oracle.held(account, name))

    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        account = self._account(data)
        self.ledger.close(account)
        self.oracle.accounts[account].prepaid = False

    @rule(data=st.data())
    def reopen(self, data: st.DataObject) -> None:
        account = self._account(data)
        entry = self.oracle.accounts[account]
        took = entry.share_out and not entry.prepaid and len(account) > 1
        free = {n: max(0, limit - self.oracle.held(account, n)) for n, limit in entry.limits.items() if n != "seconds"}
        refusing = self.oracle.refusing(account[:-1], free, final=False, timed=False) if took and free else set()
        if self._same_verdict(refusing, lambda: self.ledger.open(account, {"usd": 1}, prepaid=entry.share_out)):
            entry.prepaid = entry.share_out

    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        account = self._account(data)
        period: list[int | None] = [self.oracle.now, None]
        self.present.append((self.ledger.start(account), period))
        self.oracle.accounts[account].windows.append(period)

    @precondition(lambda self: self.present)
    @rule(data=st.data(), twice=st.booleans())
    def stop(self, data: st.DataObject, twice: bool) -> None:
        presence, period = self.present.pop(data.draw(st.integers(0, len(self.present) - 1)))
        self.ledger.stop(presence)
        if twice:
            self.ledger.stop(presence)
        period[1] = self.oracle.now

    @rule(seconds=st.integers(1, 5), look=st.booleans())
    def time_passes(self, seconds: int, look: bool) -> None:
        """Whether anybody looks at the books while it passes makes no difference."""
        self.clock.advance(seconds)
        self.oracle.now += seconds
        lapsing = [c for c in self.oracle.calls if c.state == "open" and c.expires <= self.oracle.now]
        self.settled += sorted(lapsing, key=lambda c: c.expires)
        self.oracle.lapse()
        if look:
            self.ledger.charges(ROOT)

    @invariant()
    def every_balance_is_the_recount(self) -> None:
        for account, entry in self.oracle.accounts.items():
            state = self.ledger.states(account)[-1]
            assert state.limits == entry.limits
            assert state.kept.as_units() == {n: a for n, a in entry.keep.items() if a}
            assert state.spent.in_units("seconds") == self.oracle.milliseconds(account)
            for name in COUNTS:
                spent, held = self.oracle.spent(account, name), self.oracle.held(account, name)
                assert (state.spent.in_units(name), state.reserved.in_units(name)) == (spent, held - spent)

    @invariant()
    def spent_and_reserved_and_remaining_are_the_limit(self) -> None:
        for account in self.oracle.accounts:
            state = self.ledger.states(account)[-1]
            for name, limit in state.limits.items():
                if name != "seconds":
                    total = state.spent.in_units(name) + state.reserved.in_units(name) + (state.left(name) or 0)
                    assert total - limit == self._over(account, name)
                assert state.overshoot.in_units(name) == max(0, state.spent.in_units(name) - limit)

    @invariant()
    def what_is_left_is_what_can_be_reserved(self) -> None:
        """Never a unit over, and never one left that this account could not have.

        Where an account above is over its limit already, less is shown than a prepaid share still pays for.
        """
        for account in self.oracle.accounts:
            states = self.ledger.states(account)
            for name in COUNTS:
                limited = [state for state in states if name in state.limits]
                left = min(((state.left(name) or 0) for state in limited), default=0)
                over = any(self._over(state.account, name) for state in states[:-1])
                if limited and not over and not any(self.oracle.accounts[state.account].keep for state in states):
                    assert not self.oracle.refusing(account, {name: left}, final=False, timed=False) or not left
                    assert self.oracle.refusing(account, {name: left + 1}, final=False, timed=False)

    @invariant()
    def what_is_not_exact_says_so(self) -> None:
        for account in self.oracle.accounts:
            spent = self.ledger.states(account)[-1].spent
            below = [
                c
                for c in self.oracle.calls
                if c.account[: len(account)] == account and c.state in {"settled", "lapsed"}
            ]
            assert spent.estimated == frozenset[str]().union(*(c.estimated for c in below))
            assert spent.unmeasured == frozenset[str]().union(*(c.unmeasured for c in below))

    @invariant()
    def the_journal_holds_each_settled_call_once(self) -> None:
        if self.oracle.accounts:
            journal = [
                (c.account, c.attempt, None if c.spend is None else c.spend.as_units())
                for c in self.ledger.charges(ROOT)
            ]
            wanted = [(c.account, c.attempt, {n: a for n, a in c.spend.items() if a}) for c in self.settled]
            assert journal == wanted


LedgerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestMemoryLedgerIsTheRecount = LedgerMachine.TestCase
