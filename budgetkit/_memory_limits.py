"""How the limits of an account change, and what its parent has to say to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._errors import LedgerError
from ._memory_cells import UNLIMITED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._memory_cells import Cell
    from ._memory_tree import Node

__all__ = ["raise_limits", "return_share", "set_limits", "take_share"]


def raise_limits(node: Node, amounts: Mapping[str, int]) -> None:
    """Raise the limits that there are; a share grows at the parent's cost, or the parent's refusal is raised."""
    raised = [(node.cells[name], name, more) for name, more in amounts.items() if name in node.limited()]
    if node.parent is not None:
        node.parent.draw({name: cell.free(more) - cell.free() for cell, name, more in raised if cell.prepaid})
    for cell, _, more in raised:
        cell.limit += more
        cell.ceiling += more


def set_limits(node: Node, limits: Mapping[str, int | None]) -> None:
    """Set limits, or take them away; a share grows or shrinks at the parent's cost, or its refusal is raised."""
    _refuse_new_seconds(node, limits)
    new = {name: UNLIMITED if n is None else n for name, n in limits.items()}
    claims = {n: _claim(node.cells[n], new[n]) for n in new if n in node.cells and node.cells[n].prepaid}
    change = {name: claim - node.cells[name].claim for name, claim in claims.items()}
    if node.parent is not None:
        node.parent.judge({name: n for name, n in change.items() if n > 0})
        node.parent.hold(change)
    for name, limit in new.items():
        cell = node.cell(name)
        cell.limit, cell.ceiling = limit, limit - node.kept.in_units(name)
        cell.prepaid = cell.prepaid and limit != UNLIMITED


def _claim(cell: Cell, limit: int) -> int:
    return cell.held if limit == UNLIMITED else max(cell.held, limit)


def _refuse_new_seconds(node: Node, limits: Mapping[str, int | None]) -> None:
    """Calls in flight run the clocks of the accounts that limit time: those are known from the start."""
    if "seconds" in limits and (limits["seconds"] is None or "seconds" not in node.limited()):
        raise LedgerError(
            f"account {'/'.join(node.account)!r}: a limit on seconds can be raised and lowered, not begun or "
            "taken away; open another account for that"
        )


def take_share(node: Node) -> None:
    """Take the limits out of the parent; again after `return_share`, as far as they are not used up."""
    shares = {name: cell for name, cell in node.limited().items() if name != "seconds" and not cell.prepaid}
    if node.prepaid and node.parent is not None:
        node.parent.draw({name: cell.free() for name, cell in shares.items()})
        for cell in shares.values():
            cell.prepaid = True


def return_share(node: Node) -> None:
    """Give back what is not held, and draw on the parent from now on."""
    for name, cell in node.shares():
        if node.parent is not None:
            node.parent.hold({name: -cell.free()})
        cell.prepaid = False
