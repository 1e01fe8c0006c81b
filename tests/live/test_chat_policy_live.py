"""A chat policy on a real server with a small model: every reply is JSON, every token is told."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI

from budgetkit.plugins import Answer, Appraisal, ChatPolicy, Options, Plan, Verdict

from ..plugins.planning._paying import Paying  # noqa: TID252 - the tests' own purse
from ..plugins.planning._views import Searching, passages  # noqa: TID252 - the tests' own searches

if TYPE_CHECKING:
    from collections.abc import Callable

    from budgetkit.agents import ServerCounters, VllmServer

pytestmark = [pytest.mark.live, pytest.mark.enable_socket, pytest.mark.timeout(300)]

SAMPLES = 4
RESULTS = {"plan": Plan, "propose": Options, "appraise": Appraisal, "verify": Verdict, "answer": Answer}
FIELDS = {
    "plan": ["hops", "hint", "steps"],
    "propose": ["do", "gain", "why"],
    "appraise": ["delta", "support", "why"],
    "verify": ["constraints", "decision", "why", "summary", "details"],
    "answer": ["answer", "confidence"],
}


def thought(model: ChatOpenAI, skill: str, pay: Paying) -> Any:
    """One skill, asked after one step of a search."""
    search = Searching()
    view = search.view(search.step(passages("Alpha", "Beta")))
    policy = ChatPolicy(model)
    arguments: dict[str, tuple[Any, ...]] = {"propose": (view, SAMPLES, pay), "verify": (view, "Ann Lee", pay)}
    return getattr(policy, skill)(*arguments.get(skill, (view, pay)))


def cache_read(message: AIMessage) -> int:
    usage: Any = message.usage_metadata
    return int(usage["input_token_details"]["cache_read"])


@pytest.mark.parametrize("skill", list(RESULTS))
async def test_a_small_model_thinks_in_json_and_every_token_is_told(
    skill: str, server: VllmServer, grown: Callable[[], ServerCounters]
) -> None:
    pay = Paying()
    result = await thought(server.chat_model(temperature=0.7, seed=1), skill, pay)
    assert isinstance(result, RESULTS[skill])
    (paid,) = pay.calls
    assert len(paid.answers) == (SAMPLES if skill == "propose" else 1)
    whole = [answer for answer in paid.answers if answer.response_metadata["finish_reason"] == "stop"]
    assert all(list(json.loads(answer.text)) == FIELDS[skill] for answer in whole)
    told = paid.answers[0].usage_metadata
    assert told is not None
    assert 0 < told["output_tokens"] <= paid.cap * len(paid.answers)
    counted = await asyncio.to_thread(grown)
    assert told["output_tokens"] == counted.generation_tokens
    assert told["input_tokens"] * len(paid.answers) == counted.prompt_tokens


async def test_the_skills_at_a_node_share_their_prompt_in_the_servers_cache(server: VllmServer) -> None:
    search, pay = Searching(background="Speak of bridges alone."), Paying()
    view = search.view(search.step(passages(*(f"Bridge {number}" for number in range(5)))))
    policy = ChatPolicy(server.chat_model())
    await policy.propose(view, 1, pay)
    await policy.appraise(view, pay)
    first, second = (cache_read(paid.answers[0]) for paid in pay.calls)
    assert second > first
