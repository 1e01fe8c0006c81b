"""What the words of a question say about the way to its answer."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

CUES: Any = import_module("budgetkit.plugins._planning._cues")
cues, open_hops = CUES.cues, CUES.open_hops


@pytest.mark.parametrize(
    "question",
    [
        "When was Alpha founded?",
        "What is the capital of Norway?",
        "Who wrote The Silent Harbour?",
        "Who is the wife of Jane Doe?",
        "How many lanes does the Alpha Bridge have?",
        "",
    ],
)
def test_a_question_about_one_fact_is_simple(question: str) -> None:
    found = cues(question)
    assert (found.hops, found.compositional, found.comparison) == (1, False, False)


@pytest.mark.parametrize(
    "question",
    [
        "When was the founder of Alpha Motors born?",
        "Who is the spouse of the director of The Silent Harbour?",
        "Where was the composer of film The Silent Harbour educated?",
        "What is the population of the city where Jane Doe died?",
        "When did Jane Doe's father die?",
        "In which year was the company that built the Alpha Bridge founded?",
    ],
)
def test_a_chain_of_facts_is_compositional(question: str) -> None:
    found = cues(question)
    assert found.compositional
    assert not found.comparison


@pytest.mark.parametrize(
    "question",
    [
        "Which opened first, Alpha Bridge or Beta Bridge?",
        "Are Alpha Bridge and Beta Bridge both in Norway?",
        "Were Jane Doe and Ann Roe of the same nationality?",
        "What profession do Jane Doe and Ann Roe have in common?",
        "Who was born first out of Jane Doe and Ann Roe?",
    ],
)
def test_two_things_side_by_side_are_a_comparison(question: str) -> None:
    found = cues(question)
    assert found.comparison
    assert found.compositional


def test_a_comparison_of_chains_takes_twice_the_facts() -> None:
    assert cues("Which film has the director who died first, Alpha Sunrise or Beta Sunset?").hops == 4


@pytest.mark.parametrize(
    ("question", "ambiguous"),
    [
        ("Who was born first, Jane Doe or Ann Roe?", False),
        ("Who is younger, Jane Doe or Ann Roe?", False),
        ("Who is the older of the younger sisters, Jane Doe or Ann Roe?", True),
    ],
)
def test_a_question_that_names_both_ends_of_an_order_is_ambiguous(question: str, ambiguous: bool) -> None:
    assert cues(question).ambiguous is ambiguous


def test_each_step_that_brought_a_fact_closes_a_hop() -> None:
    question = "When was the founder of Alpha Motors born?"
    assert [open_hops(question, ["step"] * done) for done in range(4)] == [2, 1, 0, 0]
    assert open_hops(question) == 2


@given(st.text(max_size=200))
def test_every_text_has_between_one_and_four_facts(text: str) -> None:
    assert 1 <= cues(text).hops <= 4
