from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from budgetkit.evals import DataError, Question, Suite
from budgetkit.evals._records import read


def whole(record: Mapping[str, Any]) -> Mapping[str, Any]:
    return record


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_packed_and_plain_files_read_alike(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    text = b'{"a": 1}\n{"a": 2}\n'
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)

    assert [record["a"] for record in read(path, whole)] == [1, 2]


def test_reading_is_lazy_so_a_broken_line_is_met_only_when_reached(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n{broken\n')
    records = read(path, whole)

    assert next(records) == {"a": 1}
    with pytest.raises(DataError, match=re.escape(f"{path}:2: not JSON: Expecting property name")):
        next(records)


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
    good = json.dumps({"id": "p", "question": "?", "answers": ["x"]})
    path.write_text(f"{good}\n{line}\n")

    with pytest.raises(DataError, match=f"^{re.escape(f'{path}:2: {problem}')}$"):
        list(read(path, Question.parse))


def test_bytes_that_are_no_text_are_a_broken_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": "\xff"}\n')

    with pytest.raises(DataError, match=re.escape(f"{path}:1: not JSON: 'utf-8' codec")):
        list(read(path, whole))


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
        list(read(path, whole))


def test_a_torn_last_line_is_left_out_where_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n{"a": 2')

    assert list(read(path, whole, torn=True)) == [{"a": 1}]


def test_a_question_without_a_key_gets_one_from_its_normalised_text() -> None:
    plain = Question.parse({"id": "1", "question": "Who is it?", "answers": ["x"]})
    shouted = Question.parse({"id": "2", "question": "  WHO is\nit", "answers": ["x"]})

    assert plain.qkey == shouted.qkey
    assert re.fullmatch("[0-9a-f]{16}", plain.qkey)
