"""One peer in one situation: what was counted, and what is to be said of it."""

from dataclasses import dataclass
from decimal import Decimal

from guard import CALLS, Row
from scenarios import Scenario


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one row came to in one scenario.

    Attributes:
        row: The package and its setting.
        scenario: The situation.
        cap: Dollars that the cap was worth.
        calls: Model calls, counted by the server.
        spent: Dollars, the server's tokens at the model's price.
        recorded: Dollars on the package's books; None where it keeps none.
        got: What the user got.
    """

    row: Row
    scenario: Scenario
    cap: Decimal
    calls: int
    spent: Decimal
    recorded: Decimal | None
    got: str

    @property
    def held(self) -> bool | None:
        """Whether the cap held; None where there was none."""
        if self.row.cap is None:
            return None
        return self.calls <= CALLS if self.row.cap == "calls" else self.spent <= self.cap

    @property
    def books(self) -> str:
        """How the books compare with the bill: right (within one per cent), short, over, or unknown if they say so."""
        if self.recorded is None:
            return "none"
        if self.recorded.is_nan():
            return "unknown"
        difference = self.recorded - self.spent
        if abs(difference) <= self.spent / 100:
            return "right"
        return "short" if difference < 0 else "over"
