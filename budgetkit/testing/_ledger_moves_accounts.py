"""What the state machine does with accounts: opens, closes and starts them, and changes their limits."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from budgetkit import Account, LedgerError, Spend, Window

from ._ledger_checks import fails
from ._ledger_compare import above_zero
from ._ledger_moves import accounts, amounts, keeps, leases, limits, new_limits, windows
from ._ledger_recount import Period, RecountAccount, Units
from ._ledger_world import ROOT, SECOND, World

__all__ = ["AccountMoves"]

_ACCOUNTS, _DEPTH = 6, 4


class AccountMoves(World):
    """Accounts."""

    @initialize(limits=limits, keep=keeps, window=windows)
    def open_root(self, limits: Units, keep: Units | None, window: Window | None) -> None:
        """There is a root."""
        if ROOT not in self.recount.accounts:
            self._open(ROOT, limits, keep or {}, prepaid=False, window=window)

    @initialize(limits=limits, prepaid=st.booleans(), below=limits, window=windows)
    def open_two_more(self, limits: Units, prepaid: bool, below: Units, window: Window | None) -> None:
        """There are accounts below it, so that much has somewhere to go wrong from the start."""
        if ROOT not in self.recount.accounts:
            self._open(ROOT, {}, {}, prepaid=False, window=None)
        child = (*ROOT, "child")
        self._open(child, limits, {}, prepaid=prepaid, window=None)
        if child in self.recount.accounts:
            self._open((*child, "below"), below, {}, prepaid=False, window=window)

    @precondition(lambda self: len(self.recount.accounts) < _ACCOUNTS)
    @rule(number=accounts, limits=limits, keep=keeps, prepaid=st.booleans(), window=windows)
    def open_child(self, number: int, limits: Units, keep: Units | None, prepaid: bool, window: Window | None) -> None:
        """There is another account."""
        parent = self.account(number)
        if len(parent) < _DEPTH:
            name = f"n{len(self.recount.accounts)}"
            self._open((*parent, name), limits, keep or {}, prepaid=prepaid, window=None if prepaid else window)

    def _open(self, account: Account, limits: Units, keep: Units, *, prepaid: bool, window: Window | None) -> None:
        if window is not None and window.kind == "sliding":
            limits = {name: n for name, n in limits.items() if name != "seconds"}
        entry = RecountAccount(dict(limits), dict(keep), prepaid, set(), window)
        share = {name: limits[name] for name in entry.took_out()} if prepaid else {}

        def act() -> None:
            self.ledger.open(account, limits, keep=Spend.from_units(keep), prepaid=prepaid, window=window)

        if self.admitted(self._parent_refusing(account, share), act):
            self.recount.accounts[account] = entry
            entry.shares = set(share)

    def _parent_refusing(self, account: Account, more: Units) -> set[tuple[Account, str]]:
        """Who cannot pay for what a share is to grow by."""
        return self.recount.refusing(account[:-1], more, timed=False)

    @rule(number=accounts)
    def close(self, number: int) -> None:
        """A share goes back."""
        account = self.account(number)
        self.ledger.close(account)
        self.recount.accounts[account].shares.clear()

    @rule(number=accounts)
    def reopen(self, number: int) -> None:
        """An account is opened again, with limits that it does not get; a share is taken out again."""
        account = self.account(number)
        entry = self.recount.accounts[account]
        again = entry.took_out() - entry.shares if entry.prepaid else set[str]()
        free = {name: self.recount.left(account, name) for name in again}
        if self.admitted(
            self._parent_refusing(account, free), lambda: self.ledger.open(account, {"usd": 1}, prepaid=entry.prepaid)
        ):
            entry.shares |= again

    @rule(number=accounts, more=amounts, name=st.sampled_from(["t1", "t2", "t3"]))
    def top_up(self, number: int, more: Units, name: str) -> None:
        """Limits are raised, at the parent's cost if it is a share; under the same id once."""
        account = self.account(number)
        entry = self.recount.accounts[account]
        new = name not in entry.top_ups
        raised = {n: entry.limits[n] + a for n, a in more.items() if a and n in entry.limits and new}
        act = lambda: self.ledger.top_up(account, Spend.from_units(more), id=name)  # noqa: E731 - one line, used once
        if self.admitted(self._parent_refusing(account, self._growth(account, raised)), act):
            entry.limits |= raised
            entry.top_ups.add(name)

    @rule(number=accounts, new=new_limits)
    def set_limits(self, number: int, new: dict[str, int | None]) -> None:
        """Limits are raised, lowered, begun and taken away."""
        account = self.account(number)
        entry = self.recount.accounts[account]
        if "seconds" in new and (new["seconds"] is None or "seconds" not in entry.limits):
            fails(lambda: self.ledger.set_limits(account, new), LedgerError, "seconds begun or taken away")
            return
        set_to = {name: n for name, n in new.items() if n is not None}
        more = above_zero(self._growth(account, set_to))
        if self.admitted(self._parent_refusing(account, more), lambda: self.ledger.set_limits(account, new)):
            entry.limits = {name: n for name, n in entry.limits.items() if name not in new} | set_to
            entry.shares &= entry.limits.keys()

    def _growth(self, account: Account, limits: Units) -> Units:
        """What more of its parent a share takes under these limits."""
        shares = self.recount.accounts[account].shares
        change = {n: self.recount.claim(account, n, a) - self.recount.claim(account, n) for n, a in limits.items()}
        return {name: more for name, more in change.items() if name in shares}

    @rule(number=accounts, frozen=st.booleans())
    def freeze(self, number: int, frozen: bool) -> None:
        """An account is frozen, or unfrozen."""
        account = self.account(number)
        (self.ledger.freeze if frozen else self.ledger.unfreeze)(account)
        self.recount.accounts[account].frozen = frozen

    @rule(number=accounts, lease=leases)
    def start(self, number: int, lease: int) -> None:
        """A scope is open."""
        account = self.account(number)
        period: Period = [self.recount.now, None]
        self.recount.accounts[account].periods.append(period)
        presence = self.ledger.start(account, lease=lease / SECOND)
        self.present.append((presence, period, [self.recount.now + lease]))

    @precondition(lambda self: self.present)
    @rule(number=accounts, twice=st.booleans())
    def stop(self, number: int, twice: bool) -> None:
        """It is closed."""
        presence, period, _ = self.present.pop(number % len(self.present))
        for _ in range(1 + twice):
            self.ledger.stop(presence)
        period[1] = self.recount.now if period[1] is None else period[1]
