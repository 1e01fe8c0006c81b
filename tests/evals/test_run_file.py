from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from budgetkit.evals import DataError, RunFile, read_results

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HEADER: Mapping[str, Any] = {"kind": "run", "suite": "towns", "data": {"questions": "0a"}, "seed": 0}


def write(path: Path, *ids: str, header: Mapping[str, Any] = HEADER) -> frozenset[str]:
    with RunFile(path, header) as file:
        for name in ids:
            file.append({"id": name})
    return file.done


def test_a_new_file_begins_with_the_header_in_a_new_folder(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "a.jsonl"
    write(path, "q1")

    assert [json.loads(line) for line in path.read_text().splitlines()] == [HEADER, {"id": "q1"}]


def test_a_file_that_is_there_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"

    assert write(path, "q1", "q2") == frozenset()
    assert write(path, "q3") == {"q1", "q2"}
    assert [record["id"] for record in read_results(path)] == ["q1", "q2", "q3"]


def test_however_much_a_kill_left_of_the_file_only_whole_lines_count(tmp_path: Path) -> None:
    path, cut = tmp_path / "a.jsonl", tmp_path / "cut.jsonl"
    write(path, "q1", "é2", "q3")
    whole = path.read_bytes()

    for size in range(len(whole) + 1):
        cut.write_bytes(whole[:size])
        lines = whole[:size].count(b"\n")
        assert write(cut, "next") == set(("q1", "é2", "q3")[: max(0, lines - 1)])
        assert [record["id"] for record in read_results(cut)][-1] == "next"


def test_a_torn_last_line_is_not_read_as_a_result(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write(path, "q1")
    with path.open("a") as file:
        file.write('{"id": "q2"}')

    assert [record["id"] for record in read_results(path)] == ["q1"]


@pytest.mark.parametrize(
    ("field", "value"), [("suite", "cities"), ("seed", 1), ("data", {"questions": "0b"}), ("model", "m")]
)
def test_another_run_is_refused_by_the_field_that_differs(tmp_path: Path, field: str, value: object) -> None:
    path = tmp_path / "a.jsonl"
    write(path, "q1")
    before = path.read_bytes()
    wanted = (
        f"{str(path)!r} holds another run: its {field} is {HEADER.get(field)!r}, this run's is {value!r}; "
        "choose another --out, or remove the file to start over"
    )

    with pytest.raises(DataError, match=f"^{re.escape(wanted)}$"):
        write(path, header={**HEADER, field: value})
    assert path.read_bytes() == before


def test_a_file_that_is_no_run_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text('{"a": 1}\n')

    with pytest.raises(DataError, match=f"^{re.escape(f'{path}:1: not the header of an eval: choose another --out')}$"):
        write(path)
    assert path.read_text() == '{"a": 1}\n'


def test_a_broken_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write(path, "q1")
    with path.open("a") as file:
        file.write("{broken\n")

    with pytest.raises(DataError, match=re.escape(f"{path}:3: not JSON: ")):
        write(path)


def test_lines_of_several_threads_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with RunFile(path, HEADER) as file, ThreadPoolExecutor(8) as pool:
        list(pool.map(file.append, ({"id": str(i), "answer": "x" * 20_000} for i in range(100))))

    assert sorted(int(record["id"]) for record in read_results(path)) == list(range(100))
