import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetkit.plugins import Found, Lead, Passage, leads

QUESTION = "Where did the engineer who designed Gull Point Light study?"
LIGHTHOUSE = Passage(
    "Gull Point Light",
    "Gull Point Light is a lighthouse in Arbor County. It was designed by the engineer Mara Ellison.",
)
ELLISON = Passage("Mara Ellison", "Mara Ellison (born 2 May 1831) went to school in the town of Westhaven.")
FAIR = Passage("Arbor County Fair", "The fair is held by the Royal Grange every June. Paul Stone opened it.")
FIRST = Found(QUESTION, (LIGHTHOUSE, FAIR))


def queries(question: str, *found: Found, names: frozenset[str] = frozenset()) -> list[str]:
    return [lead.query for lead in leads(question, found, names=names)]


def test_the_first_lead_is_the_question_and_then_come_its_names() -> None:
    assert leads(QUESTION, ()) == [Lead(QUESTION, 1.0), Lead("Gull Point Light", 0.4, "Gull Point Light")]


def test_a_name_beside_the_questions_words_in_a_passage_that_it_asks_for_comes_first() -> None:
    best = leads(QUESTION, [FIRST])[0]
    assert (best.about, best.source) == ("Mara Ellison", 0)


def test_a_lead_asks_for_the_words_that_its_passage_leaves_open() -> None:
    assert queries(QUESTION, FIRST)[0] == "Mara Ellison study"


def test_words_of_a_name_that_was_found_are_not_asked_for_again() -> None:
    question = "Are the designers of Gull Point Light and Stone Bridge of one nationality?"
    bridge = Passage("Stone Bridge", "Stone Bridge was the work of Tobias Fenn.")
    found = Found(question, (LIGHTHOUSE, bridge))
    assert "Tobias Fenn designers nationality" in queries(question, found)


def test_a_name_in_the_question_that_nothing_found_is_about_is_a_lead_from_the_question() -> None:
    question = "Is Gull Point Light older than Stone Bridge?"
    missing = next(lead for lead in leads(question, [FIRST]) if lead.about == "Stone Bridge")
    assert (missing.query, missing.source) == ("Stone Bridge", -1)
    assert "Gull Point Light" not in {lead.about for lead in leads(question, [FIRST])}


def test_what_was_found_or_asked_is_no_lead() -> None:
    abouts = {lead.about for lead in leads(QUESTION, [FIRST, Found("Mara Ellison study", (ELLISON,))])}
    assert {"Mara Ellison", "Gull Point Light"}.isdisjoint(abouts)
    assert "Westhaven" in abouts


def test_a_search_that_was_done_is_no_lead_however_it_was_written() -> None:
    assert "Mara Ellison study" not in queries(QUESTION, FIRST, Found("  mara ELLISON, study!", ()))


def test_a_lead_says_which_result_it_came_from() -> None:
    found = [FIRST, Found("Mara Ellison study", (ELLISON,))]
    sources = {lead.about: lead.source for lead in leads(QUESTION, found)}
    assert (sources["Paul Stone"], sources["Westhaven"]) == (0, 1)


def test_a_lead_found_in_several_results_takes_the_strongest() -> None:
    weak = Found("boats", (Passage("Boats", "Many boats. Mara Ellison had one. The engineer designed others."),))
    strong = next(lead for lead in leads(QUESTION, [weak, FIRST]) if lead.query == "Mara Ellison study")
    assert strong == Lead("Mara Ellison study", strong.gain, "Mara Ellison", 1)


def test_without_titles_a_name_is_what_is_written_like_one() -> None:
    page = Passage("Gull Point Light", "Gull Point Light has the lamp of the tall ship Sea of Glass, and a garden.")
    abouts = {lead.about for lead in leads(QUESTION, [Found(QUESTION, (page,))])}
    assert "Sea of Glass" in abouts


def test_a_known_title_is_a_name_and_goes_before_its_like() -> None:
    page = Passage("Gull Point Light", "Gull Point Light was drawn by Ada Wren and Ida Lark.")
    found = [Found("lighthouse", (page,))]
    assert [lead.about for lead in leads("Who drew it?", found)] == ["Ada Wren", "Ida Lark", ""]
    known = leads("Who drew it?", found, names=frozenset({"Ida Lark (painter)"}))
    assert [lead.about for lead in known] == ["Ida Lark", "Ada Wren", ""]


def test_the_longest_known_title_is_taken() -> None:
    page = Passage("Harbour", "It was told in The Sea of Glass and Other Tales.")
    names = frozenset({"Sea of Glass", "The Sea of Glass and Other Tales", "Other Tales", "It"})
    abouts = {lead.about for lead in leads("Where is the harbour?", [Found("harbour", (page,))], names=names)}
    assert "The Sea of Glass and Other Tales" in abouts
    assert {"Other Tales", "It"}.isdisjoint(abouts)


def test_names_may_come_in_any_collection() -> None:
    found = [FIRST]
    names = ["Royal Grange", "Westhaven"]
    assert leads(QUESTION, found, names=names) == leads(QUESTION, found, names=frozenset(names))


def test_a_nationality_is_no_lead() -> None:
    page = Passage("Old Harbour", "The Old Harbour is a Danish port.")
    assert "Danish" not in {lead.about for lead in leads("Where is the port?", [Found("port", (page,))])}


def test_words_that_nothing_found_has_are_a_last_lead() -> None:
    last = leads("Which engineer drew the drainage of Westhaven?", [FIRST])[-1]
    assert (last.query, last.about, last.source) == ("drew drainage westhaven", "", -1)


@pytest.mark.parametrize("verb", ["directed", "director", "directing"])
def test_words_with_one_beginning_are_taken_as_one(verb: str) -> None:
    page = Passage("Sea of Glass", f"Sea of Glass was shown in Arbor Hall. In it, {verb} was left to Ada Wren.")
    best = leads("Who was the director of Sea of Glass?", [Found("Sea of Glass", (page,))])[0]
    assert best.about == "Ada Wren"


def test_words_that_mean_the_same_are_taken_as_one() -> None:
    page = Passage("Ada Wren", "Ada Wren lived in Arbor Hall. Her husband was Tobias Fenn.")
    best = leads("Who was the spouse of Ada Wren?", [Found("Ada Wren", (page,))])[0]
    assert best.about == "Tobias Fenn"


def test_a_result_without_passages_leads_nowhere_but_breaks_nothing() -> None:
    assert queries(QUESTION, Found(QUESTION, ())) == ["Gull Point Light", "engineer designed gull point light study"]
    assert leads("", [Found("", ())]) == []


words = st.lists(
    st.sampled_from(
        ["Ada", "Wren", "Sea", "of", "Glass", "the", "a", "drew", "harbour", "1702", "In", "(x)", "é", "-", "."]
    ),
    max_size=12,
)
texts = words.map(" ".join)
passages = st.builds(Passage, texts, texts)
results = st.lists(st.builds(Found, texts, st.lists(passages, max_size=4).map(tuple)), max_size=4)


@given(texts, results, st.frozensets(texts, max_size=3))
def test_leads_are_ranked_bounded_new_and_each_there_once(
    question: str, found: list[Found], names: frozenset[str]
) -> None:
    listed = leads(question, found, names=names)
    gains = [lead.gain for lead in listed]
    assert gains == sorted(gains, reverse=True)
    assert all(0 <= gain <= 1 for gain in gains)
    assert {lead.query for lead in listed}.isdisjoint(result.query for result in found)
    assert all(-1 <= lead.source < len(found) for lead in listed)
    assert listed == leads(question, found, names=names)
    if found:
        assert len({lead.query.lower() for lead in listed}) == len(listed)
