"""`PlannerNode`: a search in the place of an agent's model node."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import uuid4

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.runtime import get_runtime

from budgetkit import BudgetExceeded

from .._desk import Desk
from .._ends import AtEnd, check_at_end
from .._errors import in_graph
from .._in_flight import Money, paying
from .._runs import RUN_KEY, Per, Runs
from .._tariff import Tariff, ToolUnits
from .._tool_gate import ToolGate
from .._ways import AWAITING, BLOCKING, finish
from ._acts import Acts
from ._auto import Auto, settled
from ._chat_policy import ChatPolicy
from ._conversation import asked_at, read_messages, spec_of, task_of
from ._evidence import Reader
from ._left import Left
from ._log import read_tree, write_tree
from ._policy import Policy
from ._remember import Remember
from ._search import Search
from ._state import SEARCH, PlannerState, state_with
from ._till import Till
from ._tree import SearchTree
from ._visit import Visit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from langchain_core.messages import BaseMessage, ToolMessage
    from langchain_core.tools import BaseTool
    from langgraph.prebuilt.tool_node import ToolCallRequest
    from langgraph.types import Command

    from budgetkit import Budget, Ledger, PriceBook, TokenCounter

    from .._runs import Run
    from .._ways import Way
    from ._strategy import Strategy
    from ._view import Task

__all__ = ["PlannerNode"]

_VISITS: Final = 256
"""Visits under way, or broken off, whose results this process remembers for a node that is tried again."""


class PlannerNode(Runnable[Any, dict[str, Any]]):
    """A search that takes the place of an agent's model node.

    ```python
    graph.add_node("agent", PlannerNode(model, [search], Budget(tool_calls=10, total_tokens=4_000)))
    ```

    It reads the last question of a person in ``messages`` and answers with messages: tool calls, which the graph's own
    tools node runs, or, at the end, the answer. So whatever stands around an agent node stays as it is: the tools, the
    condition that leads to them and back, approval by a person, the checkpointer. The search itself is kept in the
    state under ``budgetkit_search`` (the graph gets that key by itself), so it is resumed in the middle; with a
    checkpointer no thought is paid for twice. What it is doing is streamed as custom events.

    The budget pays for every model call and tool call of the search, each set aside before it is made. Inside an open
    scope of this very budget the search spends from that scope; else every question has an account of its own.

    Args:
        model: a chat model, which thinks as a `ChatPolicy`; or a `Policy`.
        tools: what the search may call, as the graph's tools node has it.
        budget: the limits of one search.
        strategy: what to do next; None: `Auto`, which goes by the size of the budget.
        parallel: moves made at once at most.
        at_end: what happens when the budget ends, as for `BudgetMiddleware`.
        per: whose budget it is outside of an open scope: each question's, or the thread's.
        prices: what models and tools cost; None: the packaged table.
        counter: how prompts are counted; None: the best that works offline.
        ledger: where the spend is recorded; None: in memory.
        answer_tokens: output tokens that the final answer should have.
        keep: passages that the final answer is given.
        tool_units: per tool, how many units a call is; one if not given.
        messages_key: where the graph keeps its messages; with another one than ``messages`` add the node with
            ``input_schema=planner.state_schema``.
        name: the node's and the account's name.

    Raises:
        TypeError: ``model`` is neither a chat model nor a policy.
        ValueError: ``parallel``, ``keep`` or ``answer_tokens`` below 1, or an unknown end.
    """

    def __init__(
        self,
        model: BaseChatModel | Policy,
        tools: Sequence[BaseTool | Any],
        budget: Budget,
        *,
        strategy: Strategy | None = None,
        parallel: int = 1,
        at_end: AtEnd = "answer",
        per: Per = "run",
        prices: PriceBook | None = None,
        counter: TokenCounter | None = None,
        ledger: Ledger | None = None,
        answer_tokens: int = 128,
        keep: int = 5,
        tool_units: ToolUnits | None = None,
        messages_key: str = "messages",
        name: str = "planner",
    ) -> None:
        """See the class."""
        check_at_end(at_end)
        for given, value in (("parallel", parallel), ("keep", keep), ("answer_tokens", answer_tokens)):
            if value < 1:
                raise ValueError(f"{given}={value!r} must be at least 1")
        self.name = name
        self.budget = budget
        self.policy = _policy(model)
        self.strategy: Strategy = strategy if strategy is not None else Auto()
        self.messages_key = messages_key
        self._tools = tuple(map(spec_of, tools))
        self._parallel = parallel
        self._at_end: AtEnd = at_end
        self._keep = keep
        self._money = Money.of(prices, counter)
        self._runs = Runs(budget, name=name, per=per, ledger=ledger)
        self._desk = Desk(budget, self._money, answer_tokens=answer_tokens, keeps=at_end in {"answer", "ask"})
        self._tariff = Tariff(self._money.prices, tool_units)
        self._gate = ToolGate(self._runs, self._money, tracker=False, units=tool_units)
        self._reader = Reader()
        self._known = lru_cache(maxsize=_VISITS)(_nothing_yet)

    def __call__(self, state: PlannerState) -> dict[str, Any]:
        """As `invoke`; a graph reads here which keys of the state the node has."""
        return self.invoke(state)

    @property
    def ledger(self) -> Ledger:
        """Where searches on a thread are recorded outside of an open scope; for a top-up by code after a drain."""
        return self._runs.ledger

    @property
    def state_schema(self) -> type[Any]:
        """The keys of the state that the node reads and writes."""
        return PlannerState if self.messages_key == "messages" else state_with(self.messages_key)

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> dict[str, Any]:  # noqa: A002, ARG002 - the host's own signature
        """The next step of the search: an update of the state."""
        return finish(self._visited(BLOCKING, input))

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> dict[str, Any]:  # noqa: A002, ARG002 - as above
        """Async twin of `invoke`."""
        return await self._visited(AWAITING, input)

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
    ) -> ToolMessage | Command[Any]:
        """For ``ToolNode(wrap_tool_call=...)``: holds the tools to the budget's ``seconds`` as well.

        Add that node with ``input_schema=PlannerState``, so that it sees whose search it works for.
        """
        return self._gate.wrap_tool_call(request, handler)

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]]
    ) -> ToolMessage | Command[Any]:
        """Async twin of `wrap_tool_call`."""
        return await self._gate.awrap_tool_call(request, handler)

    # -- the shared core --------------------------------------------------------------------------------------------

    async def _visited(self, way: Way, state: Mapping[str, Any]) -> dict[str, Any]:
        messages, runtime = read_messages(state, self.messages_key), _runtime()
        durable, place = _has_thread(runtime), _task_id(runtime)
        known: dict[str, Any] = self._known(place) if durable else {}
        remember = Remember(way, durable=durable, known=known)
        log = _under_way(state, asked_at(messages)) or await self._begun(way, remember, state, messages, runtime)
        run = await self._runs.of(way, {**state, RUN_KEY: log["run"]}, runtime)
        task = task_of(messages, self._tools, log.get("question", ""))
        with run.scope.entered(), paying(self._money):
            async with way.running(run.scope):
                visit = self._visit(way, run, remember, log, task, runtime)
                try:
                    message = await visit.message(messages)
                except BaseException:
                    if not durable:
                        await visit.acts.let_go()
                    raise
        known.clear()
        tree = visit.search.tree
        written = {**log, **write_tree(tree, log["id"], since=log), "calls": visit.acts.ids(tree)}
        return {self.messages_key: [message], SEARCH: written, RUN_KEY: log["run"]}

    async def _begun(
        self, way: Way, remember: Remember, state: Mapping[str, Any], messages: Sequence[BaseMessage], runtime: Any
    ) -> Mapping[str, Any]:
        """A new search: its name, the run that it spends from, and how large its budget is.

        Raises:
            ValueError: nobody asked anything.
        """
        asked = asked_at(messages)
        if not asked:
            key = self.messages_key
            raise ValueError(f"{key!r} holds no message of a person, so there is no question to search for")

        async def begin() -> dict[str, Any]:
            key = self._runs.new_key(runtime)
            run = await self._runs.of(way, {**state, RUN_KEY: key}, runtime)
            caps = Left.of(await way.states(run.scope)).caps
            return {"id": uuid4().hex, "asked": asked, "run": key, "caps": dict(caps)}

        (begun,) = await remember(begin)
        if isinstance(begun, BudgetExceeded):
            raise in_graph(begun)
        return cast("dict[str, Any]", begun)

    def _visit(self, way: Way, run: Run, remember: Remember, log: Mapping[str, Any], task: Task, runtime: Any) -> Visit:
        strategy = settled(self.strategy, Left(log["caps"], log["caps"]))
        tree = read_tree(log) if "moves" in log else SearchTree(task.question, strategy.name, strategy.valuation)
        place = _task_id(runtime)
        acts = Acts(way, run, log["id"], place, self._tariff, log.get("calls"))
        search = Search(
            way=way,
            run=run,
            till=Till(way, run, self._desk, task.question),
            acts=acts,
            remember=remember,
            tree=tree,
            task=task,
            strategy=strategy,
            policy=self.policy,
            parallel=self._parallel,
            leaves=self._at_end in {"raise", "drain"},
            tell=_writer(runtime),
        )
        return Visit(log["id"], place, search, acts, self._reader, self._keep, self._at_end)


def _under_way(state: Mapping[str, Any], asked: str) -> Mapping[str, Any] | None:
    """The search for this very question, if it is not over; its question may have been cut off the history."""
    log: Mapping[str, Any] = state.get(SEARCH) or {}
    return log if log and asked in {"", log["asked"]} and "finish" not in log["moves"] else None


def _policy(model: BaseChatModel | Policy) -> Policy:
    if isinstance(model, BaseChatModel):
        return ChatPolicy(model)
    if not isinstance(model, Policy):  # pyright: ignore[reportUnnecessaryIsInstance]  # what a user may hand over
        raise TypeError(f"model={model!r} is neither a chat model nor a policy: a bound or wrapped model goes in bare")
    return model


def _runtime() -> Any:
    """The runtime of the graph; None for a node that is called by itself, inside an open scope."""
    try:
        return get_runtime()
    except RuntimeError:
        return None


def _task_id(runtime: Any) -> str:
    """Names this visit: the same when it is entered anew, another one from an older checkpoint."""
    return str(getattr(getattr(runtime, "execution_info", None), "task_id", ""))


def _has_thread(runtime: Any) -> bool:
    return getattr(getattr(runtime, "execution_info", None), "thread_id", None) is not None


def _writer(runtime: Any) -> Callable[[Mapping[str, Any]], None]:
    """Where custom events go; nowhere outside of a graph."""
    writer: Callable[[Mapping[str, Any]], None] | None = getattr(runtime, "stream_writer", None)
    return writer if writer is not None else _nowhere


def _nothing_yet(_visit: str) -> dict[str, Any]:
    return {}


def _nowhere(_: Mapping[str, Any]) -> None:
    return None
