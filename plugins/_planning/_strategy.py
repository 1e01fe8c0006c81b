"""The other side of a search: what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._left import Left
    from ._moves import Move
    from ._node_of import Valuation
    from ._tree import SearchTree

__all__ = ["Strategy"]


@runtime_checkable
class Strategy(Protocol):
    """Decides what to do next: a pure function of the tree and of what is left.

    Attributes:
        name: what reports call it.
        valuation: how its trees value their nodes.
        tracker: whether the model is shown what is left (Budget Tracker, arXiv 2511.17006).
        newest_only: whether the model is shown the newest tool result alone.
    """

    @property
    def name(self) -> str: ...
    @property
    def valuation(self) -> Valuation: ...
    @property
    def tracker(self) -> bool: ...
    @property
    def newest_only(self) -> bool: ...

    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        """What to do next: at most ``n`` moves that can be carried out at once.

        The same tree, what is left and ``n`` give the same moves. No more acts are asked for than tool calls are left.
        Nothing is asked for while everything that there is to do waits for moves under way; with none under way there
        is always a next move, until a finish.
        """
        ...
