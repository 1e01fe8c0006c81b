from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from budgetkit.evals import Question
from budgetkit.evals._order import Order

QUESTIONS = [Question(f"q{i}", f"What is {i}, é?", (str(i), "x"), ("T",) * (i % 3), "bridge", f"k{i}") for i in range(40)]


def ordered(seed: int, limit: int | None = None) -> list[Question]:
    with Order(QUESTIONS, seed=seed, limit=limit) as order:
        found = list(order)
        assert len(order) == len(found)
    return found


@given(st.integers(0, 99))
def test_the_order_holds_every_question_once_and_whole(seed: int) -> None:
    assert sorted(ordered(seed), key=QUESTIONS.index) == QUESTIONS


@given(st.integers(0, 99), st.integers(0, 50))
def test_a_limit_cuts_the_same_order(seed: int, limit: int) -> None:
    assert ordered(seed, limit) == ordered(seed)[:limit]


def test_the_seed_is_the_order() -> None:
    assert ordered(1) == ordered(1) != ordered(2)
