from __future__ import annotations

import gzip
import json
import re
from typing import TYPE_CHECKING

import pytest

from budgetkit.evals import Corpus, DataError, Question, Suite

if TYPE_CHECKING:
    from pathlib import Path

GOOD = json.dumps({"id": "p", "question": "Who?", "answers": ["x"]})


def questions_in(path: Path) -> Suite:
    return Suite("made up", "", questions=path, corpus=path)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_packed_and_plain_files_read_alike(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    text = f"{GOOD}\n{GOOD}\n".encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)

    assert [question.text for question in questions_in(path).read()] == ["Who?", "Who?"]


def test_reading_is_lazy_so_a_broken_line_is_met_only_when_reached(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"{GOOD}\n{{broken\n")
    questions = questions_in(path).read()

    assert next(questions).id == "p"
    with pytest.raises(DataError, match=re.escape(f"{path}:2: not JSON: Expecting property name")):
        next(questions)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("[1]", "not a JSON object but list"),
        ('{"id": "q"}', "the field 'question' is missing"),
        ('{"id": "q", "question": "?", "answers": "x"}', "'answers' must be a list of strings, not str"),
        (
            '{"id": "q", "question": "?", "answers": []}',
            "'answers' is empty: a question needs at least one accepted answer",
        ),
    ],
)
def test_a_broken_record_is_named_by_file_and_line(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"{GOOD}\n{line}\n")

    with pytest.raises(DataError, match=f"^{re.escape(f'{path}:2: {problem}')}$"):
        list(questions_in(path).read())


def test_a_broken_passage_is_named_by_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"title": "T"}\n')

    wanted = f"{path}:1: the field 'text' is missing"
    with pytest.raises(DataError, match=f"^{re.escape(wanted)}$"):
        Corpus.load(path)


def test_bytes_that_are_no_text_are_a_broken_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": "\xff"}\n')

    with pytest.raises(DataError, match=re.escape(f"{path}:1: not JSON: 'utf-8' codec")):
        list(questions_in(path).read())


def test_a_missing_file_says_what_data_should_be(tmp_path: Path) -> None:
    path = tmp_path / "hotpotqa.dev.jsonl.gz"
    wanted = f"{str(path)!r} does not exist: --data must be the folder that holds 'hotpotqa.dev.jsonl.gz'"

    with pytest.raises(DataError, match=f"^{re.escape(wanted)}$"):
        list(Suite("hotpotqa", "", path, path).read())


@pytest.mark.parametrize("kept", [5, 30])
def test_a_packed_file_that_is_cut_off_is_named(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a": 1}\n' * 1000, mtime=0)[:kept])

    with pytest.raises(DataError, match=re.escape(f"{path}:") + r"\d+: not readable as gzip: "):
        list(questions_in(path).read())


def test_a_question_without_a_key_gets_one_from_its_normalised_text() -> None:
    plain = Question.parse({"id": "1", "question": "Who is it?", "answers": ["x"]})
    shouted = Question.parse({"id": "2", "question": "  WHO is\nit", "answers": ["x"]})

    assert plain.qkey == shouted.qkey
    assert re.fullmatch("[0-9a-f]{16}", plain.qkey)
