"""Tool calls under a budget: reserve or refuse, run, settle, and tell the agent what is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast, final

from langchain_core.messages import AIMessage, ToolMessage
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

__all__ = ["PAYER", "PLANNED", "ToolGate"]

Result = ToolMessage | Command[Any]

PLANNED: Final = "plan_"
"""How the ids of a planner's tool calls begin; no two of them are the same."""

PAYER: Final = "budgetkit_payer"
"""The key under which a planner's message says which account has set its calls aside."""


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
        payer = _payer(request, run.scope.account)
        await take_over(way, outer_call(key))
        with run.scope.entered(), paying(self._money):
            try:
                with self._ids.own(payer, key) as own_id:
                    slot = _Slot(payer, own_id, f"tool:{call['name']}")
                    result = await self._paid(way, run, key, slot, asked, send)
            except BudgetExceeded as refusal:
                if not run.owns(refusal) and refusal.account != payer:
                    raise in_graph(refusal) from None
                result = self._refused(refusal, request, asked)
            if not self._tracker:
                return result
            return append(result, status(await way.states(run.scope), run.scope.budget.levels))

    async def _paid(self, way: Way, run: Run, key: str, slot: _Slot, asked: Spend, send: Callable[[], Any]) -> Result:
        kept, ledger = run.own(await way.states(run.scope)).kept, run.scope.ledger
        # nothing may come between this and `pay`, or a cancellation there would leave it reserved
        call = await way.reserve(ledger, slot.payer, asked, id=slot.id, label=slot.label, again=True)
        with run.holding(kept):
            result = await pay(way, run, InFlight(key, run.scope, call), send, lambda _: call.asked)
        return _unforged(result)

    def _refused(self, refusal: BudgetExceeded, request: ToolCallRequest, asked: Spend) -> ToolMessage:
        """A refusal of our own is answered, so that no call is left dangling."""
        leave(self._at_end, refusal)
        return refuse(refusal, request.tool_call, asked)


class _Slot(NamedTuple):
    """Where a call is booked: who pays, its name there, and what it is for."""

    payer: Account
    id: str
    label: str


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


def _payer(request: ToolCallRequest, account: Account) -> Account:
    """Who pays: this gate's own account, or the planner's below it, which has set the call aside already."""
    name, state = request.tool_call["id"] or "", cast("Any", request).state
    if not name.startswith(PLANNED) or not isinstance(state, Mapping):
        return account
    values = cast("Mapping[str, Any]", state).values()
    messages: list[Any] = [m for value in values if isinstance(value, list) for m in value]  # pyright: ignore[reportUnknownVariableType]  # of any keys
    asking = (m for m in reversed(messages) if isinstance(m, AIMessage) and any(c["id"] == name for c in m.tool_calls))
    planned = tuple(next((m.response_metadata.get(PAYER, ()) for m in asking), ()))
    return planned if planned[: len(account)] == account else account


def _unforged(result: Result) -> Result:
    """The tool's result, which cannot name another run to spend from."""
    update = update_of(result) if isinstance(result, Command) else {}
    if not isinstance(result, Command) or RUN_KEY not in update:
        return result
    return with_update(result, {name: value for name, value in update.items() if name != RUN_KEY})
