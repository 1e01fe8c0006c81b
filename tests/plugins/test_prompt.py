import json
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.tool import tool_call
from langchain_core.tools import tool

from budgetkit import EstimateCounter

# Private, so that type checkers, who see the package through its door, cannot follow an import.
PROMPT: Any = import_module("budgetkit.plugins._prompt")


@tool
def search(query: str) -> str:
    """Search the corpus."""
    return query


@pytest.mark.parametrize(
    ("message", "role"),
    [
        (SystemMessage("a"), "system"),
        (HumanMessage("a"), "user"),
        (AIMessage("a"), "assistant"),
        (ChatMessage(content="a", role="critic"), "user"),
    ],
)
def test_a_message_becomes_a_mapping_with_a_role(message: BaseMessage, role: str) -> None:
    assert PROMPT.plain([message]) == [{"role": role, "content": "a"}]


def test_a_tool_result_keeps_the_id_of_its_call() -> None:
    message = ToolMessage("found", tool_call_id="c1")
    assert PROMPT.plain([message]) == [{"role": "tool", "content": "found", "tool_call_id": "c1"}]


def test_tool_calls_are_written_as_the_wire_has_them() -> None:
    message = AIMessage("", tool_calls=[tool_call(name="search", args={"query": "jaws"}, id="c1")])
    (made,) = PROMPT.plain([message])
    (asked,) = made["tool_calls"]
    assert (asked["id"], asked["type"], asked["function"]["name"]) == ("c1", "function", "search")
    assert json.loads(asked["function"]["arguments"]) == {"query": "jaws"}


def test_arguments_that_json_does_not_know_are_written_as_text() -> None:
    message = AIMessage("", tool_calls=[tool_call(name="search", args={"query": {1}}, id="c1")])
    assert PROMPT.plain([message])[0]["tool_calls"][0]["function"]["arguments"] == '{"query": "{1}"}'


@given(st.lists(st.text(max_size=40), max_size=6), st.text(min_size=1, max_size=40))
def test_a_longer_conversation_never_counts_less(texts: list[str], more: str) -> None:
    messages: list[BaseMessage] = [HumanMessage(text) for text in texts]
    count = EstimateCounter().count
    assert count(PROMPT.plain([*messages, HumanMessage(more)])).tokens > count(PROMPT.plain(messages)).tokens


def test_a_text_is_passed_on_as_it_is() -> None:
    text = "a text " * 100
    assert PROMPT.plain([HumanMessage(text)])[0]["content"] is text


def test_the_schema_of_a_tool_is_made_once() -> None:
    schemas = PROMPT.Schemas()
    (first,), (again,) = schemas.of([search]), schemas.of([search])
    assert first is again
    assert first["function"]["name"] == "search"


def test_a_mapping_is_a_schema_already() -> None:
    built_in = {"type": "web_search"}
    assert PROMPT.Schemas().of([built_in]) == [built_in]


def test_tools_that_come_and_go_do_not_pile_up() -> None:
    schemas = PROMPT.Schemas()
    for _ in range(1000):
        schemas.of([search.model_copy()])
    assert len(schemas._made) <= PROMPT.SCHEMAS_KEPT
