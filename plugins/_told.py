"""What a reserved model call cost, by what came back of it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, final

from langchain_core.messages import AIMessage

from budgetkit import Spend

from ._costing import unknown, unsent
from ._usage_of import from_message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage

    from ._costing import Costing
    from ._in_flight import InFlight

__all__ = ["Told"]


@final
class Told:
    """Reads what calls cost, and says once that a provider keeps silent."""

    def __init__(self) -> None:
        self._warned = False

    def cost(self, costing: Costing, flight: InFlight, messages: Sequence[BaseMessage]) -> Spend:
        """What the call cost, as far as the provider said."""
        if flight.cached:
            return Spend()
        if flight.error is not None:
            return costing.unsent() if unsent(flight.error) else unknown()
        last = next((m for m in reversed(messages) if isinstance(m, AIMessage)), None)
        usage = flight.usage if flight.started else from_message(last) if last else None
        if usage is None:
            self._warn(costing.model)
            return unknown()
        return costing.spend(usage)

    def _warn(self, model: str) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"model {model!r} sent no usage, so its calls are booked at their worst case: with ChatOpenAI and a "
                "base_url of your own, set stream_usage=True",
                stacklevel=2,
            )
