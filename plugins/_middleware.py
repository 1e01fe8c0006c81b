"""`BudgetMiddleware`: one line that puts an agent on a budget."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, NotRequired

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain.agents.middleware.types import PrivateStateAttr
from langchain_core.messages import RemoveMessage, ToolMessage
from langgraph.graph.message import REMOVE_ALL_MESSAGES  # pyright: ignore[reportMissingTypeStubs]  # it has types of its own
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command

from budgetkit import Budget, Ledger, PriceBook, TokenCounter

from ._desk import Desk
from ._ends import AtEnd, check_at_end
from ._in_flight import Money, paying
from ._model_gate import ModelGate
from ._refused import unanswered, with_answers
from ._runs import RUN_KEY, Per, Runs
from ._tariff import ToolUnits
from ._tool_gate import ToolGate
from ._ways import AWAITING, BLOCKING, Way, finish

__all__ = ["BudgetMiddleware", "BudgetState"]


class BudgetState(AgentState[Any]):
    """What the middleware keeps in the graph's state: the name of the run, so that a resumed run is the same run."""

    budgetkit_run: NotRequired[Annotated[str, PrivateStateAttr]]


class BudgetMiddleware(AgentMiddleware[BudgetState, Any, Any]):
    """Limits that hold, an agent that knows what is left, and a real answer when the budget ends.

    ```python
    agent = create_agent(model, tools=[search], middleware=[BudgetMiddleware(Budget(usd="0.05", tool_calls=10))])
    ```

    Before each model call its worst case is reserved (the counted prompt and the output cap, lowered to what fits);
    afterwards it is settled at the provider's usage. Put it last in the list, inside of retries and fallbacks, so that
    every attempt is paid for.

    Args:
        budget: the limits. Inside an open scope of this very budget the agent spends from that scope; without one, each
            run has an account of its own, below the innermost open scope of another budget if there is one.
        at_end: what happens when the budget ends: ``"answer"`` (one last call from the reserve, without tools),
            ``"stop"`` (a notice), ``"raise"`` (`BudgetExceeded`), ``"ask"`` (an interrupt: a person may top up) or
            ``"drain"`` (the graph stops at a checkpoint).
        per: what the budget is for: one ``"run"`` (a task from its first message to its end, across every interrupt and
            resume) or one ``"thread"``.
        tracker: tell the agent what is left after each tool result, and how to plan with it.
        prices: what models and tools cost; None: the packaged table of model prices.
        counter: how prompts are counted before they are sent; None: the best that works offline.
        ledger: where the spend is recorded; None: in memory, as long as this middleware lives.
        answer_tokens: output tokens that the final answer should have.
        tool_units: per tool, how many units a call is; one if not given.
        name: tells two budgets on one agent apart.

    Raises:
        ValueError: an unknown end, or no room for an answer.
        PriceUnknown: at the first call, under a dollar limit: the model has no price.
        BudgetTooSmall: at the first call: not even one answer can be paid. Nothing was spent.
    """

    state_schema = BudgetState

    def __init__(
        self,
        budget: Budget,
        *,
        at_end: AtEnd = "answer",
        per: Per = "run",
        tracker: bool = True,
        prices: PriceBook | None = None,
        counter: TokenCounter | None = None,
        ledger: Ledger | None = None,
        answer_tokens: int = 256,
        tool_units: ToolUnits | None = None,
        name: str = "agent",
    ) -> None:
        """See the class."""
        super().__init__()
        check_at_end(at_end)
        if answer_tokens < 1:
            raise ValueError(f"answer_tokens={answer_tokens!r} is no room for an answer: use 1 or more")
        money = Money.of(prices, counter)
        self.budget = budget
        self._name = name
        self._money = money
        self._runs = Runs(budget, name=name, per=per, ledger=ledger)
        desk = Desk(budget, money, answer_tokens=answer_tokens, keeps=at_end in {"answer", "ask"})
        self._models = ModelGate(desk, at_end=at_end, tracker=tracker)
        self._tools = ToolGate(self._runs, money, at_end=at_end, tracker=tracker, units=tool_units)

    @property
    def name(self) -> str:
        """The name of the middleware's nodes in the graph."""
        return f"BudgetMiddleware[{self._name}]"

    @property
    def ledger(self) -> Ledger:
        """Where runs on a thread are recorded outside of an open scope; for a top-up by code after a drain."""
        return self._runs.ledger

    def before_agent(self, state: BudgetState, runtime: Any) -> dict[str, Any]:
        """Name the run; a resumed run does not come through here again, and keeps its name.

        Tool calls that an earlier run of the thread left open (it was drained, or raised) are answered.
        """
        update: dict[str, Any] = {RUN_KEY: self._runs.new_key(runtime)}
        if unanswered(state["messages"]):
            update["messages"] = [RemoveMessage(REMOVE_ALL_MESSAGES), *with_answers(state["messages"])]
        return update

    async def abefore_agent(self, state: BudgetState, runtime: Any) -> dict[str, Any]:
        """Async twin."""
        return self.before_agent(state, runtime)

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Reserve, clamp, call, settle; or end."""
        return finish(self._call(BLOCKING, request, handler))

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        """Async twin."""
        return await self._call(AWAITING, request, handler)

    async def _call(
        self, way: Way, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Any]
    ) -> ModelResponse[Any]:
        run = await self._runs.of(way, request.state, request.runtime)
        with run.scope.entered(), paying(self._money):
            return await self._models.call(way, run, request, handler)

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
    ) -> ToolMessage | Command[Any]:
        """Reserve or refuse, run, settle, and append what is left."""
        return self._tools.wrap_tool_call(request, handler)

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]]
    ) -> ToolMessage | Command[Any]:
        """Async twin."""
        return await self._tools.awrap_tool_call(request, handler)
