import gc
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool

from budgetkit import EstimateCounter, TiktokenCounter, TokenCount, TokenCounter

# Private, so that type checkers, who see the package through its door, cannot follow an import.
COUNTS: Any = import_module("budgetkit.plugins._prompt_counts")
PROMPT: Any = import_module("budgetkit.plugins._prompt")


@tool
def search(query: str) -> str:
    """Search the corpus."""
    return query


texts = st.text(max_size=30)
messages = st.one_of(
    texts.map(HumanMessage),
    texts.map(AIMessage),
    texts.map(lambda text: ToolMessage(text, tool_call_id="c1")),
    texts.map(lambda text: AIMessage(text, tool_calls=[{"name": "search", "args": {"query": text}, "id": "c1"}])),
)


@pytest.mark.parametrize("counter", [EstimateCounter(), TiktokenCounter()])
@given(prompts=st.lists(st.lists(messages, max_size=5), max_size=4), tools=st.sampled_from([[], [search]]))
def test_a_prompt_comes_to_what_its_counter_says(
    counter: TokenCounter, prompts: list[list[BaseMessage]], tools: list[Any]
) -> None:
    counts, schemas = COUNTS.PromptCounts(counter), PROMPT.Schemas().of(tools)
    conversation: list[BaseMessage] = []
    for more in prompts:
        conversation += more
        for model in ("gpt-4o", "own", "claude-x"):
            whole = counter.count(PROMPT.plain(conversation), tools=schemas, model=model).tokens
            assert counts.of(model, conversation, tools) == whole


def test_a_message_whose_text_was_replaced_is_counted_anew() -> None:
    counts, message = COUNTS.PromptCounts(EstimateCounter()), HumanMessage("short")
    before = counts.of("m", [message], [])
    message.content = "much longer than it was before"
    assert counts.of("m", [message], []) > before


def test_what_is_known_of_a_message_goes_with_it() -> None:
    counts = COUNTS.PromptCounts(EstimateCounter())
    counts.of("m", [HumanMessage("a"), HumanMessage("b")], [])
    gc.collect()
    assert not counts._known


class Remote:
    """A counter of somebody else, which sees whole prompts only."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def count(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        model: str | None = None,
    ) -> TokenCount:
        del tools, model
        self.asked.append(len(messages))
        return TokenCount(7, "exact")

    async def acount(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        model: str | None = None,
    ) -> TokenCount:
        return self.count(messages, tools=tools, model=model)


def test_a_counter_that_is_not_ours_is_asked_for_whole_prompts() -> None:
    remote = Remote()
    conversation = [HumanMessage("a"), AIMessage("b")]
    assert [COUNTS.PromptCounts(remote).of("m", conversation, []) for _ in range(2)] == [7, 7]
    assert remote.asked == [2, 2]
