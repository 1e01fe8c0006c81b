"""`budgeted`: any node of a `StateGraph` on a budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final, final
from uuid import uuid4

from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langgraph.runtime import get_runtime

from budgetkit import BudgetExceeded, Scope, Spend

from ._errors import in_graph
from ._in_flight import Money, Place, holding_place, paying
from ._paying import out_of_time
from ._runs import Per, Run, Runs
from ._ways import AWAITING, BLOCKING, OutOfTime, Way, finish

if TYPE_CHECKING:
    from budgetkit import AccountState, Budget, Ledger, PriceBook, TokenCounter

__all__ = ["Budgeted", "budgeted", "budgeted_of"]

Node = Callable[..., Any] | Runnable[Any, Any]

_ONE_CALL: Final = Spend(llm_calls=1)
_MADE: Final = "__budgeted__"


@final
@dataclass(frozen=True, slots=True, eq=False)
class Budgeted:
    """What `budgeted` made a node of, for whoever reads a graph.

    Attributes:
        node: the node as it was.
        budget: whose limits hold it.
        aside: what is set aside before it starts, in whole units.
        per: whose budget it is outside of an open scope.
        otherwise: what runs in its place when the budget has ended, unheld.
        made: the function that this is about: a decorator may copy the mark, but does not become it.
    """

    node: Node
    budget: Budget
    aside: Mapping[str, int]
    per: Per
    otherwise: Callable[[Any], Any] | None
    made: Callable[..., Any]


def budgeted_of(function: object) -> Budgeted | None:
    """What `budgeted` left on a function that it made; None for any other."""
    mark = getattr(function, _MADE, None)
    return mark if isinstance(mark, Budgeted) and mark.made is function else None


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
    books, and it is not waited for longer than the budget's ``seconds``. One model call is set aside before it starts,
    so parallel branches of one call each share the limit exactly. More than that cannot be clamped from outside: with
    ``share`` that much is set aside, and nobody else can spend it meanwhile.

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
    aside = share.limits_in_units if share is not None else _ONE_CALL.as_units()

    def marked(made: Callable[..., Any]) -> Callable[..., Any]:
        setattr(made, _MADE, Budgeted(node, budget, aside, per, otherwise, made))
        return made

    if isinstance(node, Runnable):
        run, arun = _of_runnable(node, gate)  # pyright: ignore[reportUnknownArgumentType]  # of any types
        return RunnableLambda(marked(run), marked(arun))
    if iscoroutinefunction(node) or iscoroutinefunction(getattr(node, "__call__", None)):  # noqa: B004 - the method itself

        @wraps(node)
        async def awrapped(*args: Any, **kwargs: Any) -> Any:
            return await gate.run(AWAITING, lambda: node(*args, **kwargs), args[0] if args else None)

        return marked(awrapped)

    @wraps(node)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return finish(gate.run(BLOCKING, lambda: node(*args, **kwargs), args[0] if args else None))

    return marked(wrapped)


def _of_runnable(node: Runnable[Any, Any], gate: _Gate) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def run(state: Any, config: RunnableConfig) -> Any:
        return finish(gate.run(BLOCKING, lambda: node.invoke(state, config), state))

    async def arun(state: Any, config: RunnableConfig) -> Any:
        return await gate.run(AWAITING, lambda: node.ainvoke(state, config), state)

    return run, arun


@final
class _Gate:
    """Enters the node's account."""

    def __init__(self, runs: Runs, money: Money, share: Budget | None, otherwise: Callable[[Any], Any] | None) -> None:
        self._runs = runs
        self._money = money
        self._share = share
        self._otherwise = otherwise

    async def run(self, way: Way, send: Callable[[], Any], state: Any) -> Any:
        run = await self._runs.of(way, state, _runtime())
        share = self._share.open("share", parent=run.scope, prepaid=True) if self._share else None
        try:
            return await self._timed(way, run, share, send)
        except OutOfTime:
            refusal = out_of_time(await way.states(run.scope))
        except BudgetExceeded as inside:
            refusal = inside
        if self._otherwise is None or not (run.owns(refusal) or (share and share.account == refusal.account)):
            raise in_graph(refusal)
        return self._otherwise(state)

    async def _timed(self, way: Way, run: Run, share: Scope | None, send: Callable[[], Any]) -> Any:
        states = await way.states(run.scope)
        seconds = _time_left(states)
        with run.scope.entered(), paying(self._money), run.holding(run.own(states).kept):
            async with way.running(run.scope):
                if share is None:
                    return await self._placed(way, run, seconds, send)
                async with way.opened(share):
                    return await way.within(seconds, send)

    async def _placed(self, way: Way, run: Run, seconds: float | None, send: Callable[[], Any]) -> Any:
        """Run the node with its first model call set aside, so that parallel branches cannot all take the last one."""
        ledger, account = run.scope.ledger, run.scope.account
        place = Place(await way.reserve(ledger, account, _ONE_CALL, id=f"node:{uuid4()}", label="node"))
        try:
            with holding_place(place):
                return await way.within(seconds, send)
        finally:
            if (unused := place.take(account)) is not None:
                await way.release(ledger, unused)


def _runtime() -> Any:
    """The runtime of the graph; None for a node that is called by itself, inside an open scope."""
    try:
        return get_runtime()
    except RuntimeError:
        return None


def _time_left(states: tuple[AccountState, ...]) -> float | None:
    """Seconds that the node may take.

    Raises:
        BudgetExceeded: something is used up already; the outermost account is the one reported.
    """
    for state in states:
        for name, limit in state.limits.items():
            kept = state.kept.in_units(name)
            if not name.startswith("tool") and limit and (state.left(name) or 0) <= kept:
                spent, reserved = state.spent.in_units(name), state.reserved.in_units(name) + kept
                raise BudgetExceeded(
                    resource=name, account=state.account, limit=limit, spent=spent, reserved=reserved, asked=1
                )
    left = [(s.left("seconds") or 0) - s.kept.in_units("seconds") for s in states if "seconds" in s.limits]
    return min(left) / 1000 if left else None
