import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool

from budgetkit.testing import ScriptedChatModel, ScriptExhaustedError, Turn, call


@tool
def search(query: str) -> str:
    """Search the corpus."""
    return f"found {query}"


def streamed(model: ScriptedChatModel, text: str, **settings: Any) -> AIMessageChunk:
    whole: AIMessageChunk | None = None
    for piece in model.stream(text, **settings):
        assert isinstance(piece, AIMessageChunk)
        whole = piece if whole is None else whole + piece
    assert whole is not None
    return whole


def test_turns_are_replayed_in_order() -> None:
    model = ScriptedChatModel(["one", [call("search", query="a"), call("search", query="b")], AIMessage("three")])
    assert model.invoke("hi").text == "one"
    assert [c["args"]["query"] for c in model.invoke("hi").tool_calls] == ["a", "b"]
    assert model.invoke("hi").text == "three"


def test_an_agent_runs_on_a_script_to_its_end() -> None:
    model = ScriptedChatModel([call("search", query="jaws"), "Spielberg"])
    result = create_agent(model, [search]).invoke({"messages": [HumanMessage("who made jaws?")]})
    assert [m.text for m in result["messages"]] == ["who made jaws?", "", "found jaws", "Spielberg"]
    assert model.requests[0].tool_names == ("search",)
    assert isinstance(model.requests[1].messages[-1], ToolMessage)


async def test_the_async_paths_replay_the_same_script() -> None:
    model = ScriptedChatModel(["one two", "three four"])
    assert (await model.ainvoke("hi")).text == "one two"
    pieces = [piece.text async for piece in model.astream("hi")]
    assert pieces == ["three", " four", ""]


def test_tokens_are_words_of_the_texts_and_of_the_tool_calls() -> None:
    model = ScriptedChatModel(["one two three", call("search", query="a b")])
    usage = model.invoke([HumanMessage("four words of question"), AIMessage("and one")]).usage_metadata
    assert usage == {"input_tokens": 6, "output_tokens": 3, "total_tokens": 9}
    usage = model.invoke("hi").usage_metadata
    assert usage == {"input_tokens": 1, "output_tokens": 4, "total_tokens": 5}


def test_usage_can_be_missing() -> None:
    model = ScriptedChatModel(["one"] * 2, usage=False)
    assert model.invoke("hi").usage_metadata is None
    assert streamed(model, "hi").usage_metadata is None


def test_a_ready_message_keeps_its_own_usage() -> None:
    claimed = {"input_tokens": 100, "output_tokens": 50, "total_tokens": 150}
    model = ScriptedChatModel([AIMessage("one", usage_metadata=claimed)])  # pyright: ignore[reportArgumentType] - a plain dict will do
    assert model.invoke("hi").usage_metadata == claimed


def test_an_output_cap_cuts_the_answer_and_is_recorded() -> None:
    model = ScriptedChatModel(["one  two three"])
    message = model.invoke("hi", max_tokens=2)
    assert message.text == "one  two"
    assert message.usage_metadata is not None
    assert message.usage_metadata["output_tokens"] == 2
    assert message.response_metadata == {"finish_reason": "length", "model_name": "scripted"}
    assert model.requests[0].max_tokens == 2


def test_a_tool_call_that_the_cap_cuts_is_invalid() -> None:
    message = ScriptedChatModel([call("search", query="a b c")]).invoke("hi", max_completion_tokens=2)
    assert message.tool_calls == []
    assert [c["error"] for c in message.invalid_tool_calls] == ["cut off by max_tokens=2"]


def test_an_output_cap_can_be_ignored() -> None:
    message = ScriptedChatModel(["one two three"], ignore_max_tokens=True).invoke("hi", max_tokens=1)
    assert message.text == "one two three"


def test_an_exception_in_the_script_is_raised() -> None:
    model = ScriptedChatModel([TimeoutError("slow"), "fine"])
    with pytest.raises(TimeoutError, match=r"^slow$"):
        model.invoke("hi")
    assert model.invoke("hi").text == "fine"
    assert len(model.requests) == 2


def test_a_function_decides_its_turn_from_the_messages() -> None:
    def shout(messages: list[BaseMessage]) -> Turn:
        return messages[-1].text.upper()

    assert ScriptedChatModel([shout]).invoke("hi").text == "HI"


def test_a_script_that_is_over_says_so() -> None:
    model = ScriptedChatModel(["one"], name="planner")
    model.invoke("hi")
    message = (
        "the script of 'planner' has 1 turn(s) and was asked for turn 2: write that turn down, or pass loop_last=True"
    )
    with pytest.raises(ScriptExhaustedError, match=f"^{re.escape(message)}$"):
        model.invoke("hi")


def test_the_last_turn_can_be_repeated_for_ever_with_fresh_call_ids() -> None:
    model = ScriptedChatModel(["one", call("search", query="a")], loop_last=True)
    model.invoke("hi")
    ids = [model.invoke("hi").tool_calls[0]["id"] for _ in range(3)]
    assert ids == ["scripted-2-1", "scripted-3-1", "scripted-4-1"]


def test_each_turn_is_handed_out_once_between_threads() -> None:
    model = ScriptedChatModel([str(n) for n in range(64)])
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(model.invoke, ["hi"] * 64))
    assert sorted((answer.text for answer in answers), key=int) == [str(n) for n in range(64)]


@settings(deadline=None)
@given(
    st.one_of(
        st.text(alphabet="ab \n", max_size=20),
        st.lists(st.builds(call, st.just("search"), query=st.text(alphabet="ab ")), min_size=1, max_size=3),
    ),
    st.integers(min_value=1, max_value=8),
)
def test_a_stream_adds_up_to_what_invoke_returns(turn: Turn, cap: int) -> None:
    whole = ScriptedChatModel([turn]).invoke("hi there", max_tokens=cap)
    added = streamed(ScriptedChatModel([turn]), "hi there", max_tokens=cap)
    assert added.text.strip() == whole.text.strip()
    assert added.tool_calls == whole.tool_calls
    assert (added.usage_metadata, added.response_metadata) == (whole.usage_metadata, whole.response_metadata)
