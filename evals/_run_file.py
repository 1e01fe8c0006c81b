"""The file of a run: a header, then one line per question, appended whole, so that a killed run can go on."""

from __future__ import annotations

import json
import os
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

from ._records import DataError, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["RunFile", "read_header", "read_results", "refuse_other_run"]

Record = dict[str, Any]


class RunFile:
    """An append-only results file that is resumed if it is there; a context manager.

    A last line without its end is what a kill left behind: it is cut off, and its question is asked again.

    The lock keeps lines of several threads apart.

    Args:
        path: the file; its folder is made.
        header: what the run is; an existing file must say the same in every field.

    Raises:
        DataError: the file holds another run (the message names the field), or a line of it is broken.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self.path = path
        self._header = header
        self._lock = Lock()
        self._done: set[str] = set()

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("ab")
        try:
            self._resume()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def done(self) -> frozenset[str]:
        """The ids of the questions that had a line when the file was opened."""
        return frozenset(self._done)

    def append(self, record: Mapping[str, Any]) -> None:
        """Write one line and flush it, so that a kill leaves whole lines and at most one torn end."""
        line = json.dumps(record, ensure_ascii=False).encode() + b"\n"
        with self._lock:
            self._file.write(line)
            self._file.flush()

    def _resume(self) -> None:
        _cut_torn_line(self.path)
        if self.path.stat().st_size == 0:
            self.append(self._header)
            return
        refuse_other_run(self.path, self._header)
        self._done = {str(record["id"]) for record in read_results(self.path)}


def read_header(path: Path) -> Record:
    """What the run in a results file is: suite, data, agent, model, budget, seed and versions.

    Raises:
        DataError: the file is missing or does not begin with a header.
    """
    header = next(read(path, Record, torn=True), Record())
    if header.get("kind") != "run":
        raise DataError(f"{path}:1: not the header of an eval: choose another --out")
    return header


def read_results(path: Path) -> Iterator[Record]:
    """The per-question records of a results file, one at a time; a torn last line is left out.

    Raises:
        DataError: the file is missing or a line is broken.
    """
    read_header(path)
    return islice(read(path, Record, torn=True), 1, None)


def refuse_other_run(path: Path, header: Mapping[str, Any]) -> None:
    """Make sure that the file, if it is there and has a header, is of the run that the header describes.

    Raises:
        DataError: it holds another run (the message names the field), or no run.
    """
    if not path.exists() or not _end_of_last_line(path):
        return
    found, wanted = read_header(path), json.loads(json.dumps(header))  # as it is read again: tuples are lists
    for field in {**wanted, **found}:
        if wanted.get(field) != found.get(field):
            raise DataError(
                f"{str(path)!r} holds another run: its {field} is {found.get(field)!r}, this run's is "
                f"{wanted.get(field)!r}; choose another --out, or remove the file to start over"
            )


def _cut_torn_line(path: Path) -> None:
    whole = _end_of_last_line(path)
    if whole < path.stat().st_size:
        os.truncate(path, whole)


def _end_of_last_line(path: Path, block: int = 1 << 16) -> int:
    """The size of the file up to and with its last line end, searched from the back."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - block)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
    return 0
