"""The nodes that can be gone on from, by what they are worth: ten thousand of them are weighed in a moment."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Frontier"]


@final
class Frontier:
    """Node numbers in rows of equal worth, in whole thousandths.

    There are at most a thousand rows, whatever the size of the tree. Within a row the order is that of the numbers and
    not of the history, so that a tree that was read back from a checkpoint selects as the one that was written.
    """

    __slots__ = ("_rows", "_worth")

    def __init__(self) -> None:
        self._rows: dict[int, list[int]] = {}
        self._worth: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._worth)

    def __contains__(self, node: object) -> bool:
        return node in self._worth

    def __iter__(self) -> Iterator[int]:
        """Node numbers, the oldest first."""
        return iter(sorted(self._worth))

    def put(self, node: int, worth: int) -> None:
        """Add a node, or move it to another row."""
        if self._worth.get(node) == worth:
            return
        self.drop(node)
        self._worth[node] = worth
        insort(self._rows.setdefault(worth, []), node)

    def drop(self, node: int) -> None:
        """Take a node out, if it is there."""
        worth = self._worth.pop(node, None)
        if worth is None:
            return
        row = self._rows[worth]
        del row[bisect_left(row, node)]
        if not row:
            del self._rows[worth]

    def rows(self) -> list[tuple[int, int]]:
        """Worth and number of nodes of each row, the best first."""
        return [(worth, len(self._rows[worth])) for worth in sorted(self._rows, reverse=True)]

    def at(self, worth: int, place: int) -> int:
        """The node at that place of a row."""
        return self._rows[worth][place]

    def best(self) -> int | None:
        """The oldest among the nodes that are worth most; None if there is none."""
        return self._rows[max(self._rows)][0] if self._rows else None

    def oldest(self) -> int | None:
        """The node that came first; None if there is none."""
        return min((row[0] for row in self._rows.values()), default=None)
