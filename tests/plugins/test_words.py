import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetkit.plugins import (
    AnswerKind,
    Passage,
    answer_kind,
    best_sentences,
    content_terms,
    extract_answer,
    next_queries,
    read_passages,
    uncovered_terms,
)

LIGHTHOUSE = Passage(
    "Gull Point Light",
    "Gull Point Light, designed by Mara Ellison and lit in 1874, is a lighthouse in Arbor County.",
)
ELLISON = Passage(
    "Mara Ellison",
    "Mara Ellison (born 2 May 1831) was an Irish engineer. She studied in the town of Westhaven. "
    "Her firm built 14 lighthouses.",
)
HARBOUR = Passage("Old Harbour", "The Old Harbour is a Danish port that opened in 1902. Boats leave it every day.")
EVIDENCE = [LIGHTHOUSE, ELLISON, HARBOUR]


def test_a_search_result_is_read_as_titled_passages() -> None:
    result = "[1] Gull Point Light\nIt stands.\n\nStill.\n\n[2] Mara Ellison\nAn engineer."
    assert read_passages(result) == [
        Passage("Gull Point Light", "It stands.\n\nStill."),
        Passage("Mara Ellison", "An engineer."),
    ]


def test_a_result_of_another_form_is_one_passage() -> None:
    assert read_passages("  just text ") == [Passage("", "just text")]
    assert read_passages(" \n") == []


@pytest.mark.parametrize("block", ["<budget>\nsearch: 1 used\n</budget>", "<budget level=low>\nnever closed"])
def test_a_tracker_block_is_no_evidence(block: str) -> None:
    assert read_passages(f"[1] A\nfound\n\n{block}") == [Passage("A", "found")]


def test_a_result_between_trackers_is_kept() -> None:
    two = "[1] A\nfound\n<budget>\nx\n</budget>\n[1] B\nfound too\n<budget>\ny\n</budget>"
    assert [passage.title for passage in read_passages(two)] == ["A", "B"]


def test_what_disambiguates_a_title_is_not_part_of_the_name() -> None:
    assert Passage("Salt &amp; Light (film)", "").name == "Salt & Light"


def test_content_terms_leave_out_small_words_and_plural_endings() -> None:
    assert content_terms("Which of the engineers' lighthouses was built?") == {"engineer", "lighthouse", "built"}


def test_initials_and_abbreviations_do_not_end_a_sentence() -> None:
    passage = Passage("", "J. R. Dale met Dr. Stone in St. Ives. They left.")
    assert passage.sentences == ("J. R. Dale met Dr. Stone in St. Ives.", "They left.")


def test_the_first_query_is_the_question() -> None:
    question = "Where did the designer of Gull Point Light study?"
    assert next_queries(question, []) == [question, "Gull Point Light"]


def test_the_next_query_follows_a_name_with_the_words_still_open() -> None:
    question = "Where did the engineer who designed Gull Point Light study?"
    assert next_queries(question, [LIGHTHOUSE], [question])[0] == "Mara Ellison engineer study"


def test_a_name_in_the_question_that_nothing_is_about_comes_before_links() -> None:
    queries = next_queries("Are Gull Point Light and Stone Bridge both in Arbor County?", [LIGHTHOUSE])
    assert queries[0] == "Stone Bridge"


@given(st.integers(min_value=1, max_value=12))
def test_no_query_is_ever_repeated(rounds: int) -> None:
    question, searched = "Who designed Gull Point Light in Arbor County?", list[str]()
    for _ in range(rounds):
        queries = next_queries(question, EVIDENCE if searched else [], [query.upper() for query in searched])
        if not queries:
            break
        searched.append(queries[0])
    assert len({query.lower() for query in searched}) == len(searched)


def test_uncovered_terms_are_those_that_no_passage_has() -> None:
    assert uncovered_terms("Which lighthouse did the wizard build in 1874?", EVIDENCE) == {"wizard", "build"}


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Are Gull Point Light and Old Harbour both ports?", AnswerKind.YES_NO),
        ("Which opened first, Gull Point Light or Old Harbour?", AnswerKind.CHOICE),
        ("In which year was it lit?", AnswerKind.YEAR),
        ("When was Mara Ellison born?", AnswerKind.DATE),
        ("How many lighthouses did the firm build?", AnswerKind.NUMBER),
        ("What nationality was Mara Ellison?", AnswerKind.ORIGIN),
        ("Who designed Gull Point Light?", AnswerKind.PERSON),
        ("In which town did she study?", AnswerKind.PLACE),
        ("What lighthouse did she design?", AnswerKind.NAME),
    ],
)
def test_the_kind_of_answer_is_read_off_the_question(question: str, kind: AnswerKind) -> None:
    assert answer_kind(question) is kind


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Who designed Gull Point Light?", "Mara Ellison"),
        ("In which year was Gull Point Light lit?", "1874"),
        ("When was Mara Ellison born?", "2 May 1831"),
        ("How many lighthouses did Mara Ellison's firm build?", "14"),
        ("What nationality was Mara Ellison?", "Irish"),
        ("In which town did Mara Ellison study?", "Westhaven"),
        ("Which is older, Gull Point Light or Old Harbour?", "Gull Point Light"),
        ("Which opened later, Gull Point Light or the Old Harbour?", "Old Harbour"),
        ("Which is in Arbor County, Old Harbour or Gull Point Light?", "Gull Point Light"),
        ("Is the Old Harbour a Danish port?", "yes"),
        ("Are Old Harbour and Gull Point Light both ports with boats?", "no"),
        ("Are Mara Ellison and Old Harbour of the same nationality?", "no"),
    ],
)
def test_a_plain_fact_is_found(question: str, answer: str) -> None:
    assert extract_answer(question, EVIDENCE) == answer


def test_without_names_the_best_sentence_is_the_answer() -> None:
    assert extract_answer("what is it made of?", [Passage("", "it is made of wood.")]) == "it is made of wood."


def test_without_passages_there_is_no_answer() -> None:
    assert extract_answer("Who designed Gull Point Light?", []) == ""


@given(st.text(max_size=60), st.text(min_size=1, max_size=80).filter(str.strip))
def test_there_is_always_an_answer_when_there_is_evidence(question: str, text: str) -> None:
    assert extract_answer(question, [Passage("", text)])


def test_the_best_sentences_have_the_most_of_the_question() -> None:
    best = best_sentences("Where did Mara Ellison study?", EVIDENCE, 2)
    assert best[0] == "She studied in the town of Westhaven." or "Mara Ellison" in best[0]
    assert len(best) == 2
