from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, Generation, LLMResult

from budgetkit import Usage

# Private, so that type checkers, who see the package through its door, cannot follow an import.
USAGE_OF: Any = import_module("budgetkit.plugins._usage_of")

counts = st.integers(min_value=0, max_value=10**6)


def told(read: int, written: int, **more: Any) -> Any:
    return UsageMetadata(input_tokens=read, output_tokens=written, total_tokens=read + written) | more


def result(*messages: AIMessage, llm_output: Any = None) -> LLMResult:
    return LLMResult(generations=[[ChatGeneration(message=m) for m in messages]], llm_output=llm_output)


@given(st.integers(min_value=1, max_value=10**6), counts, st.integers(min_value=1, max_value=5))
def test_the_usage_of_a_request_counts_once_whatever_n_is(read: int, written: int, n: int) -> None:
    messages = [AIMessage("a", usage_metadata=told(read, written)) for _ in range(n)]
    output = {"token_usage": {"prompt_tokens": read, "completion_tokens": written}}
    expected = Usage(input_tokens=read, output_tokens=written)
    assert USAGE_OF.from_result(result(*messages, llm_output=output)) == expected
    assert USAGE_OF.from_result(result(*messages)) == expected


@pytest.mark.parametrize(
    "silent",
    [
        result(AIMessage("a")),
        result(AIMessage("a", usage_metadata=told(0, 0))),
        result(AIMessage("a"), llm_output={"token_usage": {"prompt_tokens": 0, "completion_tokens": 0}}),
        result(AIMessage("a"), llm_output={"token_usage": None}),
        LLMResult(generations=[[Generation(text="a")]], llm_output={"token_usage": {}}),
        LLMResult(generations=[[]]),
        LLMResult(generations=[]),
    ],
)
def test_no_usage_is_none_and_not_zero(silent: LLMResult) -> None:
    assert USAGE_OF.from_result(silent) is None
    assert not USAGE_OF.is_cache_hit(silent)


def test_a_completion_model_tells_its_usage_beside_the_text() -> None:
    output = {"token_usage": {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}}
    told_beside = LLMResult(generations=[[Generation(text="a")]], llm_output=output)
    assert USAGE_OF.from_result(told_beside) == Usage(input_tokens=4, output_tokens=2)


def test_cached_and_reasoning_tokens_stay_inside_their_wholes() -> None:
    details = {"input_token_details": {"cache_read": 60}, "output_token_details": {"reasoning": 7}}
    message = AIMessage("a", usage_metadata=told(100, 10, **details))
    assert USAGE_OF.from_message(message) == Usage(input_tokens=100, output_tokens=10, cache_read=60, reasoning=7)


@pytest.mark.parametrize(("cost", "hit"), [(0, True), (0.0, True), (0.25, False)])
def test_the_cache_marks_its_answers_with_a_cost_of_zero(cost: float, hit: bool) -> None:
    assert USAGE_OF.is_cache_hit(result(AIMessage("a", usage_metadata=told(4, 2, total_cost=cost)))) is hit


def test_usage_without_a_cost_is_no_cache_hit() -> None:
    assert not USAGE_OF.is_cache_hit(result(AIMessage("a", usage_metadata=told(4, 2))))


def seen(*usages: Any) -> Any:
    stream = USAGE_OF.StreamUsage()
    for usage in usages:
        stream.see(AIMessageChunk(content="a", usage_metadata=usage))
    return stream.running_total


@given(st.integers(min_value=1, max_value=10**6), st.lists(counts, min_size=2, max_size=20).map(sorted))
def test_a_running_total_ends_with_its_last_number(read: int, written: list[int]) -> None:
    total = seen(*(told(read, n) for n in written))
    assert total == Usage(input_tokens=read, output_tokens=written[-1])


@pytest.mark.parametrize(
    "usages",
    [
        [],
        [None, None],
        [told(10, 5)],
        [None, told(10, 5), None],
        [told(10, 1), told(0, 5)],  # the prompt first, the output at the end
        [told(10, 1), told(4, 5)],  # a second prompt, such as what a built-in tool read
        [told(10, 5), told(10, 1)],
    ],
)
def test_parts_that_add_up_are_no_running_total(usages: list[Any]) -> None:
    assert seen(*usages) is None


def test_what_is_no_message_is_passed_over() -> None:
    stream = USAGE_OF.StreamUsage()
    stream.see(None)
    stream.see("a piece")
    assert stream.running_total is None
