"""`stream`, `astream`, `batch` and `abatch`: the same books as `invoke`."""

import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest

from budgetkit import Budget, TokenCount
from budgetkit.testing import MockOpenAIServer, ScriptedChatModel, call

langchain_openai = pytest.importorskip("langchain_openai")


@pytest.mark.parametrize("mode", ["values", "updates", "messages", ["updates", "messages"]])
async def test_a_streamed_run_is_on_the_books_like_any_other(mode: Any, search: Any, kit: Any) -> None:
    budget, model = Budget(llm_calls=3, output_tokens=500), kit.searching()
    agent = kit.agent_on(model, search, budget)
    given: Any = {"messages": [("user", kit.QUESTION)]}
    with budget.open("sync") as sync:
        assert list(agent.stream(given, stream_mode=mode))
    async with budget.open("async") as both:
        assert [chunk async for chunk in agent.astream(given, stream_mode=mode)]
    for job in (sync, both):
        assert job.spent["llm_calls"] == 3
        assert not job.spent.estimated
    assert sync.spent["output_tokens"] == both.spent["output_tokens"]
    assert model.spent["output_tokens"] == 2 * (sync.spent["output_tokens"] or 0)


async def test_a_stream_that_is_left_in_the_middle_gives_nothing_back(search: Any, kit: Any) -> None:
    budget, model = Budget(llm_calls=5, output_tokens=500), kit.searching()
    agent = kit.agent_on(model, search, budget)
    async with budget.open("job") as job:
        async with aclosing(agent.astream({"messages": [("user", kit.QUESTION)]}, stream_mode="messages")) as chunks:
            async for _ in chunks:
                break
        await asyncio.sleep(0)
        assert job.spent["llm_calls"] == len(model.requests) >= 1
        assert not job.reserved


async def test_a_cancelled_run_is_settled_at_its_worst_case(search: Any, kit: Any) -> None:
    budget, started = Budget(llm_calls=5, output_tokens=400), asyncio.Event()

    class Slow(ScriptedChatModel):
        async def _agenerate(self, *_: Any, **__: Any) -> Any:
            started.set()
            await asyncio.Event().wait()

    make: Any = Slow
    agent = kit.agent_on(make([]), search, budget)
    async with budget.open("job") as job:
        task = asyncio.create_task(agent.ainvoke({"messages": [("user", kit.QUESTION)]}))
        await started.wait()
        reserved = job.reserved["output_tokens"]
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert job.spent["output_tokens"] == reserved
        assert job.spent.estimated >= {"output_tokens"}
        assert not job.reserved


async def test_each_input_of_a_batch_is_a_run_of_its_own(search: Any, kit: Any) -> None:
    model = kit.searching()
    agent = kit.agent_on(model, search, Budget(llm_calls=3))
    inputs: Any = [{"messages": [("user", f"{kit.QUESTION} {n}")]} for n in range(6)]
    results = agent.batch(inputs) + await agent.abatch(inputs)
    assert [result["messages"][-1].text for result in results] == ["It was 1987."] * 12
    assert len(model.requests) == 36


async def test_a_batch_inside_a_scope_shares_its_budget(search: Any, kit: Any) -> None:
    """Trap 25: a shared counter without an atomic operation lets parallel runs overshoot."""
    for limit in (7, 20):
        model, budget = kit.searching(), Budget(llm_calls=limit)
        agent = kit.agent_on(model, search, budget)
        inputs: Any = [{"messages": [("user", f"{kit.QUESTION} {n}")]} for n in range(8)]
        with budget.open("job") as job:
            agent.batch(inputs, return_exceptions=True)
            await agent.abatch(inputs, return_exceptions=True)
            assert job.spent["llm_calls"] == len(model.requests) == limit
            assert not job.overshoot


class ServerWords:
    """Counts as the mock server bills: the words of messages, of tool calls and of tool schemas."""

    def count(self, messages: Any, *, tools: Any = (), **_: Any) -> TokenCount:
        texts = [str(m.get("content") or "") for m in messages]
        for message in messages:
            texts += [f"{c['function']['name']} {c['function']['arguments']}" for c in message.get("tool_calls") or ()]
        return TokenCount(sum(len(text.split()) for text in [*texts, *map(json.dumps, tools)]), "exact")

    async def acount(self, messages: Any, *, tools: Any = (), **_: Any) -> TokenCount:
        return self.count(messages, tools=tools)


def searcher(body: Any) -> Any:
    """A server that searches for ever, and answers when it is not given any tools."""
    if not body.get("tools"):
        return "It was 1987, says Alpha."
    call_id = f"c{len(body['messages'])}"
    return {
        "content": None,
        "tool_calls": [{"id": call_id, "function": {"name": "search", "arguments": '{"query": "a"}'}}],
    }


@pytest.mark.enable_socket
@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    "limits",
    [{"llm_calls": 4}, {"input_tokens": 1800}, {"output_tokens": 60}, {"total_tokens": 1800}],
    ids=lambda limits: next(iter(limits)),
)
async def test_no_limit_is_overshot_by_a_server_s_own_count(
    limits: Any, streaming: bool, search: Any, kit: Any, run: Any
) -> None:
    budget = Budget(**limits)
    with MockOpenAIServer(searcher) as server:
        model = langchain_openai.ChatOpenAI(
            base_url=server.base_url, api_key="EMPTY", model="mock", stream_usage=True, disable_streaming=not streaming
        )
        agent = kit.agent_on(model, search, budget, counter=ServerWords(), prices=None)
        with budget.open("job") as job:
            result = await run(agent) if not streaming else await drained(agent, kit)
            server.wait_idle()
            billed = {
                "llm_calls": server.calls,
                "input_tokens": server.prompt_tokens,
                "output_tokens": server.completion_tokens,
                "total_tokens": server.prompt_tokens + server.completion_tokens,
            }
            assert {name: job.spent[name] for name in billed} == billed
    assert all(billed[name] <= limit for name, limit in limits.items())
    assert result["messages"][-1].text == "It was 1987, says Alpha."
    assert server.calls > 2


async def drained(agent: Any, kit: Any) -> Any:
    last = None
    async for kind, chunk in agent.astream({"messages": [("user", kit.QUESTION)]}, stream_mode=["messages", "values"]):
        last = chunk if kind == "values" else last
    return last


async def test_the_model_is_told_where_its_output_ends(search: Any, kit: Any, run: Any) -> None:
    model = ScriptedChatModel([call("search", query="a"), "It was 1987."])
    await run(kit.agent_on(model, search, Budget(output_tokens=300)))
    caps = [request.max_tokens for request in model.requests]
    assert caps[0] is not None
    assert caps[0] <= 225
