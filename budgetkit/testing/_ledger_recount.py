"""The books by brute force: a list of calls, from which every balance is counted anew.

It shares no code with any ledger. All amounts and times are integers; times are microseconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from math import inf

from budgetkit import Account, Spend, Window

__all__ = ["COUNTS", "Period", "Recount", "RecountAccount", "RecountCall", "Units"]

Units = dict[str, int]
Period = list[int | None]
"""From when to when something ran; None: it runs still."""
COUNTS = ("llm_calls", "tool:search", "usd")
_SECOND = 10**6


@dataclass(eq=False)
class RecountCall:
    """One attempt of one call; ``state`` is open, settled, lapsed or released."""

    account: Account
    id: str
    attempt: int
    asked: Units
    periods: list[Period]
    expires: int
    state: str = "open"
    spend: Units = field(default_factory=dict[str, int])
    booked: int = 0
    """When it was settled; when it expired, if it lapsed, also where that is corrected later."""
    estimated: frozenset[str] = frozenset()
    unmeasured: frozenset[str] = frozenset()

    @property
    def over(self) -> bool:
        """Whether it is on the books as spent."""
        return self.state in {"settled", "lapsed"}

    @property
    def paused(self) -> bool:
        """Whether its clock stands still."""
        return self.periods[-1][1] is not None

    def stop(self, now: int) -> None:
        """Its clock stands still."""
        if not self.paused:
            self.periods[-1][1] = now


@dataclass(eq=False)
class RecountAccount:
    """One account; ``shares`` are the resources that it has taken out of its parent."""

    limits: Units
    keep: Units
    prepaid: bool
    shares: set[str]
    window: Window | None = None
    frozen: bool = False
    periods: list[Period] = field(default_factory=list[Period])
    top_ups: set[str] = field(default_factory=set[str])

    def took_out(self) -> set[str]:
        """What a share is made of: every limit but that on time, which cannot be taken out."""
        return set(self.limits) - {"seconds"}


class Recount:
    """Events in a list, and nothing remembered that can be counted again."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.accounts: dict[Account, RecountAccount] = {}
        self.calls: list[RecountCall] = []
        self.journal: list[RecountCall] = []

    # -- counting ---------------------------------------------------------------------------------------------------

    def below(self, account: Account) -> Iterator[RecountCall]:
        """The calls of an account and of all below it."""
        return (call for call in self.calls if call.account[: len(account)] == account)

    def counts(self, account: Account, booked: int) -> bool:
        """Whether what was booked then still counts in the account's window."""
        window = self.accounts[account].window
        if window is None:
            return True
        if window.kind != "sliding":
            return booked >= _begins(window, self.now)
        part = -(-window.length // 60)
        return self.now < (booked // part + 1) * part + 60 * part

    def spent(self, account: Account, name: str) -> int:
        """What was spent, here and below, and still counts."""
        return sum(
            call.spend.get(name, 0) for call in self.below(account) if call.over and self.counts(account, call.booked)
        )

    def held(self, account: Account, name: str) -> int:
        """What is spent or reserved: the account's own, what its children claim, less what counts no longer."""
        gone = (call for call in self.below(account) if call.over and not self.counts(account, call.booked))
        return self._ever_held(account, name) - sum(call.spend.get(name, 0) for call in gone)

    def _ever_held(self, account: Account, name: str) -> int:
        own = sum(_amount(call, name) for call in self.calls if call.account == account)
        return own + sum(self.claim(child, name) for child in self.accounts if child[:-1] == account)

    def claim(self, account: Account, name: str, limit: int | None = None) -> int:
        """What a child takes out of its parent: all that it holds, or its share if that is more."""
        entry, held = self.accounts[account], self._ever_held(account, name)
        if name not in entry.shares:
            return held
        return max(held, entry.limits[name] if limit is None else limit)

    def left(self, account: Account, name: str) -> int:
        """What is neither spent nor reserved of a limit."""
        return max(0, self.accounts[account].limits[name] - self.held(account, name))

    def over(self, account: Account, name: str) -> int:
        """By how much more is spent or reserved than the limit."""
        limit = self.accounts[account].limits.get(name)
        return 0 if limit is None else max(0, self.held(account, name) - limit)

    def reserved_as_seen_by(self, account: Account, above: Account, name: str) -> int:
        """What is reserved above: all but the shares that were taken out for this very account."""
        on_the_way = (account[:depth] for depth in range(len(above) + 1, len(account) + 1))
        shares = sum(self.left(path, name) for path in on_the_way if name in self.accounts[path].shares)
        return self.held(above, name) - self.spent(above, name) - shares

    def micros(self, account: Account) -> int:
        """For how long the account was in use, overlaps counted once; in a calendar window, since it began."""
        entry = self.accounts[account]
        periods = [p for call in self.below(account) if "seconds" in entry.limits for p in call.periods]
        periods += [p for path, e in self.accounts.items() if path[: len(account)] == account for p in e.periods]
        begin = 0 if entry.window is None or entry.window.kind == "sliding" else _begins(entry.window, self.now)
        total = 0
        for start, end in sorted((start or 0, self.now if end is None else end) for start, end in periods):
            total += max(0, end - max(begin, start))
            begin = max(begin, end)
        return total

    def time_left(self, account: Account, *, final: bool) -> float | None:
        """Seconds to the nearest limit on time."""
        timed = [path for path in above(account) if "seconds" in self.accounts[path].limits]
        micros = [
            int(self._ceiling(path, "seconds", everything=final and path == account)) * 1000 - self.micros(path)
            for path in timed
        ]
        return min(micros) / _SECOND if micros else None

    # -- judging ----------------------------------------------------------------------------------------------------

    def refusing(
        self, account: Account, asked: Units, *, final: bool = False, timed: bool = True
    ) -> set[tuple[Account, str]]:
        """The outermost account that cannot pay, with each resource that it lacks."""
        for path in above(account):
            everything = final and path == account
            lacking = {
                (path, name)
                for name, n in asked.items()
                if self._pays(path, account, name)
                and self.held(path, name) + n > self._ceiling(path, name, everything=everything)
            }  # fmt: skip
            if timed and self.micros(path) >= self._ceiling(path, "seconds", everything=everything) * 1000:
                lacking.add((path, "seconds"))
            if lacking:
                return lacking
        return set()

    def freezing(self, account: Account) -> Account | None:
        """The outermost account on the way that is frozen."""
        return next((path for path in above(account) if self.accounts[path].frozen), None)

    def _ceiling(self, path: Account, name: str, *, everything: bool) -> float:
        entry = self.accounts[path]
        if name not in entry.limits:
            return inf
        return entry.limits[name] - (0 if everything else entry.keep.get(name, 0))

    def _pays(self, path: Account, account: Account, name: str) -> bool:
        """Whether no account below ``path`` on the way has paid for the call already."""
        return not any(name in self.accounts[p].shares for p in above(account) if len(p) > len(path))

    # -- what happens -----------------------------------------------------------------------------------------------

    def find(self, account: Account, name: str | None) -> RecountCall | None:
        """The last attempt under an id."""
        found = [call for call in self.calls if (call.account, call.id) == (account, name)]
        return found[-1] if found else None

    def end(self, call: RecountCall, spend: Spend | None, at: int | None = None) -> None:
        """A call is settled, unless it is already."""
        if call.state == "settled":
            return
        if call.state != "lapsed":
            call.booked = self.now if at is None else at
            self.journal.append(call)
        call.stop(call.booked)
        known = {} if spend is None else spend.as_units()
        missing = frozenset(call.asked) if spend is None else spend.unmeasured
        kept = {n: max(call.asked[n], known.get(n, 0)) for n in missing if n in call.asked}
        call.spend, call.state = known | kept, "settled"
        call.estimated, call.unmeasured = frozenset(kept), missing - kept.keys()

    def pass_time(self, micros: int) -> None:
        """Time passes, and what nobody settled in it has lapsed, each at its own time."""
        self.now += micros
        due = [call for call in self.calls if call.state == "open" and call.expires <= self.now]
        for call in sorted(due, key=lambda call: call.expires):
            self.end(call, None, call.expires)
            call.state = "lapsed"


def above(account: Account) -> list[Account]:
    """The accounts from the root down to this one."""
    return [account[:depth] for depth in range(1, len(account) + 1)]


def _amount(call: RecountCall, name: str) -> int:
    """What the call takes out of its budget as things stand."""
    return (call.asked if call.state == "open" else call.spend if call.over else {}).get(name, 0)


def _begins(window: Window, now: int) -> int:
    """When the calendar window of this moment began; zones are those of a European winter."""
    zone = {"UTC": UTC, "Europe/Berlin": timezone(timedelta(hours=1))}[window.zone]
    local = datetime.fromtimestamp(now // _SECOND, zone).replace(minute=0, second=0)
    if window.kind != "hour":
        local = local.replace(hour=0)
    if window.kind == "week":
        local -= timedelta(days=local.weekday())
    if window.kind == "month":
        local = local.replace(day=1)
    return int(local.timestamp()) * _SECOND
