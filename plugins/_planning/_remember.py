"""What was done and paid for is not done again when a node is entered anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from langgraph.func import task

from budgetkit import BudgetExceeded

from .._ways import AWAITING, finish

if TYPE_CHECKING:
    from .._ways import Way

__all__ = ["Do", "Remember", "remembering"]

Do = Callable[[], Coroutine[Any, Any, Any]]
"""Something to do once; what it returns is JSON data."""


class Remember(Protocol):
    """Does things side by side and returns what each came to: its result, or the `BudgetExceeded` that refused it.

    Any other failure is raised, once all have ended.
    """

    async def __call__(self, *dos: Do) -> list[Any]: ...


def remembering(way: Way, *, durable: bool) -> Remember:
    """How things are done.

    Args:
        way: sync or async.
        durable: as tasks of LangGraph's, whose results are kept with the checkpoint: a run that broke off in the middle
            of a node finds them when it goes on. It takes a checkpointer.
    """
    if way is AWAITING:
        return _in_tasks if durable else _at_once
    return _in_threads if durable else _in_turn


@task
def _kept(do: Do) -> Any:
    return finish(do())


@task
async def _akept(do: Do) -> Any:
    return await do()


async def _in_threads(*dos: Do) -> list[Any]:
    futures = [_kept(do) for do in dos]
    return _ended([future.exception() or future.result() for future in futures])


async def _in_tasks(*dos: Do) -> list[Any]:
    return _ended(await asyncio.gather(*[_akept(do) for do in dos], return_exceptions=True))


async def _at_once(*dos: Do) -> list[Any]:
    return _ended(await asyncio.gather(*(do() for do in dos), return_exceptions=True))


async def _in_turn(*dos: Do) -> list[Any]:
    return [await _or_refused(do) for do in dos]


async def _or_refused(do: Do) -> Any:
    try:
        return await do()
    except BudgetExceeded as refusal:
        return refusal


def _ended(results: list[Any]) -> list[Any]:
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, BudgetExceeded):
            raise result
    return results
