from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetkit.plugins import Found, Passage, keep

KEEPING: Any = import_module("budgetkit.plugins._keeping")
progress, support = KEEPING.progress, KEEPING.support
QUESTION = "In which town did the engineer who designed Gull Point Light study?"
LIGHT = Passage("Gull Point Light", "Gull Point Light was designed by the engineer Mara Ellison.")
ELLISON = Passage("Mara Ellison", "Mara Ellison (born 2 May 1831) went to Westhaven when she was nine.")
TOWNS = [
    Passage(f"{name} Town", f"{name} is a town of engineers. Many study in the town.")
    for name in ("Abel", "Bock", "Cole")
]
FIRST = Found(QUESTION, (*TOWNS, LIGHT))
SECOND = Found("Mara Ellison town study", (ELLISON, *TOWNS))


def titles(*found: Found, question: str = QUESTION, k: int = 5) -> list[str]:
    return [passage.title for passage in keep(question, found, k)]


def test_nothing_found_is_nothing_kept() -> None:
    assert keep(QUESTION, ()) == []
    assert keep(QUESTION, [Found(QUESTION, ())]) == []


def test_no_more_than_k_are_kept_and_none_twice() -> None:
    assert len(titles(FIRST, SECOND, k=3)) == 3
    assert sorted(titles(FIRST, SECOND)) == sorted({"Mara Ellison", "Gull Point Light", *(p.title for p in TOWNS)})


def test_what_the_question_names_is_kept_first() -> None:
    assert titles(FIRST, k=1) == ["Gull Point Light"]


def test_a_page_that_a_kept_one_names_is_kept_though_it_has_none_of_the_question() -> None:
    assert titles(FIRST, Found("boats", (*TOWNS, ELLISON)), k=2) == ["Gull Point Light", "Mara Ellison"]


def test_a_name_inside_a_longer_word_is_no_link() -> None:
    mara = Passage("Mar", "Mar is a river.")
    assert "Mar" not in titles(FIRST, Found("boats", (*TOWNS, mara)), k=3)


def test_the_page_that_a_search_was_after_goes_before_those_that_came_with_it() -> None:
    question = "Who built the mill?"
    mill = Passage("The mill", "The mill is old. Ada Wren and Ida Lark knew it. Tobias Fenn knew it.")
    pages = [Passage(name, f"{name} was a person.") for name in ("Ada Wren", "Ida Lark", "Tobias Fenn")]
    found = [Found(question, (mill,)), Found("Tobias Fenn built", (*pages[:2], pages[2]))]
    assert titles(*found, question=question, k=2) == ["The mill", "Tobias Fenn"]


def test_a_page_that_shares_the_name_searched_for_is_led_to() -> None:
    question = "Who is the sister of the engineer who designed Gull Point Light?"
    sister = Passage("A Quiet House", "A Quiet House is a play in which Mara Ellison is lost.")
    other = Passage("A Loud House", "A Loud House is a play in which Otto Brandt is lost.")
    after_her = [Found(question, (LIGHT,)), Found("Mara Ellison sister", (other, sister))]
    after_plays = [Found(question, (LIGHT,)), Found("play", (other, sister))]
    assert titles(*after_her, question=question, k=2) == ["Gull Point Light", "A Quiet House"]
    assert titles(*after_plays, question=question, k=2) == ["Gull Point Light", "A Loud House"]


def test_what_the_kept_leave_open_counts_more_than_what_they_have() -> None:
    question = "Which river and which mountain are in Arbor County?"
    rivers = [Passage(f"{name} River", "A river.") for name in ("Abel", "Bock")]
    mountain = Passage("Mount Cole", "A mountain.")
    assert titles(Found("x", (*rivers, mountain)), question=question, k=2) == ["Abel River", "Mount Cole"]


def test_a_second_passage_of_a_title_comes_after_other_titles() -> None:
    again = Passage("Gull Point Light", "Gull Point Light has an engineer. Engineers study how it was designed.")
    assert titles(Found(QUESTION, (LIGHT, again, TOWNS[0])), k=2) == ["Gull Point Light", TOWNS[0].title]


def test_passages_without_a_title_are_not_taken_for_one_page() -> None:
    plain = [Passage("", "The engineer had a study in the town."), Passage("", "Gull Point Light was designed.")]
    other = Passage("Boats", "Boats leave every day.")
    assert keep(QUESTION, [Found(QUESTION, (other, *plain))], 2) == plain[::-1]


def test_a_repeated_search_is_a_step_back() -> None:
    assert progress(QUESTION, [FIRST], Found(QUESTION.upper(), (LIGHT,))) == -2


def test_a_result_with_nothing_new_is_no_progress() -> None:
    assert progress(QUESTION, [FIRST], Found("towns", tuple(TOWNS))) == 0
    assert progress(QUESTION, [FIRST], Found("nothing", ())) == 0


def test_a_page_that_the_evidence_led_to_is_more_progress_than_one_that_merely_comes_along() -> None:
    aside = Passage("Boats", "Boats leave every day.")
    led = progress(QUESTION, [Found(QUESTION, (LIGHT,))], Found("Mara Ellison", (ELLISON,)))
    assert led > progress(QUESTION, [Found(QUESTION, (LIGHT,))], Found("boats", (aside,))) > 0


def test_the_page_that_the_question_names_resolves_a_hop() -> None:
    assert progress(QUESTION, [Found("towns", tuple(TOWNS))], Found("Gull Point Light", (LIGHT,))) >= 3


def test_support_is_the_share_of_the_question_that_the_kept_have_together() -> None:
    assert support(QUESTION, ()) == 0
    assert support("Gull Point Light designed?", [Found("x", (LIGHT,))]) == 1
    assert support(QUESTION, [Found("x", (LIGHT,))]) < support(QUESTION, [FIRST])


words = st.lists(
    st.sampled_from(
        ["Ada", "Wren", "Sea", "of", "Glass", "the", "a", "drew", "harbour", "1702", "In", "(x)", "é", "-", "."]
    ),
    max_size=12,
)
texts = words.map(" ".join)
passages = st.builds(Passage, texts, texts)
results = st.lists(st.builds(Found, texts, st.lists(passages, max_size=4).map(tuple)), max_size=4)


@given(texts, results, st.integers(0, 6))
def test_what_is_kept_was_found_is_kept_once_and_starts_with_what_a_smaller_choice_keeps(
    question: str, found: list[Found], k: int
) -> None:
    kept = keep(question, found, k)
    everything = {passage for result in found for passage in result.passages}
    assert set(kept) <= everything
    assert len(kept) == min(k, len(everything)) == len(set(kept))
    assert keep(question, found, k + 1)[:k] == kept


@given(texts, st.lists(st.builds(Found, texts, st.lists(passages, max_size=4).map(tuple)), min_size=1, max_size=4))
def test_the_critic_stays_within_its_bounds(question: str, found: list[Found]) -> None:
    assert -4 <= progress(question, found[:-1], found[-1]) <= 4
    assert 0 <= support(question, found) <= 1 + 1e-9


@pytest.mark.parametrize("repeat", [1, 2])
def test_equal_passages_from_different_results_are_one(repeat: int) -> None:
    copies = [Found(f"x{i}", (Passage(LIGHT.title, LIGHT.text),)) for i in range(repeat)]
    assert keep(QUESTION, copies) == [LIGHT]
