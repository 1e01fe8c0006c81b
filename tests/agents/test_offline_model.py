import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool

from budgetkit.agents import OfflineChatModel

QUESTION = "In which town did the engineer who designed Gull Point Light study?"
LIBRARY = {
    "Gull Point Light": "Gull Point Light, which Mara Ellison designed, is a lighthouse of white stone.",
    "Mara Ellison": "Mara Ellison (born 1831) was an engineer. She did study in the town of Westhaven.",
    "Old Harbour": "The Old Harbour is a port.",
}
NOTHING = "Nothing that was found answers this."


@tool
def search(query: str) -> str:
    """Search the library."""
    words = set(re.findall(r"\w+", query.lower()))
    ranked = sorted(LIBRARY, key=lambda title: -len(words & set(title.lower().split())))
    return f"[1] {ranked[0]}\n{LIBRARY[ranked[0]]}\n\n<budget>\nsearch: 1 used, 4 left (high)\n</budget>"


@tool
def fetch(pages: int) -> str:
    """Fetch some pages."""
    return str(pages)


@tool
def lookup(queries: list[str], limit: int = 3) -> str:
    """Look several things up."""
    return f"{queries} {limit}"


@tool
def note(text: str) -> str:
    """Write a note."""
    return text


def found(text: str, *, status: str = "success") -> list[BaseMessage]:
    call = {"name": "search", "args": {"query": text}, "id": text, "type": "tool_call"}
    asked = AIMessage("", tool_calls=[call])  # pyright: ignore[reportArgumentType] - a plain dict will do
    return [asked, ToolMessage(f"[1] {text}\n{LIBRARY.get(text, '')}", tool_call_id=text, status=status)]


def test_it_searches_for_the_question_then_follows_the_link_then_answers() -> None:
    messages = create_agent(OfflineChatModel(), [search]).invoke({"messages": [HumanMessage(QUESTION)]})["messages"]
    queries = [call["args"]["query"] for m in messages if isinstance(m, AIMessage) for call in m.tool_calls]
    assert queries[0] == QUESTION
    assert queries[1].startswith("Mara Ellison")
    assert messages[-1].text == "Westhaven"


def test_it_never_repeats_a_query_and_gives_up_after_six() -> None:
    conversation: list[BaseMessage] = [HumanMessage("Who owns the Moon Palace of Zed, Wye and Ex?")]
    model, queries = OfflineChatModel().bind_tools([search]), list[str]()
    for number in range(10):
        message = model.invoke(conversation)
        if not message.tool_calls:
            break
        queries.append(message.tool_calls[0]["args"]["query"])
        page = f"[1] Page {number}\nPage {number} names Person{number} Smith{number} and Place{number}."
        conversation += [message, ToolMessage(page, tool_call_id=message.tool_calls[0]["id"])]
    assert len(queries) == len(set(queries)) == 6


def test_without_tools_it_answers_from_what_was_found() -> None:
    messages = [HumanMessage(QUESTION), *found("Gull Point Light"), *found("Mara Ellison")]
    assert OfflineChatModel().invoke(messages).text == "Westhaven"
    assert OfflineChatModel().bind_tools([search], tool_choice="none").invoke(messages).text == "Westhaven"


def test_with_nothing_found_it_says_so() -> None:
    assert OfflineChatModel().invoke(QUESTION).text == NOTHING
    assert OfflineChatModel().invoke([]).text == NOTHING


def test_a_final_prompt_is_answered_from_its_findings() -> None:
    prompt = (
        f"Question: {QUESTION}\n\nFindings:\n"
        f'search {{"query": "{QUESTION}"}}:\n[1] Gull Point Light\n{LIBRARY["Gull Point Light"]}\n\n'
        f'search {{"query": "Mara Ellison"}}:\n[1] Mara Ellison\n{LIBRARY["Mara Ellison"]}\n\nAnswer:'
    )
    assert OfflineChatModel().bind_tools([search]).invoke(prompt).text == "Westhaven"
    assert OfflineChatModel().invoke("Question: Who?\n\nFindings:\n(none)\n\nAnswer:").text == NOTHING


def test_an_order_that_is_no_question_does_not_replace_the_question() -> None:
    messages = [HumanMessage(QUESTION), *found("Mara Ellison"), HumanMessage("Answer now.")]
    assert OfflineChatModel().invoke(messages).text == "Westhaven"


def test_a_new_question_on_the_same_thread_starts_afresh() -> None:
    messages = [HumanMessage(QUESTION), *found("Mara Ellison"), AIMessage("Westhaven"), HumanMessage("Who is it?")]
    message = OfflineChatModel().bind_tools([search]).invoke(messages)
    assert message.tool_calls[0]["args"] == {"query": "Who is it?"}


def test_refused_searches_end_in_an_answer() -> None:
    refusals = [*found("a", status="error"), *found("b", status="error")]
    messages = [HumanMessage(QUESTION), *found("Mara Ellison"), *refusals]
    message = OfflineChatModel().bind_tools([search]).invoke(messages)
    assert (message.tool_calls, message.text) == ([], "Westhaven")


def test_it_calls_the_tool_that_sounds_like_a_search_with_what_its_schema_takes() -> None:
    message = OfflineChatModel().bind_tools([fetch, note, lookup]).invoke("Who?")
    assert [(c["name"], c["args"]) for c in message.tool_calls] == [("lookup", {"queries": ["Who?"]})]
    assert OfflineChatModel().bind_tools([fetch, note]).invoke("Who?").tool_calls[0]["name"] == "note"
    assert OfflineChatModel().bind_tools([fetch]).invoke("Who?").text == NOTHING


def test_usage_counts_words_and_marks_exactly_as_it_is_asked_to_count_them() -> None:
    model = OfflineChatModel()
    message = model.invoke("Who, me?")
    assert message.usage_metadata == {"input_tokens": 4, "output_tokens": 7, "total_tokens": 11}
    assert message.response_metadata == {"finish_reason": "stop", "model_name": "offline"}
    messages: list[BaseMessage] = [HumanMessage(QUESTION), *found("Mara Ellison")]
    usage = model.invoke(messages).usage_metadata
    assert usage is not None
    assert usage["input_tokens"] == model.get_num_tokens_from_messages(messages)


@given(st.integers(min_value=1, max_value=9))
@settings(deadline=None)
def test_an_output_cap_is_never_exceeded(cap: int) -> None:
    message = OfflineChatModel().invoke(QUESTION, max_tokens=cap)
    assert message.usage_metadata is not None
    assert message.usage_metadata["output_tokens"] == min(cap, 7)
    assert message.response_metadata["finish_reason"] == ("length" if cap < 7 else "stop")


def test_a_search_that_does_not_fit_the_cap_is_not_made() -> None:
    message = OfflineChatModel().bind_tools([search]).invoke(QUESTION, max_tokens=5)
    assert message.tool_calls == []
    assert message.usage_metadata is not None
    assert message.usage_metadata["output_tokens"] == 5


@pytest.mark.parametrize("with_tool", [True, False])
def test_a_stream_adds_up_to_what_invoke_returns(with_tool: bool) -> None:
    model = OfflineChatModel().bind_tools([search] if with_tool else [])
    whole, added = model.invoke(QUESTION), AIMessageChunk(content="")
    for piece in model.stream(QUESTION):
        assert isinstance(piece, AIMessageChunk)
        added += piece
    assert added.text == whole.text
    assert [c["args"] for c in added.tool_calls] == [c["args"] for c in whole.tool_calls]
    assert (added.usage_metadata, added.response_metadata) == (whole.usage_metadata, whole.response_metadata)


async def test_the_async_path_says_the_same() -> None:
    assert (await OfflineChatModel().ainvoke("Who?")).text == NOTHING
