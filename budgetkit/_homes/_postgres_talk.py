"""A talk with the server: statements one after the other, said in the same words by the sync and the async half."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from psycopg import AsyncCursor, Cursor

__all__ = ["Rows", "Statement", "Talk", "atalk", "talk"]

T = TypeVar("T")
Statement: TypeAlias = tuple[bytes, tuple[Any, ...] | None]
"""What to run, and its parameters; without any it may be several statements in one text."""
Rows: TypeAlias = list[tuple[Any, ...]]
Talk: TypeAlias = Generator[Statement, Rows, T]
"""Yields what to say, is sent the rows, and returns what came of it."""


def talk(cursor: Cursor[tuple[Any, ...]], steps: Talk[T]) -> T:
    """Go through the steps."""
    try:
        statement, values = next(steps)
        while True:
            cursor.execute(statement, values, prepare=values is not None)
            statement, values = steps.send(cursor.fetchall() if _has_rows(cursor) else [])
    except StopIteration as end:
        told: T = end.value
        return told


async def atalk(cursor: AsyncCursor[tuple[Any, ...]], steps: Talk[T]) -> T:
    """Async twin of `talk`."""
    try:
        statement, values = next(steps)
        while True:
            await cursor.execute(statement, values, prepare=values is not None)
            statement, values = steps.send(await cursor.fetchall() if _has_rows(cursor) else [])
    except StopIteration as end:
        told: T = end.value
        return told


def _has_rows(cursor: Cursor[tuple[Any, ...]] | AsyncCursor[tuple[Any, ...]]) -> bool:
    return cursor.pgresult is not None and cursor.pgresult.nfields > 0
