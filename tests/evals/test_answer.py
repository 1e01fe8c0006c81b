from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetkit.evals import short_answer


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
