"""`budgeted`: any node of a `StateGraph` on a budget."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, TypeVar

from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langgraph.runtime import get_runtime

from budgetkit import AccountState, Budget, BudgetExceeded, Ledger, PriceBook, TokenCounter

from ._desk import Room
from ._errors import in_graph
from ._in_flight import Money, paying
from ._paying import OutOfTime, awithin, out_of_time, within
from ._runs import Per, Run, Runs

__all__ = ["budgeted"]

T = TypeVar("T")
Node = Callable[..., Any] | Runnable[Any, Any]


def budgeted(
    node: Node,
    budget: Budget,
    *,
    share: Budget | None = None,
    otherwise: Callable[[Any], Any] | None = None,
    per: Per = "thread",
    prices: PriceBook | None = None,
    counter: TokenCounter | None = None,
    ledger: Ledger | None = None,
    name: str = "node",
) -> Node:
    """The same node, spending from a budget.

    ```python
    graph.add_node("summarize", budgeted(summarize, budget))
    ```

    The node does not start once anything that it could spend is used up, all that it makes LangChain run is on the
    books, and it is not waited for longer than the budget's ``seconds``. What happens inside it cannot be clamped from
    outside: with ``share`` that much is set aside before it starts, and nobody else can spend it meanwhile.

    Args:
        node: a function, an async function or a runnable (a subgraph, too).
        budget: the limits; inside an open scope of this budget the node spends from that scope.
        share: what the node may spend at most this time, taken out of the budget at the start; the rest goes back.
        otherwise: what returns the node's update in its place when the budget has ended; None: `BudgetExceeded`.
        per: whose budget it is outside of an open scope; a bare graph has threads, but no runs of its own.
        prices: what models and tools cost.
        counter: how prompts are counted where no usage comes back.
        ledger: where the spend is recorded; None: in memory.
        name: the account's name.
    """
    gate = _Gate(Runs(budget, name=name, per=per, ledger=ledger), Money.of(prices, counter), share, otherwise)
    if isinstance(node, Runnable):
        return _of_runnable(node, gate)
    if iscoroutinefunction(node):

        @wraps(node)
        async def awrapped(*args: Any, **kwargs: Any) -> Any:
            return await gate.arun(lambda: node(*args, **kwargs), args[0] if args else None)

        return awrapped

    @wraps(node)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return gate.run(lambda: node(*args, **kwargs), args[0] if args else None)

    return wrapped


def _of_runnable(node: Runnable[Any, Any], gate: _Gate) -> Runnable[Any, Any]:
    def run(state: Any, config: RunnableConfig) -> Any:
        return gate.run(lambda: node.invoke(state, config), state)

    async def arun(state: Any, config: RunnableConfig) -> Any:
        return await gate.arun(lambda: node.ainvoke(state, config), state)

    return RunnableLambda(run, arun)


class _Gate:
    """Enters the node's account, sync and async."""

    def __init__(
        self, runs: Runs, money: Money, share: Budget | None, otherwise: Callable[[Any], Any] | None
    ) -> None:
        self._runs = runs
        self._money = money
        self._share = share
        self._otherwise = otherwise

    def run(self, send: Callable[[], T], state: Any) -> Any:
        run = self._runs.of(state, get_runtime())
        scope = run.scope
        try:
            seconds = _time_left(scope.states())
            with self._inside(run):
                scope.ledger.start(scope.account)
                try:
                    if self._share is None:
                        return within(seconds, send)
                    with self._share.open("share", prepaid=True):
                        return within(seconds, send)
                finally:
                    scope.ledger.stop(scope.account)
        except OutOfTime:
            return self._refused(run, out_of_time(scope.states()), state)
        except BudgetExceeded as refusal:
            return self._refused(run, refusal, state)

    async def arun(self, send: Callable[[], Awaitable[T]], state: Any) -> Any:
        run = await self._runs.aof(state, get_runtime())
        scope = run.scope
        try:
            seconds = _time_left(await scope.astates())
            with self._inside(run):
                await scope.ledger.astart(scope.account)
                try:
                    if self._share is None:
                        return await awithin(seconds, send)
                    async with self._share.open("share", prepaid=True):
                        return await awithin(seconds, send)
                finally:
                    await scope.ledger.astop(scope.account)
        except OutOfTime:
            return self._refused(run, out_of_time(await scope.astates()), state)
        except BudgetExceeded as refusal:
            return self._refused(run, refusal, state)

    @contextmanager
    def _inside(self, run: Run) -> Iterator[None]:
        with run.scope.entered(), paying(self._money):
            yield

    def _refused(self, run: Run, refusal: BudgetExceeded, state: Any) -> Any:
        if self._otherwise is None or not run.owns(refusal):
            raise in_graph(refusal) from None
        return self._otherwise(state)


def _time_left(states: tuple[AccountState, ...]) -> float | None:
    """Seconds that the node may take; raises for what is used up already, the outermost account first."""
    for state in states:
        for name, limit in state.limits.items():
            kept = state.kept.in_units(name)
            if not name.startswith("tool") and limit and (state.left(name) or 0) <= kept:
                raise BudgetExceeded(
                    resource=name,
                    account=state.account,
                    limit=limit,
                    spent=state.spent.in_units(name),
                    reserved=state.reserved.in_units(name) + kept,
                    asked=1,
                )
    left = Room(states)["seconds"]
    return None if left is None else left / 1000
