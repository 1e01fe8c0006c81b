"""pydantic-ai: its own agent loop, one usage object shared by everything that is run."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from guard import MODEL, Cap, Guard, Row
from scenarios import ASK, BRANCHES, TIMES, attempt, search, tally, what


@contextmanager
def requests(url: str, cap: Cap) -> Iterator[Guard]:
    yield from _guarded(url, request_limit=cap.calls)


@contextmanager
def cost(url: str, cap: Cap) -> Iterator[Guard]:
    yield from _guarded(url, cost_limit=cap.usd, request_limit=None)


def _guarded(url: str, **limits: Any) -> Iterator[Guard]:
    from pydantic_ai.usage import RunUsage, UsageLimits

    usage = RunUsage()
    shared = {"usage": usage, "usage_limits": UsageLimits(**limits)}
    yield Guard(url, partial(_agent, url), config=shared, recorded=lambda: usage.cost)


def _agent(url: str, *, max_retries: int = 0, **options: Any) -> Any:
    from openai import AsyncOpenAI
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    client = AsyncOpenAI(base_url=url, api_key="EMPTY", max_retries=max_retries)
    model = OpenAIChatModel(MODEL, provider=OpenAIProvider(openai_client=client))
    return Agent(model, **{"output_type": str, **options})


def plain_loop(guard: Guard) -> str:
    return what(guard.model(tools=[search]).run_sync(ASK, **guard.config).output)


def fan_out(guard: Guard) -> str:
    async def branches() -> list[Any]:
        return await asyncio.gather(*(guard.model().run(ASK, **guard.config) for _ in range(BRANCHES)))

    return tally(sorted(what(branch.output) for branch in asyncio.run(branches())))


def interrupts(guard: Guard) -> str:
    from pydantic_ai import DeferredToolRequests, DeferredToolResults, Tool

    tool = Tool(search, requires_approval=True)
    agent = guard.model(tools=[tool], output_type=[str, DeferredToolRequests])
    result = agent.run_sync(ASK, **guard.config)
    while isinstance(result.output, DeferredToolRequests):
        granted = DeferredToolResults(approvals={call.tool_call_id: True for call in result.output.approvals})
        result = agent.run_sync(message_history=result.all_messages(), deferred_tool_results=granted, **guard.config)
    return what(result.output)


def cut_streams(guard: Guard) -> str:
    async def read() -> str:
        async with guard.model().run_stream(ASK, **guard.config) as result:
            return what(await result.get_output())

    return tally(attempt(lambda: asyncio.run(read())) for _ in range(TIMES))


def sub_agents(guard: Guard) -> str:
    sub = guard.model(tools=[search], instructions="you are the sub-agent")

    async def delegate(task: str) -> str:
        """Hand a task over."""
        return (await sub.run(task, **guard.config)).output

    return what(guard.model(tools=[delegate]).run_sync(ASK, **guard.config).output)


def retries(guard: Guard) -> str:
    agent = guard.model()
    return tally(attempt(lambda: what(agent.run_sync(ASK, **guard.config).output)) for _ in range(TIMES))


def client_retries(guard: Guard) -> str:
    return what(guard.model(max_retries=4).run_sync(ASK, **guard.config).output)


OWN = {
    "plain loop": plain_loop,
    "8-way fan-out": fan_out,
    "interrupt and resume": interrupts,
    "streaming cut off": cut_streams,
    "sub-agent": sub_agents,
    "retry": retries,
    "retry inside the client": client_retries,
}
SHARED = "its own agents, one `usage=` for all runs"
ROWS = [
    Row("pydantic-ai-slim", f"`UsageLimits(request_limit=3)`; {SHARED}", "calls", requests, OWN),
    Row("pydantic-ai-slim", f"`UsageLimits(cost_limit=cap)`; {SHARED}", "usd", cost, OWN),
]
