"""The account tree in memory: how an amount travels from an account to the root."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ._account import Account, AccountState
from ._errors import BudgetExceeded, LedgerError
from ._memory_cells import UNLIMITED, Cell, Route
from ._rolling import Rolling
from ._spend import Spend
from ._stopwatch import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ._reservation import Reservation
    from ._window import Window

__all__ = ["Node"]

_MILLI: Final = 1000
"""Microseconds in the unit of ``seconds``."""


class Node:
    """One account: its cells, its calls, its clock.

    Attributes:
        plain: whether a call here adds the same to every account up to the root.
        chilled: whether it is frozen, or an account above it is.
        rolls: whether it has a window, or an account above it has.
    """

    __slots__ = (
        "account", "calls", "cells", "chilled", "frozen", "kept", "marks", "parent", "plain", "prepaid", "rolling",
        "rolls", "routes", "timed", "watch",
    )  # fmt: skip

    def __init__(
        self,
        account: Account,
        parent: Node | None,
        limits: Mapping[str, int],
        keep: Spend,
        *,
        prepaid: bool = False,
        window: Window | None = None,
    ) -> None:
        self.account = account
        self.parent = parent
        self.cells = {name: Cell(limit) for name, limit in limits.items()}
        self.calls: dict[str | tuple[str, int], Reservation] = {}
        self.routes: dict[tuple[str, ...], Route] = {}
        self.marks: dict[tuple[str, str], int] = {}
        self.watch = Stopwatch()
        self.prepaid = prepaid and parent is not None
        self.rolling = None if window is None else Rolling(window)
        self.frozen = False
        self.chilled: bool = parent is not None and parent.chilled
        self.rolls: bool = window is not None or (parent is not None and parent.rolls)
        self.plain: bool = not (self.prepaid or self.rolls) and (parent is None or parent.plain)
        above = parent.timed if parent else ()
        self.timed: tuple[Node, ...] = (*above, self) if "seconds" in limits else above
        self.kept = Spend()
        self.keep(keep)

    def cell(self, name: str) -> Cell:
        """The cell of a resource, made when it is first asked for."""
        found = self.cells.get(name)
        if found is None:
            found = self.cells[name] = Cell()
        return found

    def upward(self) -> Iterator[Node]:
        """The account and its ancestors, the root last."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.parent

    def chain(self) -> list[Node]:
        """The account's ancestors from the root down, and itself last."""
        return [*self.upward()][::-1]

    def route(self, names: tuple[str, ...]) -> Route:
        """Per resource, the cells from here to the root that a call adds to alike; empty if it is not that simple."""
        found = self.routes.get(names)
        if found is None:
            simple = self.plain and "seconds" not in names
            found = tuple(tuple(node.cell(name) for node in self.upward()) for name in names) if simple else ()
            self.routes[names] = found
        return found

    # -- holding ----------------------------------------------------------------------------------------------------

    def payers(self, name: str) -> list[Cell]:
        """The cells that must have room: up to the root, or to the first account that has paid already."""
        cells: list[Cell] = []
        for node in self.upward():
            cells.append(node.cell(name))
            if cells[-1].prepaid:
                break
        return cells

    def hold(self, amounts: Mapping[str, int]) -> None:
        """Reserve on the way up, or free; a prepaid account passes on only what goes beyond its share."""
        for name, amount in amounts.items():
            if name != "seconds":
                self._hold(name, amount)

    def _hold(self, name: str, amount: int) -> None:
        for node in self.upward():
            cell = node.cell(name)
            before = cell.claim
            cell.held += amount
            if cell.prepaid:
                amount = cell.claim - before
            if not amount:
                break

    def spend(self, amounts: Mapping[str, int], at: int) -> None:
        """Of what is held, this much was spent at ``at``; in a window that is over by now, it is held no longer."""
        rolling = self.rolling
        for name, amount in amounts.items():
            cell = self.cell(name)
            if rolling is None or rolling.counts(at):
                cell.spent += amount
            else:
                cell.held -= amount
            if rolling is not None and rolling.counts(at):
                rolling.book(name, amount, at)

    def roll(self, now: int) -> None:
        """Forget, here and above, what no longer counts in its window."""
        for node in self.upward():
            if node.rolling is not None:
                node._roll(node.rolling, now)  # noqa: SLF001 - its own class

    def _roll(self, rolling: Rolling, now: int) -> None:
        start = rolling.start
        gone = rolling.roll(now, {name: cell.spent for name, cell in self.cells.items()})
        for name, n in gone.items():
            self.cells[name].held -= n
            self.cells[name].spent -= n
        if rolling.end and rolling.start != start:
            self.watch.begin_anew(rolling.start)

    def draw(self, amounts: Mapping[str, int]) -> None:
        """Hold ``amounts`` here and above, or raise."""
        self.judge(amounts)
        self.hold(amounts)

    def judge(self, need: Mapping[str, int], now: int | None = None) -> None:
        """Raise for the outermost account that cannot pay; the time counts as well where ``now`` is given."""
        payers = {name: self.payers(name) for name in need if name != "seconds"}
        for node in self.chain():
            if now is not None:
                node.judge_time(need.get("seconds", 0), now)
            for name, cells in payers.items():
                cell = node.cell(name)
                if cell in cells and cell.held + need[name] > cell.ceiling:
                    raise node.refusal(name, cell.held, cell.spent, need[name])

    def judge_unknown(self, asked: Spend) -> None:
        """Raise if the worst case of something that is limited is not known."""
        for name in sorted(asked.unmeasured):
            for node in self.chain():
                if name in node.cells and node.cells[name].limit != UNLIMITED:
                    raise LedgerError(
                        f"account {'/'.join(node.account)!r} limits {name}, and how much of it is asked is unknown: "
                        f"reserve with a worst case of {name}"
                    )

    def judge_frozen(self, asked: Spend) -> None:
        """Raise for the outermost account that is frozen."""
        for node in self.chain():
            if node.frozen:
                name = next(iter(asked))
                cell = node.cell(name)
                raise BudgetExceeded(
                    resource=name,
                    account=node.account,
                    limit=min(cell.limit, cell.held),
                    spent=cell.spent,
                    reserved=cell.held - cell.spent,
                    asked=asked.in_units(name),
                    frozen=True,
                )

    def judge_time(self, asked: int, now: int) -> None:
        """Raise if the account's own ``seconds`` are over, or do not reach for what is asked."""
        cell = self.cells.get("seconds")
        if cell is not None and self.watch.read(now) + max(1, asked * _MILLI) > cell.ceiling * _MILLI:
            spent = self.watch.read(now) // _MILLI
            raise self.refusal("seconds", spent, spent, asked)

    def refusal(self, name: str, held: int, spent: int, asked: int) -> BudgetExceeded:
        """The error that says why this account cannot pay."""
        cell = self.cells[name]
        reserved = held - spent + cell.limit - cell.ceiling
        return BudgetExceeded(
            resource=name, account=self.account, limit=cell.limit, spent=spent, reserved=reserved, asked=asked
        )

    def time_left(self, now: int) -> float:
        """Seconds until the nearest ``seconds`` limit, here and above."""
        return min(node.cells["seconds"].ceiling * _MILLI - node.watch.read(now) for node in self.timed) / 10**6

    # -- what the account is told -----------------------------------------------------------------------------------

    def keep(self, amounts: Spend) -> None:
        """Set the answer reserve."""
        for name in self.kept.names:
            self.cell(name).ceiling = self.cell(name).limit
        for name, amount in amounts.as_units().items():
            self.cell(name).ceiling = self.cell(name).limit - amount
        self.kept = amounts

    def shares(self) -> list[tuple[str, Cell]]:
        """The cells whose share is taken out of the parent."""
        return [(name, cell) for name, cell in self.cells.items() if cell.prepaid]

    def limited(self) -> dict[str, Cell]:
        """The cells that have a limit."""
        return {name: cell for name, cell in self.cells.items() if cell.limit != UNLIMITED}

    def mark(self, spend: Spend, by: int) -> None:
        """Remember, up to the root, which resources hold an estimate or are a lower bound; -1 forgets one."""
        marks = [("estimated", name) for name in spend.estimated] + [("unmeasured", name) for name in spend.unmeasured]
        for node in self.upward():
            for mark in marks:
                node.marks[mark] = node.marks.get(mark, 0) + by

    def _marked(self, kind: str) -> list[str]:
        return [name for (of, name), n in self.marks.items() if of == kind and n and name != "seconds"]

    def states(self, now: int) -> tuple[AccountState, ...]:
        """Snapshots from the root down; what was taken out for this very account is left to it, not reserved."""
        shares: dict[str, int] = {}
        found: list[AccountState] = []
        for node in self.upward():
            found.append(node.state(now, shares))
            for name, cell in node.shares():
                shares[name] = shares.get(name, 0) + cell.free()
        return tuple(found[::-1])

    def state(self, now: int, shares: Mapping[str, int]) -> AccountState:
        """A snapshot, in which ``shares`` are not reserved."""
        counted = {name: cell for name, cell in self.cells.items() if name != "seconds"}
        spent = {name: cell.spent for name, cell in counted.items()}
        spent["seconds"] = self.watch.read(now) // _MILLI
        return AccountState(
            self.account,
            {name: cell.limit for name, cell in self.limited().items()},
            Spend.from_units(spent, estimated=self._marked("estimated"), unmeasured=self._marked("unmeasured")),
            Spend.from_units({n: cell.held - cell.spent - shares.get(n, 0) for n, cell in counted.items()}),
            self.kept,
            None if self.rolling is None else self.rolling.window,
            self.frozen,
        )
