from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from budgetkit.evals._answer import ending, final_message, short_answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Ossavik", "Ossavik"),
        ("Answer: Ossavik", "Ossavik"),
        ("He was born by the sea.\nAnswer: Ossavik\n", "Ossavik"),
        ("He was born by the sea.\n**Final answer:** Ossavik", "Ossavik"),
        ("Based on what was found, the answer: *Ossavik*", "Ossavik"),
        ("Answer: Quillmere? No.\nAnswer: Ossavik\nThe budget ended here.", "Ossavik"),
        ('Answer: "Ossavik"', "Ossavik"),
        ("Answer:\nOssavik", "Ossavik"),
        ("It is a town.\n\nOssavik\n\n", "Ossavik"),
        ("Answer: -5", "-5"),
        ("", ""),
        ("  \n ", ""),
    ],
)
def test_the_short_answer_stands_behind_the_last_label_or_on_the_last_line(text: str, answer: str) -> None:
    assert short_answer(text) == answer


@given(st.text())
def test_any_text_has_a_short_answer_of_one_line(text: str) -> None:
    assert len(short_answer(text).splitlines()) <= 1


def test_the_final_message_is_the_models() -> None:
    said = AIMessage("x")

    assert final_message({"messages": [HumanMessage("?"), said]}) is said
    assert final_message({"messages": [said, ToolMessage("y", tool_call_id="1")]}) is None
    assert final_message({}) is None


def test_the_ending_is_read_from_the_final_message() -> None:
    said = AIMessage("x", response_metadata={"budgetkit": {"ended": "answer", "resource": "tool_calls", "more": 1}})

    assert ending(said) == {"ended": "answer", "resource": "tool_calls"}
    assert ending(AIMessage("x")) is None
    assert ending(None) is None
