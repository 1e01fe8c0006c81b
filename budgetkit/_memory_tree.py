"""The account tree of the memory ledger: cells that count, and the routes between them.

A cell counts one resource of one account. A route is the list of cells that a charge touches, worked out once per
account and set of resources, so that the hot path is two loops over integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ._ledger import Account, AccountState, Reservation
from ._spend import Spend

__all__ = ["Cell", "Node", "Route"]

UNLIMITED: Final = 1 << 200
_NONE: Final[frozenset[str]] = frozenset()


class Cell:
    """One resource of one account: ``held`` is what is spent or reserved, ``ceiling`` what an ordinary call may reach."""

    __slots__ = ("ceiling", "held", "kept", "limit", "spent")

    def __init__(self, limit: int = UNLIMITED) -> None:
        self.limit = limit
        self.ceiling = limit
        self.held = 0
        self.spent = 0
        self.kept = 0

    def keep(self, amount: int) -> None:
        """Set the answer reserve."""
        self.kept = amount
        self.ceiling = self.limit - amount

    def raise_limit(self, by: int) -> None:
        """Raise the limit, if there is one."""
        if self.limit != UNLIMITED:
            self.limit += by
            self.ceiling += by

    def shut(self) -> int:
        """Lower the limit to what is held; returns what is freed."""
        unspent = max(0, self.limit - self.held)
        self.limit -= unspent
        self.ceiling = self.limit - self.kept
        return unspent

    @property
    def over(self) -> int:
        """What is spent or reserved over the limit."""
        return max(0, self.held - self.limit)


class Route:
    """What a charge touches: per resource, the cells from the root down that admit it, and those that only count it."""

    __slots__ = ("above", "admitting", "prepaid")

    def __init__(self, admitting: tuple[tuple[Cell, ...], ...], above: tuple[tuple[Cell, ...], ...]) -> None:
        self.admitting = admitting
        self.above = above
        self.prepaid = any(above)


class Node:
    """One account: its cells, its calls, its clock."""

    __slots__ = (
        "account", "calls", "cells", "children", "elapsed", "estimated", "parent", "prepaid", "routes", "running",
        "since", "timed", "unmeasured",
    )  # fmt: skip

    def __init__(
        self, account: Account, parent: Node | None, limits: Mapping[str, int], keep: Spend, *, prepaid: bool
    ) -> None:
        self.account = account
        self.parent = parent
        self.prepaid = prepaid and parent is not None
        self.children: list[Node] = []
        self.cells = {name: Cell(limit) for name, limit in limits.items()}
        self.calls: dict[str, Reservation] = {}
        self.routes: dict[tuple[str, ...], Route] = {}
        self.estimated: frozenset[str] = _NONE
        self.unmeasured: frozenset[str] = _NONE
        self.running = 0
        self.since = 0.0
        self.elapsed = 0.0
        for name, amount in keep.as_units().items():
            self.cell(name).keep(amount)
        self.timed = tuple(n for n in self.chain() if n.cell("seconds").limit != UNLIMITED)
        if parent is not None:
            parent.children.append(self)

    def cell(self, name: str) -> Cell:
        """The cell of a resource, made when it is first asked for."""
        return self.cells.setdefault(name, Cell())

    def chain(self) -> list[Node]:
        """The account's ancestors from the root down, and itself last."""
        nodes: list[Node] = []
        node: Node | None = self
        while node is not None:
            nodes.append(node)
            node = node.parent
        return nodes[::-1]

    def below(self) -> list[Node]:
        """The account and all accounts under it."""
        found = [self]
        for node in found:
            found.extend(node.children)
        return found

    def route(self, names: tuple[str, ...]) -> Route:
        """The cells that a charge of these resources touches."""
        found = self.routes.get(names)
        if found is None:
            split = [self._split(name) for name in names]
            found = self.routes[names] = Route(tuple(a for _, a in split), tuple(u for u, _ in split))
        return found

    def _split(self, name: str) -> tuple[tuple[Cell, ...], tuple[Cell, ...]]:
        """Cells above the nearest prepaid account (they have paid already), and those from it down."""
        chain = self.chain()
        start = max((i for i, node in enumerate(chain) if node.is_prepaid(name)), default=0)
        cells = tuple(node.cell(name) for node in chain)
        return cells[:start], cells[start:]

    def is_prepaid(self, name: str) -> bool:
        """Whether this account's limit of that resource was taken out of its parent."""
        return self.prepaid and name != "seconds" and name in self.cells and self.cells[name].limit != UNLIMITED

    def prepaid_names(self) -> list[str]:
        """The resources that this account paid for when it was opened."""
        return [name for name in self.cells if self.is_prepaid(name)]

    def flag(self, spend: Spend) -> None:
        """Remember, up to the root, which resources are estimates or lower bounds."""
        if spend.estimated or spend.unmeasured:
            for node in self.chain():
                node.estimated |= spend.estimated
                node.unmeasured |= spend.unmeasured

    def tick(self, now: float) -> None:
        """Start counting time, if nobody has yet."""
        if self.running == 0:
            self.since = now
        self.running += 1

    def tock(self, now: float) -> None:
        """Undo one `tick`; time that overlaps is counted once."""
        self.running -= 1
        if self.running == 0:
            self.elapsed += now - self.since

    def seconds(self, now: float) -> float:
        """Wall-clock time in use so far."""
        return self.elapsed + (now - self.since if self.running else 0.0)

    def state(self, now: float) -> AccountState:
        """A snapshot."""
        spent = {name: cell.spent for name, cell in self.cells.items()}
        spent["seconds"] = round(self.seconds(now) * 1000)
        reserved = {name: cell.held - cell.spent for name, cell in self.cells.items()}
        return AccountState(
            self.account,
            {name: cell.limit for name, cell in self.cells.items() if cell.limit != UNLIMITED},
            Spend.from_units(spent, estimated=self.estimated, unmeasured=self.unmeasured),
            Spend.from_units(reserved),
            Spend.from_units({name: cell.kept for name, cell in self.cells.items()}),
        )
