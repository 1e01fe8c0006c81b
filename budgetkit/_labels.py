"""Who spent what: the charges of an account, added up by label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._spend import Spend

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ._reservation import Reservation

__all__ = ["by_label"]


def by_label(charges: Iterable[Reservation]) -> Mapping[str, Spend]:
    """What was spent under each label, in the order in which the labels first appear."""
    found: dict[str, Spend] = {}
    for call in charges:
        found[call.label] = found.get(call.label, Spend()) + (call.spend or Spend())
    return found
