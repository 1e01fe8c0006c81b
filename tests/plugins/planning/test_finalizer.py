"""The selective finalizer: an answer read from the evidence takes the given one's place in safe cases alone."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetkit.plugins import Finalized, Passage, finalize

FINALIZER: Any = import_module("budgetkit.plugins._planning._finalizer")
FinalizerRule, refine = FINALIZER.FinalizerRule, FINALIZER.refine

BRIDGE = Passage("Alpha Bridge", "The Alpha Bridge was designed by Jane Doe. It opened on 4 May 1937 with 2 lanes.")
BETA = Passage("Beta Bridge", "The Beta Bridge, an American landmark, opened in 1941.")
EVIDENCE = [BRIDGE, BETA]

POLARITY = "Are Alpha Bridge and Beta Bridge both American?"
BINARY = "Which opened first, Alpha Bridge or Beta Bridge?"
TYPED = "In which year was the Alpha Bridge opened?"
COMPLETION = "Who designed the Alpha Bridge?"


def case(question: str, base: str, refined: str, **how: Any) -> Finalized:
    return finalize(question, base, refined, EVIDENCE, **how)


# -- the table -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "base", "refined", "answer", "reason"),
    [
        (POLARITY, "Paris", "yes", "yes", "polarity: gain less harm is 0.2, 0 is enough"),
        (POLARITY, "no", "yes", "yes", "polarity: gain less harm is 0.2, 0 is enough"),
        (POLARITY, "American", "yes", "American", "polarity: gain less harm is -0.4, 0 is enough"),
        (BINARY, "Gamma Bridge", "Alpha Bridge", "Alpha Bridge", "binary: gain less harm is 0.2, 0 is enough"),
        (BINARY, "Beta Bridge", "Alpha Bridge", "Beta Bridge", "binary: gain less harm is -0.4, 0 is enough"),
        (TYPED, "1999", "1937", "1937", "typed: gain less harm is 0.3, 0 is enough"),
        (TYPED, "1941", "1937", "1941", "typed: gain less harm is -0.3, 0 is enough"),
        (COMPLETION, "Ms Jane Doe", "Jane Doe", "Jane Doe", "completion: gain less harm is 0.3, 0 is enough"),
        (COMPLETION, "Doe", "Jane Doe", "Jane Doe", "completion: gain less harm is 0.3, 0 is enough"),
    ],
)
def test_every_cell_of_the_table(question: str, base: str, refined: str, answer: str, reason: str) -> None:
    """The second column of each case: the given answer stands in the evidence, and weighs more."""
    assert case(question, base, refined, polarity_confirmed=True) == Finalized(answer, answer == base, reason)


@pytest.mark.parametrize(
    ("question", "refined"), [("How many lanes are there?", "2"), ("When did it open?", "4 May 1937")]
)
def test_a_number_and_a_date_are_typed_as_a_year_is(question: str, refined: str) -> None:
    assert case(question, "several", refined).reason.startswith("typed: ")


# -- what keeps the given answer -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "base", "refined", "how", "reason"),
    [
        (TYPED, "1999", "", {}, "there is nothing to compare"),
        (TYPED, "", "1937", {}, "there is nothing to compare"),
        (COMPLETION, "the Jane Doe.", "jane doe", {}, "both answers are the same"),
        (TYPED, "1999", "1937", {"resolved": False}, "a fact on the way is missing"),
        (BINARY, "Gamma", "Alpha Bridge", {"ambiguous": True}, "the direction of the comparison is open"),
        (TYPED, "1999", "1938", {}, "the other answer does not stand in the evidence"),
        (TYPED, "1999", "937", {}, "the other answer does not stand in the evidence"),
        (COMPLETION, "Doe", "Ann Doe", {}, "the other answer does not stand in the evidence"),
        (POLARITY, "Paris", "yes", {}, "nobody confirms the other answer"),
        (COMPLETION, "Ann Roe", "Jane Doe", {}, "the case is not a safe one"),
        (BINARY, "Gamma", "Jane Doe", {}, "the case is not a safe one"),
        (TYPED, "1999", "Jane Doe", {}, "the case is not a safe one"),
    ],
)
def test_every_doubt_keeps_the_given_answer(
    question: str, base: str, refined: str, how: dict[str, bool], reason: str
) -> None:
    assert case(question, base, refined, **how) == Finalized(base, True, reason)


def test_doubts_come_in_the_order_of_the_rule() -> None:
    found = case("Who?", "a b", "c", resolved=False, ambiguous=True)
    assert found.reason == "a fact on the way is missing"
    assert case("Who?", "a b", "c", ambiguous=True).reason == "the direction of the comparison is open"
    assert case("Who?", "a b", "c").reason == "the other answer does not stand in the evidence"


def test_the_letter_a_is_an_answer() -> None:
    assert case("Which vitamin is it?", "A", "a") == Finalized("A", True, "both answers are the same")


@given(st.text(max_size=20), st.text(max_size=20), st.booleans(), st.booleans(), st.booleans())
def test_it_is_always_one_of_the_two(base: str, refined: str, resolved: bool, ambiguous: bool, confirmed: bool) -> None:
    found = finalize(
        TYPED, base, refined, EVIDENCE, resolved=resolved, ambiguous=ambiguous, polarity_confirmed=confirmed
    )
    assert found.answer == (base if found.kept else refined)
    assert found.reason


@given(st.floats(0, 5))
def test_the_more_harm_weighs_the_less_is_replaced(eta: float) -> None:
    rule = FinalizerRule(eta=eta)
    assert rule.margin("typed", present=True) <= rule.margin("typed", present=False) <= FinalizerRule(eta=0).typed
    found = finalize(TYPED, "1999", "1937", EVIDENCE, rule=rule)
    assert found.kept == (rule.margin("typed", present=False) < 0)


def test_the_threshold_belongs_to_replacing() -> None:
    exact = FinalizerRule(tau=0.25, typed=0.75, eta=2, harm=0.25)
    assert finalize(TYPED, "1999", "1937", EVIDENCE, rule=exact).answer == "1937"


# -- the other answer ------------------------------------------------------------------------------------------------


def test_the_other_answer_is_a_span_of_the_evidence() -> None:
    assert refine(TYPED, [BRIDGE]) == "1937"
    assert refine(COMPLETION, EVIDENCE) == "Jane Doe"


def test_a_whole_sentence_is_no_other_answer() -> None:
    assert refine("What is it?", [Passage("", "it rains. it pours.")]) == ""
    assert refine(TYPED, []) == ""
