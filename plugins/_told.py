"""What a reserved model call cost, by what came back of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.messages import AIMessage

from budgetkit import Spend

from ._costing import unknown, unsent
from ._usage_of import from_message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage

    from ._costing import Costing
    from ._in_flight import InFlight

__all__ = ["told"]


def told(costing: Costing, flight: InFlight, messages: Sequence[BaseMessage]) -> Spend | None:
    """What the call cost; None if the provider did not say."""
    if flight.cached:
        return Spend()
    if flight.error is not None:
        return costing.unsent() if unsent(flight.error) else unknown()
    last = next((m for m in reversed(messages) if isinstance(m, AIMessage)), None)
    usage = flight.usage if flight.started else from_message(last) if last else None
    return None if usage is None else costing.spend(usage)
