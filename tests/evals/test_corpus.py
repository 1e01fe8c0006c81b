from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean

import pytest

from budgetkit.evals import Audit, Corpus, Passage, find_suite, recall, search_tool

TOWNS = [
    Passage("Quell", "Quell is a town on the river Aun."),
    Passage("Aun", "The Aun is a river. It flows into the lake Brimm."),
    Passage("Brimm", "Brimm is a lake with one island."),
]


def test_the_best_passage_comes_first() -> None:
    assert [p.title for p in Corpus(TOWNS).search("Which lake does the river Aun flow into?")] == [
        "Aun",
        "Quell",
        "Brimm",
    ]


def test_the_title_is_searched_as_well_as_the_text() -> None:
    assert Corpus([Passage("Zell", "A town."), *TOWNS]).search("zell")[0].title == "Zell"


def test_k_bounds_what_is_found() -> None:
    corpus = Corpus(TOWNS)

    assert len(corpus.search("river lake town", k=2)) == 2
    assert len(corpus.search("river lake town", k=99)) == 3


@pytest.mark.parametrize("query", ["", "the of and", "xylophone", "?!"])
def test_a_query_that_shares_no_word_finds_nothing(query: str) -> None:
    assert Corpus(TOWNS).search(query) == []


def test_a_corpus_without_passages_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a corpus needs at least one passage$"):
        Corpus([])


def test_searches_from_many_threads_find_what_one_thread_finds() -> None:
    corpus = find_suite("sample").load_corpus()
    queries = [passage.title for passage in corpus.passages] * 4
    alone = [corpus.search(query) for query in queries]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(corpus.search, queries)) == alone


def test_a_search_that_is_remembered_is_found_again_and_cannot_be_spoiled() -> None:
    corpus = Corpus(TOWNS)
    first = corpus.search("river", k=2)
    expected = list(first)
    first.clear()

    assert corpus.search("river", k=2) == expected
    assert len(corpus.search("river lake town", k=1)) == 1  # another k is another search
    assert len(corpus.search("river lake town", k=3)) == 3


def test_the_tool_shows_ranked_blocks() -> None:
    shown = search_tool(Corpus(TOWNS), k=2).invoke({"query": "river Aun"})

    assert shown == (
        "[1] Aun\nThe Aun is a river. It flows into the lake Brimm.\n\n[2] Quell\nQuell is a town on the river Aun."
    )


def test_the_tool_says_so_when_nothing_is_found() -> None:
    shown = search_tool(Corpus(TOWNS)).invoke({"query": "xylophone"})

    assert shown == "No passage shares a word with 'xylophone': try other words."


def test_the_tool_takes_one_argument_named_query() -> None:
    tool = search_tool(Corpus(TOWNS))

    assert tool.name == "search"
    assert list(tool.args) == ["query"]


def test_the_tool_counts_itself_in_the_open_audit_and_names_the_titles_it_showed() -> None:
    tool = search_tool(Corpus(TOWNS), k=1)
    with Audit() as audit:
        tool.invoke({"query": "island"})
        tool.invoke({"query": "xylophone"})
        tool.invoke({"query": "island"})  # remembered by the corpus, and counted all the same
    tool.invoke({"query": "river"})  # after the audit: not counted

    assert audit.counts == {"tool:search": 3, "tool_calls": 3}
    assert audit.titles == {"Brimm"}


@pytest.mark.parametrize(("name", "published"), [("hotpotqa", 0.736), ("2wikimultihopqa", 0.658), ("musique", 0.528)])
def test_one_search_reaches_the_published_baseline(name: str, published: float) -> None:
    folder = os.environ.get("BUDGETKIT_DATA")
    if not folder:
        pytest.skip("BUDGETKIT_DATA is not set to the folder of the question files")
    suite = find_suite(name, Path(folder))
    corpus = suite.load_corpus()
    found = [
        recall({passage.title for passage in corpus.search(question.text)}, question.supporting_titles)
        for question in suite.read()
    ]

    assert round(fmean(share for share in found if share is not None), 3) == published
