from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetkit.evals import exact_match, f1, normalise, recall

words = st.text(st.sampled_from("ab The.an'é1 "), max_size=12)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The  Eiffel Tower.", "eiffel tower"),
        ("a an the", ""),
        ("Theatre", "theatre"),
        ("U.S.A.", "usa"),
        ("  Rock\n'n' Roll ", "rock n roll"),
        ("1,024", "1024"),
    ],
)
def test_answers_are_normalised_as_in_squad(text: str, normal: str) -> None:
    assert normalise(text) == normal


@pytest.mark.parametrize(
    ("answer", "accepted", "score"),
    [
        ("the Lantern Bridge", ["Lantern Bridge"], 1.0),
        ("Bridge", ["Lantern Bridge"], 2 / 3),
        ("Bridge", ["Lantern Bridge", "Bridge"], 1.0),
        ("Sarn", ["Lantern Bridge"], 0.0),
        ("bridge bridge", ["Lantern Bridge"], 0.5),
        ("yes", ["yes"], 1.0),
        ("yes, they are", ["yes"], 0.0),
        ("no", ["no man's land"], 0.0),
        ("noanswer", ["noanswer at all"], 0.0),
        ("", ["Lantern Bridge"], 0.0),
    ],
)
def test_f1_is_the_token_overlap_with_the_best_accepted_answer(answer: str, accepted: list[str], score: float) -> None:
    assert f1(answer, accepted) == pytest.approx(score)


@given(words, st.lists(words, max_size=3))
def test_scores_lie_between_zero_and_one_and_f1_is_never_below_exact_match(answer: str, accepted: list[str]) -> None:
    assert 0 <= exact_match(answer, accepted) <= f1(answer, accepted) <= 1


@given(words, words)
def test_both_scores_are_symmetric(left: str, right: str) -> None:
    assert exact_match(left, [right]) == exact_match(right, [left])
    assert f1(left, [right]) == pytest.approx(f1(right, [left]))


@given(words, words)
def test_an_exact_match_has_f1_of_one(left: str, right: str) -> None:
    assert exact_match(left, [right]) == (normalise(left) == normalise(right))
    assert not exact_match(left, [right]) or f1(left, [right]) == 1


@given(words, st.lists(words, min_size=1), words)
def test_another_accepted_answer_never_lowers_a_score(answer: str, accepted: list[str], more: str) -> None:
    assert f1(answer, [*accepted, more]) >= f1(answer, accepted)


@given(st.text())
def test_normalising_twice_is_normalising_once(text: str) -> None:
    assert set(normalise(text)).isdisjoint(string.punctuation)
    assert normalise(normalise(text)) == normalise(text)


def test_recall_counts_distinct_supporting_titles_that_were_seen() -> None:
    assert recall({"A", "C"}, ["A", "B", "A"]) == 0.5
    assert recall(set(), ["A"]) == 0.0


def test_recall_is_unknown_where_no_title_is_gold() -> None:
    assert recall({"A"}, []) is None
