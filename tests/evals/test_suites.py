from __future__ import annotations

import re
from statistics import fmean
from typing import TYPE_CHECKING

import pytest

from budgetkit.evals import SUITES, find_suite, normalise, recall

if TYPE_CHECKING:
    from pathlib import Path


def test_an_unknown_suite_gets_the_nearest_name() -> None:
    with pytest.raises(ValueError, match=r"^unknown suite 'hotpot': did you mean 'hotpotqa'\?$"):
        find_suite("hotpot")


def test_a_name_that_is_near_to_none_gets_the_list() -> None:
    wanted = "unknown suite 'xyz': use one of hotpotqa, 2wikimultihopqa, musique, bamboogle, sample"
    with pytest.raises(ValueError, match=f"^{re.escape(wanted)}$"):
        find_suite("xyz")


def test_a_suite_that_is_not_shipped_asks_for_its_folder() -> None:
    wanted = "suite 'musique' is not shipped: pass --data, the folder that holds 'musique.dev.jsonl.gz'"
    with pytest.raises(ValueError, match=f"^{re.escape(wanted)}$"):
        find_suite("musique")


@pytest.mark.parametrize("name", ["hotpotqa", "2wikimultihopqa", "musique", "bamboogle"])
def test_a_suite_reads_packed_files_unless_they_lie_unpacked(tmp_path: Path, name: str) -> None:
    assert find_suite(name, tmp_path).questions == tmp_path / f"{name}.dev.jsonl.gz"
    (tmp_path / f"{name}.dev.jsonl").touch()

    assert find_suite(name, tmp_path).questions == tmp_path / f"{name}.dev.jsonl"


def test_every_suite_cites_its_source_and_licence() -> None:
    assert all(re.search(r"MIT|Apache|CC BY", citation) for citation in SUITES.values())


def test_the_sample_is_consistent() -> None:
    suite = find_suite("sample")
    passages = {passage.title: str(passage) for passage in suite.load_corpus().passages}
    questions = list(suite.read())

    assert len(passages) == 60
    assert len({question.qkey for question in questions}) == len(questions) == 22
    assert {question.type for question in questions} == {"bridge", "comparison", "yes-no"}
    for question in questions:
        evidence = [passages[title] for title in question.supporting_titles]
        assert len(evidence) == 2
        said = question.answers[0] in ("yes", "no") or any(question.answers[0] in text for text in evidence)
        assert said, question


def test_no_sample_bridge_question_gives_its_answer_away() -> None:
    bridges = [question for question in find_suite("sample").read() if question.type == "bridge"]

    assert not [q for q in bridges if normalise(q.answers[0]) in normalise(q.text)]


def test_one_search_does_not_do_for_the_sample() -> None:
    suite = find_suite("sample")
    corpus = suite.load_corpus()
    found = [recall({p.title for p in corpus.search(q.text, k=2)}, q.supporting_titles) or 0 for q in suite.read()]

    assert 0.4 < fmean(found) < 0.9
