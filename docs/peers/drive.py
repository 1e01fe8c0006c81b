"""One peer through one situation, in a process of its own: `drive.py ADAPTER ROW SCENARIO URL DOLLARS`."""

import importlib
import json
import sys
from decimal import Decimal
from typing import Any

from guard import CALLS, Cap, Row
from scenarios import SCENARIOS, attempt

ADAPTERS = ("nothing", "budgetkit_", "langchain_", "langgraph_", "pydantic_ai_", "litellm_", "baar_", "shekel_",
            "agentbudget_", "cascadeflow_")  # fmt: skip


def rows_of(adapter: str) -> list[Row]:
    """The rows that an adapter fills; loads nothing of the peer."""
    rows: list[Row] = importlib.import_module(f"adapters.{adapter}").ROWS
    return rows


def drive(row: Row, scenario: str, url: str, usd: Decimal) -> dict[str, Any]:
    """Drive a peer through a situation: what the user got, and the dollars on its books."""
    run = row.own.get(scenario, SCENARIOS[scenario].run)
    if row.own and scenario not in row.own:
        return {"got": "n/a", "recorded": None}
    recorded: list[Any] = [None]

    def guarded() -> str:
        with row.guard(url, Cap(CALLS, usd)) as guard:
            try:
                return run(guard)
            finally:
                recorded[0] = guard.recorded()

    got = attempt(guarded)
    return {"got": got, "recorded": None if recorded[0] is None else str(recorded[0])}


if __name__ == "__main__":
    adapter, number, scenario, url, usd = sys.argv[1:]
    told = drive(rows_of(adapter)[int(number)], scenario, url, Decimal(usd))
    sys.stdout.write(f"\n{json.dumps(told)}\n")
