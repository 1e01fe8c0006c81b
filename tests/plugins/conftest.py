"""Graphs on a budget: a search tool and a model that keep their own counts, and one way to run both ways."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool, StructuredTool
from pydantic import PrivateAttr

from budgetkit import Budget, ModelPrice, PriceBook, TokenCount
from budgetkit.plugins import BudgetMiddleware
from budgetkit.testing import ScriptedChatModel, Turn, call

QUESTION = "When was Alpha founded?"
FINDING = "[1] Alpha\nAlpha was founded in 1987 by Jane Doe."
PRICES = PriceBook(models={"scripted": ModelPrice(input="1", output="2")}, tools={"search": "0.0001"})


class Search:
    """A search tool that counts for itself how often it ran."""

    def __init__(self) -> None:
        self.queries: list[str] = []
        self.result = FINDING
        self.before: Callable[[str], Any] = lambda _: None
        self._lock = threading.Lock()

    def run(self, query: str) -> str:
        """Search the corpus."""
        with self._lock:
            self.queries.append(query)
        self.before(query)
        return self.result

    @property
    def runs(self) -> int:
        return len(self.queries)

    @property
    def tool(self) -> BaseTool:
        return StructuredTool.from_function(self.run, name="search")


class Words:
    """Counts as the scripted model bills: the words of all texts, nothing else."""

    def count(self, messages: Sequence[Mapping[str, Any]], **_: Any) -> TokenCount:
        return TokenCount(sum(len(str(message["content"]).split()) for message in messages), "exact")

    async def acount(self, messages: Sequence[Mapping[str, Any]], **_: Any) -> TokenCount:
        return self.count(messages)


class BillingModel(ScriptedChatModel):
    """A scripted model that keeps the bill, whatever it reports."""

    _bill: list[tuple[int, int]] = PrivateAttr(default_factory=list)

    def __init__(self, turns: Sequence[Turn], **options: Any) -> None:
        super().__init__(turns, **options)

    def _billed(self, message: AIMessage, asked: Sequence[BaseMessage], cap: int | None) -> AIMessage:
        billed = super()._billed(message, asked, cap)
        calls = len(" ".join(f"{c['name']} {c['args']}" for c in billed.tool_calls).split())
        usage = billed.usage_metadata or {"output_tokens": len(billed.text.split()) + calls}
        self._bill.append((sum(len(m.text.split()) for m in asked), usage["output_tokens"]))
        return billed

    @property
    def spent(self) -> dict[str, int]:
        """What the model itself counted."""
        tokens_in, tokens_out = sum(n for n, _ in self._bill), sum(n for _, n in self._bill)
        return {
            "llm_calls": len(self.requests),
            "input_tokens": tokens_in,
            "output_tokens": tokens_out,
            "total_tokens": tokens_in + tokens_out,
        }


def is_last_call(messages: Sequence[BaseMessage]) -> bool:
    """Whether these messages are the final prompt."""
    return isinstance(messages[-1], HumanMessage) and messages[-1].text.startswith("Question: ")


def searching(answer: Turn = "It was 1987.", *, parallel: int = 1, **options: Any) -> BillingModel:
    """A model that searches for ever, and says ``answer`` when it is asked for the final answer."""

    def turn(messages: list[BaseMessage]) -> Turn:
        if is_last_call(messages):
            return answer
        return [call("search", query=f"alpha {len(messages)} {n}") for n in range(parallel)]

    return BillingModel([turn], loop_last=True, **options)


def agent_on(
    model: Any, search: Search, budget: Budget, *, checkpointer: Any = None, outside: Any = (), **options: Any
) -> Any:
    """An agent with the search tool on a budget, counted exactly."""
    options = {"prices": PRICES, "counter": Words(), **options}
    middleware = [*outside, BudgetMiddleware(budget, **options)]
    return create_agent(model, [search.tool], middleware=middleware, checkpointer=checkpointer)


def dangling(messages: Sequence[BaseMessage]) -> set[str | None]:
    """The tool calls that nobody answered."""
    asked = {c["id"] for m in messages if isinstance(m, AIMessage) for c in m.tool_calls}
    return asked - {m.tool_call_id for m in messages if isinstance(m, ToolMessage)}


def assert_held(budget: Budget, model: BillingModel, search: Search) -> None:
    """No limit was overshot, by the model's and the tool's own counts."""
    spent: dict[str, Any] = {**model.spent, "tool_calls": search.runs, "tool:search": search.runs}
    spent["usd"] = Decimal(spent["input_tokens"] + 2 * spent["output_tokens"]) / 10**6 + search.runs * Decimal("0.0001")
    over = {name: (spent[name], limit) for name, limit in budget.limits.items() if spent.get(name, 0) > limit}
    assert not over


class Kit:
    """What the tests build graphs from."""

    QUESTION, FINDING, PRICES = QUESTION, FINDING, PRICES
    Search, Words, BillingModel = Search, Words, BillingModel
    searching, agent_on, dangling = staticmethod(searching), staticmethod(agent_on), staticmethod(dangling)
    assert_held, is_last_call = staticmethod(assert_held), staticmethod(is_last_call)


@pytest.fixture
def kit() -> type[Kit]:
    return Kit


@pytest.fixture
def search() -> Search:
    return Search()


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Any:
    """Both ways to invoke a graph: a function to be awaited, which asks the question unless it is given an input."""

    async def invoke(graph: Any, given: Any = QUESTION, config: Any = None, **options: Any) -> Any:
        given = {"messages": [("user", given)]} if isinstance(given, str) else given
        if request.param == "sync":
            return graph.invoke(given, config, **options)
        return await graph.ainvoke(given, config, **options)

    return invoke


@pytest.fixture
async def gate() -> AsyncIterator[threading.Event]:
    """What a slow call waits for; opened before the test's loop waits for its threads, so that none is left behind."""
    event = threading.Event()
    yield event
    event.set()
