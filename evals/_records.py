"""JSON lines in, parsed records out: one at a time, and a broken line is named by file and number."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

__all__ = ["DataError", "read", "sha256"]

T = TypeVar("T")


class DataError(ValueError):
    """A data file is missing or broken; the message names the file and the line."""


def read(path: Path, parse: Callable[[Mapping[str, Any]], T], *, torn: bool = False) -> Iterator[T]:
    """The records of a ``.jsonl`` or ``.jsonl.gz`` file, read lazily and each parsed by ``parse``.

    Args:
        path: the file.
        parse: makes a record of a JSON object; what it refuses is reported with the line.
        torn: leave out a last line that has no line end, as a killed writer leaves it behind.

    Raises:
        DataError: the file is missing or cut off, or a line is not a JSON object that ``parse`` takes.
    """
    number = 0
    try:
        with _open(path) as lines:
            for number, line in enumerate(lines, start=1):
                if torn and not line.endswith(b"\n"):
                    return
                yield _parse(line, parse, f"{path}:{number}")
    except FileNotFoundError as error:
        raise _missing(path) from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}:{number + 1}: not readable as gzip: {error}") from error


def sha256(path: Path) -> str:
    """The checksum of a file as it lies on disk, in hexadecimal.

    Raises:
        DataError: the file is missing.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise _missing(path) from error


def _open(path: Path) -> BinaryIO:
    return cast("BinaryIO", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _missing(path: Path) -> DataError:
    return DataError(f"{str(path)!r} does not exist: --data must be the folder that holds {path.name!r}")


def _parse(line: bytes, parse: Callable[[Mapping[str, Any]], T], where: str) -> T:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise DataError(f"{where}: not JSON: {error}") from error
    if not isinstance(record, dict):
        raise DataError(f"{where}: not a JSON object but {type(record).__name__}")
    try:
        return parse(cast("dict[str, Any]", record))
    except KeyError as error:
        raise DataError(f"{where}: the field {error} is missing") from error
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: {error}") from error
