import re
from collections import defaultdict
from decimal import Decimal

import pytest

from budgetkit.testing import assert_spent


class Run:
    """Stands in for a scope: it has spent."""

    def __init__(self, **amounts: int | Decimal | None) -> None:
        self.spent: defaultdict[str, int | Decimal | None] = defaultdict(int, amounts)


def test_equal_spend_passes_whatever_the_number_of_digits() -> None:
    run = Run(usd=Decimal("0.0500"), llm_calls=2, **{"tool:search": 3})
    assert_spent(run, usd="0.05", llm_calls=2, tools={"search": 3, "open": 0}, tool_calls=0)


def test_a_bare_spend_can_be_asserted_too() -> None:
    assert_spent(Run(llm_calls=1).spent, llm_calls=1)


def test_every_difference_is_named_at_once() -> None:
    run = Run(usd=None, llm_calls=2, **{"tool:search": 3})
    message = (
        "the spend differs:\n"
        "  usd: expected 0.05, spent unknown\n"
        "  llm_calls: expected unknown, spent 2\n"
        "  tool:search: expected 4, spent 3"
    )
    with pytest.raises(AssertionError, match=f"^{re.escape(message)}$"):
        assert_spent(run, usd="0.05", llm_calls=None, tools={"search": 4})
