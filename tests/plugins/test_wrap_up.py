"""The last prompt, and the answer that costs nothing."""

from importlib import import_module
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

# Private, so that type checkers, who see the package through its door, cannot follow an import.
WRAP_UP: Any = import_module("budgetkit.plugins._wrap_up")
Findings, final_prompt, findings_of = WRAP_UP.Findings, WRAP_UP.final_prompt, WRAP_UP.findings_of
free_answer, question_of = WRAP_UP.free_answer, WRAP_UP.question_of

QUESTION = "When was Alpha founded?"


def asked(**args: Any) -> AIMessage:
    return AIMessage("Let me look.", tool_calls=[{"name": "search", "args": args, "id": "1"}])


def found(text: str, **options: Any) -> ToolMessage:
    return ToolMessage(text, tool_call_id="1", name="search", **options)


def words(messages: list[BaseMessage]) -> int:
    return sum(len(message.text.split()) for message in messages)


def test_the_question_is_the_last_thing_that_a_person_said() -> None:
    assert question_of([HumanMessage("Hi"), AIMessage("Hello"), HumanMessage(QUESTION), asked(query="a")]) == QUESTION
    assert question_of([AIMessage("Hello")]) == ""


def test_findings_are_what_was_said_and_found_oldest_first_without_the_tracker() -> None:
    messages = [
        SystemMessage("Be terse."),
        HumanMessage("Hi"),
        HumanMessage(QUESTION),
        asked(query="Alpha"),
        found("It was 1987.\n\n<budget>\nlevel: low\n</budget>"),
        found("boom", status="error"),
    ]
    assert findings_of(messages) == Findings(
        QUESTION,
        ("user: Hi", "assistant: Let me look.", 'search {"query": "Alpha"}:\nIt was 1987.'),
        ("It was 1987.",),
    )


def test_huge_arguments_do_not_push_out_what_was_found() -> None:
    entries = findings_of([HumanMessage(QUESTION), asked(query="x" * 10**6), found("It was 1987.")]).entries
    assert len(entries[-1]) < 300
    assert entries[-1].endswith("…:\nIt was 1987.")


def test_a_last_prompt_that_fits_holds_everything() -> None:
    findings = Findings(QUESTION, ("user: Hi", "search a:\nIt was 1987."), ())
    system, human = final_prompt(findings, SystemMessage("Be terse."), lambda _: True) or []
    assert system.text.startswith("Be terse.\n\nThe budget for searching is used up.")
    assert human.text == f"Question: {QUESTION}\n\nFindings:\nuser: Hi\n\nsearch a:\nIt was 1987.\n\nAnswer:"


def test_no_prompt_is_made_if_not_even_the_question_fits() -> None:
    assert final_prompt(Findings(QUESTION, (), ()), None, lambda messages: words(messages) < 10) is None


@given(st.lists(st.integers(1, 400), max_size=8), st.integers(60, 900))
def test_the_newest_findings_come_first_and_the_prompt_always_fits(sizes: list[int], room: int) -> None:
    entries = tuple(f"n{number} " + "word " * size for number, size in enumerate(sizes))
    prompt = final_prompt(Findings(QUESTION, entries, ()), None, lambda messages: words(messages) <= room)
    if prompt is None:
        return
    assert words(prompt) <= room
    kept = [number for number in range(len(sizes)) if f"n{number} " in prompt[-1].text]
    assert kept == list(range(len(sizes)))[len(sizes) - len(kept) :]
    if len(kept) < len(sizes):
        assert words(prompt) > room - 50  # what is left is too short to say anything


def test_the_free_answer_is_read_out_of_what_was_found() -> None:
    findings = Findings(QUESTION, (), ("[1] Alpha\nAlpha was founded in 1987 by Jane Doe.",))
    assert free_answer(findings, "llm_calls: 3 of 3 used") == (
        "1987\n\n(Read from the findings without a model: the budget ended, llm_calls: 3 of 3 used.)"
    )


def test_a_free_answer_that_finds_nothing_says_so() -> None:
    assert free_answer(Findings(QUESTION, (), ("",)), "usd: 1 of 1 used") == (
        "No answer was found before the budget ended (usd: 1 of 1 used)."
    )
