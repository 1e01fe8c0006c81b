"""Cells that count: one resource of one account, and many at once."""

from __future__ import annotations

from typing import Final

__all__ = ["UNLIMITED", "Cell", "Route", "replace", "take"]

Route = tuple[tuple["Cell", ...], ...]

UNLIMITED: Final = 1 << 200


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
