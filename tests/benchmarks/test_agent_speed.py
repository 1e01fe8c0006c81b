"""What a budget costs an agent of ten steps, as ratios within one run: ``pytest -m benchmark -s tests/benchmarks``.

The time is that of the processor, over all threads: where the model answers at once there is nothing to wait for, and
what else the machine does is left out. The rounds are interleaved, and each ratio is taken within its round.
"""

import json
from statistics import median
from time import process_time
from typing import Any

import httpx
import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelCallLimitMiddleware, ToolCallLimitMiddleware
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from budgetkit import Budget
from budgetkit.plugins import BudgetMiddleware
from budgetkit.testing import ScriptedChatModel, call

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]

ROUNDS, STEPS = 60, 10
TWO: dict[str, Any] = {"llm_calls": 50, "tool_calls": 40}
ALL: dict[str, Any] = {**TWO, "usd": "5", "tools": {"search": 30}, "input_tokens": 500_000, "output_tokens": 200_000}


@tool
def search(query: str) -> str:
    """Search the corpus."""
    return f"[1] Alpha\nAlpha was founded in 1987 by Jane Doe, says {query}."


def scripted() -> BaseChatModel:
    """A chat model that does next to nothing: the hardest measure."""

    def turn(messages: list[BaseMessage]) -> Any:
        step = sum(message.type == "ai" for message in messages)
        return "1987" if step == STEPS else call("search", query=f"alpha {step}")

    return ScriptedChatModel([turn], loop_last=True, name="gpt-4o")


def instant_openai() -> BaseChatModel:
    """The chat model that people use, on a server that answers in no time."""
    client = httpx.Client(transport=httpx.MockTransport(_reply))
    return ChatOpenAI(model="gpt-4o", api_key=SecretStr("EMPTY"), http_client=client)


def _reply(request: httpx.Request) -> httpx.Response:
    messages = json.loads(request.content)["messages"]
    step = sum(message["role"] == "assistant" for message in messages)
    asked = {"name": "search", "arguments": json.dumps({"query": f"alpha {step}"})}
    calls = {"tool_calls": [{"id": f"call_{step}", "type": "function", "function": asked}]}
    message = {"role": "assistant", "content": "1987"} | (calls if step < STEPS else {})
    usage = {"prompt_tokens": 90 + 60 * step, "completion_tokens": 8, "total_tokens": 98 + 60 * step}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    head = {"id": "c", "object": "chat.completion", "created": 0, "model": "gpt-4o"}
    return httpx.Response(200, json={**head, "choices": [choice], "usage": usage})


def seconds(agent: Any) -> float:
    began = process_time()
    done = agent.invoke({"messages": [("user", "When was Alpha founded?")]})
    took = process_time() - began
    assert len(done["messages"]) == 2 * STEPS + 2
    return took


@pytest.mark.parametrize("make", [instant_openai, scripted])
def test_an_agent_of_ten_steps(make: Any) -> None:
    def agent(*middleware: Any) -> Any:
        return create_agent(make(), [search], middleware=middleware)

    agents = {
        "bare": agent(),
        "LangChain's two limits": agent(ModelCallLimitMiddleware(run_limit=50), ToolCallLimitMiddleware(run_limit=40)),
        "the same two limits": agent(BudgetMiddleware(Budget(**TWO), tracker=False)),
        "the same two limits, tracker": agent(BudgetMiddleware(Budget(**TWO))),
        "six limits, tracker": agent(BudgetMiddleware(Budget(**ALL))),
        "six limits and seconds, tracker": agent(BudgetMiddleware(Budget(**ALL, seconds=60))),
    }
    for each in agents.values():
        seconds(each)  # what is made once is made before
    rounds = [{name: seconds(each) for name, each in agents.items()} for _ in range(ROUNDS)]
    ratio = {name: median(took[name] / took["bare"] for took in rounds) for name in agents}
    bare = median(took["bare"] for took in rounds)
    rows = [f"  {name}: {times:.2f} x bare" for name, times in ratio.items()]
    print("", f"{make.__name__}, bare: {bare * 1e3:.1f} ms", *rows, sep="\n")  # noqa: T201 - a benchmark prints
    if make is instant_openai:
        assert ratio["the same two limits"] <= 3  # the aim is 1.15; the machine may be busy
