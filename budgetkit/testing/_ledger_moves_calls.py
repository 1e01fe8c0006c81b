"""What the state machine does with calls: reserves, settles, releases, pauses, renews and charges."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from budgetkit import Account, Reservation, Spend

from ._ledger_checks import same
from ._ledger_compare import above_zero
from ._ledger_moves import accounts, amounts, ids, keeps, leases, unknown
from ._ledger_recount import COUNTS, RecountCall, Units, above
from ._ledger_world import SECOND, World

__all__ = ["CallMoves"]


class CallMoves(World):
    """Calls."""

    @rule(number=accounts, asked=amounts, name=ids, keep=keeps, final=st.booleans(), again=st.booleans(), lease=leases)
    def reserve(
        self, number: int, asked: Units, name: str | None, keep: Units | None, final: bool, again: bool, lease: int
    ) -> None:
        """A call is reserved: made, found and widened, found settled, or refused."""
        account, asked = self.account(number), {name: n for name, n in asked.items() if n}
        found = self.recount.find(account, name)
        options: dict[str, Any] = {"id": name, "final": final, "again": again, "lease": lease / SECOND}
        options["keep"] = None if keep is None else Spend.from_units(keep)
        if found is not None and found.over and not again:
            stands = self.ledger.reserve(account, Spend.from_units(asked), **options)
            same("a settled id, reserved", (stands.attempt, stands.spend is None), (found.attempt, False))
            return
        made = self._reserved(account, asked, found, options)
        if made is not None:
            self._file(account, asked, found, made, self.recount.now + lease)

    def _reserved(
        self, account: Account, asked: Units, found: RecountCall | None, options: dict[str, Any]
    ) -> Reservation | None:
        """Reserve it where the recount says that there is room, and see it refused where there is none."""
        held = found.asked if found is not None and found.state == "open" else {}
        more = {name: n - held.get(name, 0) for name, n in asked.items() if n > held.get(name, 0)}
        entry, final = self.recount.accounts[account], options["final"]
        before = entry.keep
        entry.keep = before if options["keep"] is None else options["keep"].as_units()
        time_left = self.recount.time_left(account, final=final)
        made: list[Reservation] = []

        def act() -> None:
            made.append(self.ledger.reserve(account, Spend.from_units(asked), **options))

        frozen = self.recount.freezing(account) if more else None
        refusing = self.recount.refusing(account, more, final=final)
        if not self.admitted(refusing, act, frozen=frozen):
            entry.keep = before
            return None
        same("time left", made[0].time_left, time_left)
        return made[0]

    def _file(self, account: Account, asked: Units, found: RecountCall | None, made: Reservation, expires: int) -> None:
        """Remember what was made, or how what was found has changed."""
        if found is not None and found.state == "open":
            found.asked = {n: max(asked.get(n, 0), found.asked.get(n, 0)) for n in {*asked, *found.asked}}
            found.expires = expires if found.paused else max(found.expires, expires)
            if found.paused:
                found.periods.append([self.recount.now, None])
            call = found
        else:
            attempt = 1 if found is None else found.attempt + 1
            call = RecountCall(account, made.id, attempt, asked, [[self.recount.now, None]], expires)
            self.recount.calls.append(call)
        same("reserved (attempt, asked, spend)", (made.attempt, made.asked.as_units(), made.spend),
              (call.attempt, call.asked, None))  # fmt: skip
        self.handed.append((made, call))

    @rule(number=accounts, name=st.sampled_from(COUNTS))
    def what_is_left_can_be_reserved(self, number: int, name: str) -> None:
        """To the unit, where every limit is kept; and one unit more cannot."""
        account = self.account(number)
        on_the_way = [self.recount.accounts[path] for path in above(account)]
        if any(self.recount.over(path, name) or self.recount.accounts[path].keep for path in above(account)):
            return
        found = [left for state in self.ledger.states(account) if (left := state.left(name)) is not None]
        if found and not any(entry.frozen or "seconds" in entry.limits for entry in on_the_way):
            self.ledger.release(self.ledger.reserve(account, Spend.from_units({name: min(found)})))
            self.admitted({(path, name) for path in above(account)},
                           lambda: self.ledger.reserve(account, Spend.from_units({name: min(found) + 1})))  # fmt: skip

    @precondition(lambda self: self.handed)
    @rule(number=accounts, spend=st.none() | amounts, unmeasured=unknown, copied=st.booleans())
    def settle(self, number: int, spend: Units | None, unmeasured: frozenset[str], copied: bool) -> None:
        """A call is settled, in whatever state it is; also by a copy of its reservation."""
        reservation, call = self.of_handed(number, copied=copied)
        cost = None if spend is None else Spend.from_units(spend, unmeasured=unmeasured)
        self._settle(call, cost, lambda: self.ledger.settle(reservation, cost))

    @rule(number=accounts, spend=amounts, unmeasured=unknown, name=ids)
    def charge(self, number: int, spend: Units, unmeasured: frozenset[str], name: str | None) -> None:
        """Something is charged, under the id of a call or not."""
        account, cost = self.account(number), Spend.from_units(spend, unmeasured=unmeasured)
        call = self.recount.find(account, name)
        if call is None:
            call = RecountCall(account, name or f"#{len(self.recount.calls)}", 1, {}, [[0, 0]], 0, "released")
            self.recount.calls.append(call)
        self._settle(call, cost, lambda: self.ledger.charge(account, cost, id=name))

    def _settle(self, call: RecountCall, cost: Spend | None, act: Callable[[], Reservation]) -> None:
        places = [(path, name) for path in above(call.account) for name in COUNTS]
        before = {place: self.recount.over(*place) for place in places}
        first = call.state != "settled"
        self.recount.end(call, cost)
        done = act()
        same("what it cost", None if done.spend is None else done.spend.as_units(), above_zero(call.spend))
        if first:
            grown = {n: max(self.recount.over(p, n) - before[p, n] for p in above(call.account)) for n in COUNTS}
            same("by how much it broke a limit", done.overshoot.as_units(), above_zero(grown))

    @precondition(lambda self: self.handed)
    @rule(number=accounts, copied=st.booleans())
    def release(self, number: int, copied: bool) -> None:
        """A call was never sent."""
        reservation, call = self.of_handed(number, copied=copied)
        self.ledger.release(reservation)
        if call.state == "open":
            call.stop(self.recount.now)
            call.state = "released"
        elif call.state == "lapsed":
            self.recount.end(call, Spend())

    @precondition(lambda self: self.handed)
    @rule(number=accounts, lease=leases)
    def pause(self, number: int, lease: int) -> None:
        """A call waits for a person."""
        reservation, call = self.of_handed(number)
        self.ledger.pause(reservation, lease=lease / SECOND)
        if call.state == "open" and not call.paused:
            call.stop(self.recount.now)
            call.expires = self.recount.now + lease

    @precondition(lambda self: self.handed or self.present)
    @rule(number=accounts, lease=leases)
    def renew(self, number: int, lease: int) -> None:
        """A call, or a presence, is given more time."""
        until = self.recount.now + lease
        if not self.handed or (self.present and number % 3 == 0):
            presence, period, expires = self.present[number % len(self.present)]
            self.ledger.renew(presence, lease=lease / SECOND)
            expires[0] = max(expires[0], until) if period[1] is None else expires[0]
            return
        reservation, call = self.of_handed(number)
        self.ledger.renew(reservation, lease=lease / SECOND)
        if call.state == "open" and not call.paused:
            call.expires = max(call.expires, until)
