"""budgetkit: one budget around everything, its middleware in every agent."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from guard import UNKNOWN, Cap, Guard, Row, openai_model

from budgetkit import Budget


@contextmanager
def of_calls(url: str, cap: Cap) -> Iterator[Guard]:
    yield from _guarded(url, Budget(llm_calls=cap.calls))


@contextmanager
def of_dollars(url: str, cap: Cap) -> Iterator[Guard]:
    yield from _guarded(url, Budget(usd=cap.usd))


@contextmanager
def with_notices(url: str, cap: Cap) -> Iterator[Guard]:
    yield from _guarded(url, Budget(llm_calls=cap.calls), at_end="stop")


def _guarded(url: str, budget: Budget, **options: Any) -> Iterator[Guard]:
    from budgetkit.plugins import BudgetMiddleware

    with budget.open("comparison") as run:
        yield Guard(
            url,
            partial(openai_model, url),
            middleware=lambda: [BudgetMiddleware(budget, **options)],
            recorded=lambda: UNKNOWN if "usd" in run.spent.unmeasured else run.spent["usd"],
        )


ROWS = [
    Row("budgetkit", "`BudgetMiddleware(Budget(llm_calls=3))` in `with budget.open()`", "calls", of_calls),
    Row(
        "budgetkit",
        '`BudgetMiddleware(Budget(llm_calls=3), at_end="stop")` in `with budget.open()`',
        "calls",
        with_notices,
    ),
    Row("budgetkit", "`BudgetMiddleware(Budget(usd=cap))` in `with budget.open()`", "usd", of_dollars),
]
