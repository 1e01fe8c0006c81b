"""The middleware on a real server: what it books is what the server counted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent

from budgetkit import Budget, BudgetExceeded, ServerCounter, Spend
from budgetkit.evals import find_suite, search_tool
from budgetkit.plugins import BudgetMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable

    from budgetkit.agents import ServerCounters, VllmServer

pytestmark = [pytest.mark.live, pytest.mark.enable_socket, pytest.mark.timeout(300)]

QUESTION: Any = {"messages": [("user", "Which lake does the river that passes under the Lantern Bridge flow into?")]}


def middleware(server: VllmServer, budget: Budget) -> BudgetMiddleware:
    return BudgetMiddleware(budget, counter=ServerCounter(server.url, server.model_name), answer_tokens=32)


def tokens(spend: Spend) -> tuple[object, object]:
    return spend["input_tokens"], spend["output_tokens"]


def counted(grown: ServerCounters) -> tuple[int, int]:
    return grown.prompt_tokens, grown.generation_tokens


def test_an_agents_books_equal_the_servers_counters(server: VllmServer, grown: Callable[[], ServerCounters]) -> None:
    budget = Budget(llm_calls=3, output_tokens=150)
    search = search_tool(find_suite("sample").load_corpus(), k=2)
    agent = create_agent(server.chat_model(), [search], middleware=[middleware(server, budget)])
    with budget.open("live") as run:
        ended = agent.invoke(QUESTION)
    assert ended["messages"][-1].text
    assert tokens(run.spent) == counted(grown())
    assert not run.spent.estimated
    assert not run.overshoot


async def test_streaming_and_parallel_runs_are_settled_at_the_servers_own_usage(
    server: VllmServer, grown: Callable[[], ServerCounters]
) -> None:
    budget = Budget(llm_calls=12, output_tokens=400)
    agent = create_agent(server.chat_model(max_tokens=24), middleware=[middleware(server, budget)])

    async def stream() -> None:
        async for _ in agent.astream(QUESTION, stream_mode="messages"):
            pass

    async with budget.open("live") as run:
        await asyncio.gather(*(stream() for _ in range(4)))
    assert run.spent["llm_calls"] == 4
    assert tokens(run.spent) == counted(grown())
    assert not run.overshoot


async def test_a_stream_that_the_client_cuts_off_is_kept_at_its_reservation(
    server: VllmServer, grown: Callable[[], ServerCounters]
) -> None:
    budget = Budget(output_tokens=3000)
    endless = server.chat_model(max_tokens=2000, extra_body={"ignore_eos": True})
    agent = create_agent(endless, middleware=[middleware(server, budget)])
    begun = asyncio.Event()
    async with budget.open("live") as run:
        task = asyncio.create_task(_read(agent, begun))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    served = grown()
    assert "output_tokens" in run.spent.estimated
    assert served.generation_tokens <= (run.spent["output_tokens"] or 0) <= 3000
    assert served.prompt_tokens <= (run.spent["input_tokens"] or 0)


async def _read(agent: Any, begun: asyncio.Event) -> None:
    async for _ in agent.astream(QUESTION, stream_mode="messages"):
        begun.set()


def test_a_prompt_that_does_not_fit_is_never_sent(server: VllmServer, grown: Callable[[], ServerCounters]) -> None:
    budget = Budget(input_tokens=20)
    agent = create_agent(server.chat_model(), middleware=[middleware(server, budget)])
    with pytest.raises(BudgetExceeded, match="cannot pay for one answer"):
        agent.invoke(QUESTION)
    assert counted(grown()) == (0, 0)
