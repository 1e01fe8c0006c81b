"""What was done and paid for is not done again when a node is entered anew."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from hashlib import sha256
from typing import TYPE_CHECKING, Any, final

from langgraph.func import task  # pyright: ignore[reportMissingTypeStubs]  # it has types of its own

from budgetkit import BudgetExceeded

from .._ways import AWAITING, finish

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._ways import Way

__all__ = ["Do", "Remember"]

Do = Callable[[], Coroutine[Any, Any, Any]]
"""Something to do once; what it returns is JSON data."""


@final
class Remember:
    """Does things side by side and returns what each came to: its result, or the `BudgetExceeded` that refused it.

    Any other failure is raised, once all have ended. A result has a name that follows from all that came before it in
    the visit, and is only taken for what has that name: LangGraph itself goes by the number of the call, which is
    another one when it tries a node again.

    Args:
        way: sync or async.
        durable: do things as tasks of LangGraph's, whose results are kept with the checkpoint: a run that broke off in
            the middle of a node finds them when it goes on. It takes a checkpointer.
        known: results of this visit that this process has, by name; it is written to.
    """

    def __init__(self, way: Way, *, durable: bool, known: dict[str, Any]) -> None:
        self._way = way
        self._durable = durable
        self._known = known
        self._so_far = ""

    async def __call__(self, *dos: Do) -> list[Any]:
        """Do what was not done before."""
        wanted = {f"{self._so_far}/{i}": do for i, do in enumerate(dos)}
        refused = await self._done(wanted)
        results = [refused[name] if name in refused else self._known[name] for name in wanted]
        came = [None if name in refused else self._known[name] for name in wanted]
        self._so_far = sha256(json.dumps([self._so_far, came]).encode()).hexdigest()
        return results

    async def _done(self, wanted: Mapping[str, Do]) -> dict[str, BudgetExceeded]:
        """See to it that all results are known; those that were refused are returned."""
        failed: dict[str, BaseException] = {}
        while missing := {name: do for name, do in wanted.items() if name not in self._known and name not in failed}:
            for name, came in zip(missing, await self._tried(missing), strict=True):
                if isinstance(came, BaseException):
                    failed[name] = came
                else:
                    self._known[came[0]] = came[1]
        return {name: _refusal(error) for name, error in failed.items()}

    async def _tried(self, dos: Mapping[str, Do]) -> list[Any]:
        """Do all of it; name and result of each, or its failure. The name may be another, from an earlier try."""
        if self._way is AWAITING:
            do_one = _akept if self._durable else _named
            return await asyncio.gather(*(do_one(name, do) for name, do in dos.items()), return_exceptions=True)
        if self._durable:
            futures = [_kept(name, do) for name, do in dos.items()]
            return [future.exception() or future.result() for future in futures]
        return [await _or_refused(name, do) for name, do in dos.items()]


@task
def _kept(name: str, do: Do) -> list[Any]:
    return [name, finish(do())]


@task
async def _akept(name: str, do: Do) -> list[Any]:
    return [name, await do()]


async def _named(name: str, do: Do) -> list[Any]:
    return [name, await do()]


async def _or_refused(name: str, do: Do) -> Any:
    try:
        return [name, await do()]
    except BudgetExceeded as refusal:
        return refusal


def _refusal(error: BaseException) -> BudgetExceeded:
    if not isinstance(error, BudgetExceeded):
        raise error
    return error
