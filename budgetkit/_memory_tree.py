"""The account tree of the memory ledger: cells that count, and how an amount travels from an account to the root."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ._errors import BudgetExceeded, LedgerError
from ._ledger import Account, AccountState, Reservation
from ._spend import Spend
from ._stopwatch import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Cell", "Node", "replace", "take"]

Route = tuple[tuple["Cell", ...], ...]

UNLIMITED: Final = 1 << 200
_MILLI: Final = 10**6
"""Nanoseconds in the unit of ``seconds``."""


class Cell:
    """One resource of one account.

    ``held`` is what is spent or reserved, ``ceiling`` what an ordinary call may raise it to: the limit less the answer
    reserve.
    """

    __slots__ = ("ceiling", "held", "limit", "prepaid", "spent")

    def __init__(self, limit: int = UNLIMITED) -> None:
        self.limit = limit
        self.ceiling = limit
        self.prepaid = False
        self.held = 0
        self.spent = 0

    def free(self, more: int = 0) -> int:
        """What is neither spent nor reserved, were the limit ``more`` higher."""
        return max(0, self.limit + more - self.held)

    @property
    def claim(self) -> int:
        """What the parent holds for this cell: the whole share where it was taken out at the start."""
        return self.held + self.free() if self.prepaid else self.held

    @property
    def over(self) -> int:
        """What is spent or reserved over the limit."""
        return max(0, self.held - self.limit)


class Node:
    """One account: its cells, its calls, its clock."""

    __slots__ = (
        "account", "calls", "cells", "kept", "marks", "parent", "plain", "prepaid", "routes", "starts",
        "timed", "watch",
    )  # fmt: skip

    def __init__(
        self, account: Account, parent: Node | None, limits: Mapping[str, int], keep: Spend, *, prepaid: bool
    ) -> None:
        self.account = account
        self.parent = parent
        self.cells = {name: Cell(limit) for name, limit in limits.items()}
        self.calls: dict[str | tuple[str, int], Reservation] = {}
        self.routes: dict[tuple[str, ...], Route] = {}
        self.marks: dict[tuple[str, str], int] = {}
        self.watch = Stopwatch()
        self.starts = 0
        self.prepaid = prepaid and parent is not None
        self.plain: bool = not self.prepaid and (parent is None or parent.plain)
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
            amount = cell.claim - before
            if not amount:
                break

    def draw(self, amounts: Mapping[str, int]) -> None:
        """Hold ``amounts`` here and above, or raise."""
        self.judge(amounts)
        self.hold(amounts)

    def judge(self, need: Mapping[str, int], now: float | None = None) -> None:
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

    def judge_time(self, asked: int, now: float) -> None:
        """Raise if the account's own ``seconds`` are over, or do not reach for what is asked."""
        cell = self.cells.get("seconds")
        if cell is not None and self.watch.nanoseconds(now) + max(1, asked * _MILLI) > cell.ceiling * _MILLI:
            spent = self.watch.nanoseconds(now) // _MILLI
            raise self.refusal("seconds", spent, spent, asked)

    def refusal(self, name: str, held: int, spent: int, asked: int) -> BudgetExceeded:
        """The error that says why this account cannot pay."""
        cell = self.cells[name]
        reserved = held - spent + cell.limit - cell.ceiling
        return BudgetExceeded(
            resource=name, account=self.account, limit=cell.limit, spent=spent, reserved=reserved, asked=asked
        )

    def time_left(self, now: float) -> float:
        """Seconds until the nearest ``seconds`` limit, here and above."""
        return min(node.cells["seconds"].ceiling * _MILLI - node.watch.nanoseconds(now) for node in self.timed) / 10**9

    # -- what the account is told -----------------------------------------------------------------------------------

    def keep(self, amounts: Spend) -> None:
        """Set the answer reserve."""
        for name in self.kept.names:
            self.cell(name).ceiling = self.cell(name).limit
        for name, amount in amounts.as_units().items():
            self.cell(name).ceiling = self.cell(name).limit - amount
        self.kept = amounts

    def raise_limits(self, amounts: Mapping[str, int]) -> None:
        """Raise the limits that there are; a share grows at the parent's cost, or the parent's refusal is raised."""
        raised = [(self.cells[name], name, more) for name, more in amounts.items() if name in self._limited()]
        if self.parent is not None:
            self.parent.draw({name: cell.free(more) - cell.free() for cell, name, more in raised if cell.prepaid})
        for cell, _, more in raised:
            cell.limit += more
            cell.ceiling += more

    def take_share(self) -> None:
        """Take the limits out of the parent; again after `return_share`, as far as they are not used up."""
        shares = {name: cell for name, cell in self._limited().items() if name != "seconds" and not cell.prepaid}
        if self.prepaid and self.parent is not None:
            self.parent.draw({name: cell.free() for name, cell in shares.items()})
            for cell in shares.values():
                cell.prepaid = True

    def return_share(self) -> None:
        """Give back what is not held, and draw on the parent from now on."""
        for name, cell in self.shares():
            if self.parent is not None:
                self.parent.hold({name: -cell.free()})
            cell.prepaid = False

    def shares(self) -> list[tuple[str, Cell]]:
        """The cells whose share is taken out of the parent."""
        return [(name, cell) for name, cell in self.cells.items() if cell.prepaid]

    def _limited(self) -> dict[str, Cell]:
        return {name: cell for name, cell in self.cells.items() if cell.limit != UNLIMITED}

    def mark(self, spend: Spend, by: int) -> None:
        """Remember, up to the root, which resources hold an estimate or are a lower bound; -1 forgets one."""
        marks = [("estimated", name) for name in spend.estimated] + [("unmeasured", name) for name in spend.unmeasured]
        for node in self.upward():
            for mark in marks:
                node.marks[mark] = node.marks.get(mark, 0) + by

    def _marked(self, kind: str) -> list[str]:
        return [name for (of, name), n in self.marks.items() if of == kind and n and name != "seconds"]

    def states(self, now: float) -> tuple[AccountState, ...]:
        """Snapshots from the root down; what was taken out for this very account is left to it, not reserved."""
        shares: dict[str, int] = {}
        found: list[AccountState] = []
        for node in self.upward():
            found.append(node.state(now, shares))
            for name, cell in node.shares():
                shares[name] = shares.get(name, 0) + cell.free()
        return tuple(found[::-1])

    def state(self, now: float, shares: Mapping[str, int]) -> AccountState:
        """A snapshot, in which ``shares`` are not reserved."""
        counted = {name: cell for name, cell in self.cells.items() if name != "seconds"}
        spent = {name: cell.spent for name, cell in counted.items()}
        spent["seconds"] = self.watch.nanoseconds(now) // _MILLI
        return AccountState(
            self.account,
            {name: cell.limit for name, cell in self._limited().items()},
            Spend.from_units(spent, estimated=self._marked("estimated"), unmeasured=self._marked("unmeasured")),
            Spend.from_units({n: cell.held - cell.spent - shares.get(n, 0) for n, cell in counted.items()}),
            self.kept,
        )


def take(route: Route, amounts: tuple[int, ...]) -> bool:
    """Reserve on all cells or on none: the common case of `Node.judge` and `Node.hold`, in one pass."""
    short = False
    for cells, amount in zip(route, amounts):  # noqa: B905 - as long by construction; `strict` costs more than a column
        for cell in cells:
            cell.held = held = cell.held + amount
            if held > cell.ceiling:
                short = True
    if short:
        for cells, amount in zip(route, amounts, strict=True):
            for cell in cells:
                cell.held -= amount
    return not short


def replace(route: Route, reserved: tuple[int, ...], used: tuple[int, ...]) -> bool:
    """Put what was spent in the place of what was reserved; returns whether it was more of anything."""
    over = False
    for cells, before, now in zip(route, reserved, used):  # noqa: B905 - as above
        if more := now - before:
            over = over or more > 0
            for cell in cells:
                cell.spent += now
                cell.held += more
        else:
            for cell in cells:
                cell.spent += now
    return over
