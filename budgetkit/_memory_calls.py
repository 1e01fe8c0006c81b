"""How one call enters the account tree, and how it is written down once its cost is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._memory_cells import replace, take
from ._spend import Spend

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._memory_tree import Node
    from ._reservation import Reservation

__all__ = ["admit", "admit_beside", "book", "estimate", "widen"]


def admit(node: Node, asked: Spend, now: int) -> float | None:
    """Hold what is asked on every account, or raise for the outermost that cannot pay; returns the time left."""
    if node.chilled and asked:
        node.judge_frozen(asked)
    time_left = node.time_left(now) if node.timed else None
    route = node.routes.get(asked.names) or node.route(asked.names)
    late = time_left is not None and time_left <= 0
    if asked.unmeasured or late or not route or not take(route, asked.units):
        need = asked.as_units()
        node.judge_unknown(asked)
        node.judge(need, now)
        node.hold(need)
    return time_left


def admit_beside(node: Node, asked: Spend, now: int, *, keep: Spend | None, final: bool) -> float | None:
    """Admit a call beside a new answer reserve, or out of the reserve; a refusal leaves the reserve as it was."""
    before = after = node.kept
    node.keep(Spend() if final else before if keep is None else keep)
    try:
        time_left = admit(node, asked, now)
        after = before if keep is None else keep
    finally:
        node.keep(after)
    return time_left


def widen(node: Node, call: Reservation, asked: Spend, now: int, *, keep: Spend | None, final: bool) -> None:
    """Hold what is asked beyond what the open call holds already, or raise and change nothing."""
    held = call.asked.as_units()
    more = Spend.from_units(
        {n: units - held.get(n, 0) for n, units in asked.as_units().items() if units > held.get(n, 0)}
    )
    call.time_left = admit_beside(node, more, now, keep=keep, final=final)
    call.asked += more


def estimate(asked: Spend, spend: Spend | None) -> Spend:
    """What was not measured is kept at what was reserved; what was not reserved either stays unmeasured."""
    if spend is None:
        return Spend.from_units(asked.as_units(), estimated=asked.names)
    if not spend.unmeasured:
        return spend
    reserved, known = asked.as_units(), spend.as_units()
    kept = {name: max(reserved[name], known.get(name, 0)) for name in spend.unmeasured if name in reserved}
    return Spend.from_units(
        known | kept, estimated=spend.estimated.union(kept), unmeasured=spend.unmeasured.difference(kept)
    )


def book(node: Node, call: Reservation, spend: Spend, at: int) -> None:
    """Replace what the books hold for the call by what it cost at ``at``, on every account; name the overshoot."""
    asked = call.asked
    route = node.routes.get(spend.names) or node.route(spend.names)
    if route and call.spend is None and asked.names == spend.names and not (spend.estimated or spend.unmeasured):
        if replace(route, asked.units, spend.units):
            call.overshoot = _overshoot(node, _held(call), spend)
    else:
        call.overshoot = _book_slowly(node, call, spend, at)
    call.spend = spend


def _book_slowly(node: Node, call: Reservation, spend: Spend, at: int) -> Spend:
    """Any call on any tree, also one that was written down before (it lapsed, or was taken back).

    By how much it broke a limit is told account by account: of a call on a share, less reaches the accounts above.
    """
    used, held = _counted(spend), _held(call)
    before = {} if call.spend is None else held
    over = {name: [account.cell(name).over for account in node.upward()] for name in used}
    node.hold({name: used.get(name, 0) - held.get(name, 0) for name in {*used, *held}})
    more = {name: used.get(name, 0) - before.get(name, 0) for name in {*used, *before}}
    for account in node.upward():
        account.spend(more, at)
    if call.spend is not None:
        node.mark(call.spend, -1)
    node.mark(spend, 1)
    grown = {
        name: max(0, *(account.cell(name).over - was for account, was in zip(node.upward(), over[name], strict=True)))
        for name in used
    }
    return Spend.from_units(grown)


def _counted(spend: Spend) -> dict[str, int]:
    """What adds up: all but the time, which overlaps and is the stopwatch's."""
    units = spend.as_units()
    units.pop("seconds", None)
    return units


def _held(call: Reservation) -> dict[str, int]:
    """What the books hold for a call before it is settled, or settled anew."""
    return _counted(call.asked if call.spend is None else call.spend)


def _overshoot(node: Node, held: Mapping[str, int], spend: Spend) -> Spend:
    """By how much this call broke the tightest limit: what it cost beyond its reservation and beyond what was free."""
    found: dict[str, int] = {}
    for name, used in _counted(spend).items():
        over = max(account.cell(name).over for account in node.upward())
        found[name] = max(0, min(used - held.get(name, 0), over))
    return Spend.from_units(found)
