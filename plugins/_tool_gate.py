"""Tool calls under a budget: reserve or refuse, run, settle, and tell the agent what is left."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, cast, final

from langchain_core.messages import ToolMessage
from langgraph.types import Command

from budgetkit import BudgetExceeded

from ._commands import update_of, with_update
from ._ends import AtEnd, leave
from ._errors import in_graph
from ._in_flight import InFlight, Money, outer_call, paying
from ._paying import pay, take_over
from ._refused import refuse
from ._runs import RUN_KEY, Run, Runs
from ._tariff import Tariff, ToolUnits
from ._tracker import append, status
from ._ways import AWAITING, BLOCKING, Way, finish

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator

    from langgraph.prebuilt.tool_node import ToolCallRequest

    from budgetkit import Account, Spend

__all__ = ["PLANNED", "ToolGate"]

Result = ToolMessage | Command[Any]

PLANNED: Final = "plan_"
"""How the ids of a planner's tool calls begin; no two of them are the same."""


@final
class ToolGate:
    """The two wrappers of a tool node, on one budget."""

    def __init__(
        self,
        runs: Runs,
        money: Money,
        *,
        at_end: AtEnd = "answer",
        tracker: bool = True,
        units: ToolUnits | None = None,
    ) -> None:
        self._runs = runs
        self._money = money
        self._at_end: AtEnd = at_end
        self._tracker = tracker
        self._tariff = Tariff(money.prices, units)
        self._ids = _Ids()

    def wrap_tool_call(self, request: ToolCallRequest, execute: Callable[[ToolCallRequest], Result]) -> Result:
        """For ``ToolNode(wrap_tool_call=...)``."""
        return finish(self._call(BLOCKING, request, lambda: execute(request)))

    async def awrap_tool_call(
        self, request: ToolCallRequest, execute: Callable[[ToolCallRequest], Awaitable[Result]]
    ) -> Result:
        """For ``ToolNode(awrap_tool_call=...)``."""
        return await self._call(AWAITING, request, lambda: execute(request))

    def counts(self, tool: str) -> bool:
        """Whether a call of this tool may be more than one unit."""
        return self._tariff.counts(tool)

    async def _call(self, way: Way, request: ToolCallRequest, send: Callable[[], Any]) -> Result:
        run = await self._runs.of(way, request.state, _runtime(request))
        call = request.tool_call
        key, asked = _key(request), self._tariff.of(call["name"], call["args"])
        await take_over(way, outer_call(key))
        with run.scope.entered(), paying(self._money):
            try:
                with self._ids.own(run.scope.account, key) as own_id:
                    result = await self._paid(way, run, key, own_id, asked, f"tool:{call['name']}", send)
            except BudgetExceeded as refusal:
                result = self._refused(run, refusal, request, asked)
            if not self._tracker:
                return result
            return append(result, status(await way.states(run.scope), run.scope.budget.levels))

    async def _paid(
        self, way: Way, run: Run, key: str, own_id: str, asked: Spend, label: str, send: Callable[[], Any]
    ) -> Result:
        kept = run.own(await way.states(run.scope)).kept
        # nothing may come between this and `pay`, or a cancellation there would leave it reserved
        call = await way.reserve(run.scope.ledger, run.scope.account, asked, id=own_id, label=label, again=True)
        with run.holding(kept):
            result = await pay(way, run, InFlight(key, run.scope, call), send, lambda _: call.asked)
        return _unforged(result)

    def _refused(self, run: Run, refusal: BudgetExceeded, request: ToolCallRequest, asked: Spend) -> ToolMessage:
        """A refusal of our own is answered, so that no call is left dangling; an outer one passes through."""
        if not run.owns(refusal):
            raise in_graph(refusal) from None
        leave(self._at_end, refusal)
        return refuse(refusal, request.tool_call, asked)


@final
class _Ids:
    """Tells calls apart that a model gave the same id in one message: each is paid for."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._taken: set[tuple[Account, str]] = set()

    @contextmanager
    def own(self, account: Account, key: str) -> Generator[str]:
        """An id that no other call in flight has; the same again when a call is entered again after an interrupt."""
        with self._lock:
            names = (f"{key}#{n}" if n else key for n in count())
            found = next(name for name in names if (account, name) not in self._taken)
            self._taken.add((account, found))
        try:
            yield found
        finally:
            with self._lock:
                self._taken.discard((account, found))


def _runtime(request: ToolCallRequest) -> Any:
    return cast("Any", request).runtime


def _key(request: ToolCallRequest) -> str:
    """The same after an interrupt (task and call are the same), another one for each branch of a fan-out.

    A planner's call has a name of its own, under which the planner has set it aside.
    """
    name = request.tool_call["id"] or ""
    if name.startswith(PLANNED):
        return name
    info = getattr(_runtime(request), "execution_info", None)
    return f"tool:{getattr(info, 'checkpoint_ns', '')}:{name}"


def _unforged(result: Result) -> Result:
    """The tool's result, which cannot name another run to spend from."""
    update = update_of(result) if isinstance(result, Command) else {}
    if not isinstance(result, Command) or RUN_KEY not in update:
        return result
    return with_update(result, {name: value for name, value in update.items() if name != RUN_KEY})
