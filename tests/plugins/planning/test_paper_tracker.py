"""What arXiv 2511.17006 says of its Budget Tracker that no other test says: a whole run, and the unified cost."""

from __future__ import annotations

import re
from typing import Any

import pytest
from langchain_core.messages import ToolMessage

from budgetkit import Budget, ModelPrice, PriceBook, Spend, Usage
from budgetkit.testing import call

BLOCK = re.compile(r"<budget>\n(.*)\n</budget>", re.DOTALL)
LINE = re.compile(r"(?P<name>[a-z ]+): (?P<used>\d+) used, (?P<left>\d+) left")


async def test_a_status_block_follows_every_tool_result_and_the_policy_is_there_once(
    kit: Any, search: Any, run: Any
) -> None:
    model = kit.BillingModel([*(call("search", query=f"q{i}") for i in range(4)), "done"])
    result = await run(kit.agent_on(model, search, Budget(tools={"search": 5}, tool_calls=8)))
    found = [message for message in result["messages"] if isinstance(message, ToolMessage)]
    assert [len(BLOCK.findall(message.text)) for message in found] == [1] * 4
    for request in model.requests:
        texts = [message.text for message in request.messages]
        assert ["You work under a budget." in text for text in texts] == [True, *[False] * (len(texts) - 1)]


async def test_in_each_block_used_and_left_come_to_the_limit(kit: Any, search: Any, run: Any) -> None:
    model = kit.BillingModel([*(call("search", query=f"q{i}") for i in range(4)), "done"])
    result = await run(kit.agent_on(model, search, Budget(tools={"search": 5}, tool_calls=8)))
    blocks = [BLOCK.findall(message.text)[0] for message in result["messages"] if isinstance(message, ToolMessage)]
    seen = [[(m["name"], int(m["used"]), int(m["left"])) for m in LINE.finditer(block)] for block in blocks]
    assert seen == [[("search", n, 5 - n), ("tool calls", n, 8 - n)] for n in (1, 2, 3, 4)]


@pytest.mark.parametrize(("searches", "browses", "usd"), [(873, 136, "1.009"), (0, 0, "0"), (4, 0, "0.004")])
def test_the_unified_cost_counts_every_call_of_a_tool_at_its_price(searches: int, browses: int, usd: str) -> None:
    """87.3 searches and 13.6 page visits a question are $0.1009 of the paper's unified cost; here for ten questions."""
    prices = PriceBook(tools={"search": "0.001", "browse": "0.001"})
    nano = searches * prices.tool("search") + browses * prices.tool("browse")
    assert nano == Spend(usd=usd).in_units("usd")


def test_the_unified_cost_has_a_price_of_its_own_for_what_came_from_a_cache() -> None:
    prices = PriceBook(models={"m": ModelPrice(input="1.25", cached_input="0.125", output="10")})
    read = Usage(input_tokens=321_000, output_tokens=69_000, cache_read=0)
    cached = Usage(input_tokens=714_000, output_tokens=69_000, cache_read=393_000)
    assert prices.cost("m", cached) - prices.cost("m", read) == 393_000 * 125
