"""The metering callback: puts every model call that LangChain makes inside an open scope on the books.

It never enforces (LangChain swallows what a callback raises); it alone sees summarizers, sub-agents, retries below a
wrapper, errors and cancellations.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast, final
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers.context import register_configure_hook

from budgetkit import Scope, Spend, current_scope

from ._costing import Costing, unsent
from ._in_flight import InFlight, Money, current_model_call, current_money
from ._prompt import plain
from ._usage_of import StreamUsage, from_result, is_cache_hit

if TYPE_CHECKING:
    from contextvars import ContextVar

    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import LLMResult

__all__ = ["METER", "BudgetMeter"]


@dataclass(slots=True, eq=False)
class _Watch:
    """One model run: who pays, and what is known of it so far."""

    scope: Scope
    call: InFlight | None
    costing: Costing
    prompt: list[dict[str, Any]]
    stream: StreamUsage = field(default_factory=StreamUsage)


@final
class BudgetMeter(BaseCallbackHandler):
    """Records what model calls used, on the scope that was open when they started.

    An open scope brings it along by itself. Hand it over as a callback only where LangChain's context does not reach.
    """

    raise_error = False
    run_inline = True  # in the caller's own context: it must see the caller's scope, also in async code

    def __init__(self) -> None:
        """A meter for any number of scopes; the runs under way are told apart by their ids."""
        self._watched: dict[UUID, _Watch] = {}

    def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        """A chat model is about to be called."""
        self._watch(run_id, plain([message for prompt in messages for message in prompt]), kwargs)

    def on_llm_start(self, serialized: dict[str, Any], prompts: list[str], *, run_id: UUID, **kwargs: Any) -> None:
        """A text completion model is about to be called."""
        self._watch(run_id, [{"role": "user", "content": prompt} for prompt in prompts], kwargs)

    def on_llm_new_token(self, token: str, *, chunk: Any = None, run_id: UUID, **kwargs: Any) -> None:
        """A piece of a stream arrived."""
        if run_id in self._watched and chunk is not None:
            self._watched[run_id].stream.see(getattr(chunk, "message", None))

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """The model answered."""
        watch = self._watched.pop(run_id, None)
        if watch is None:
            return
        cached = is_cache_hit(response)
        usage = watch.stream.running_total or from_result(response)
        if watch.call is not None:
            watch.call.cached, watch.call.usage = cached, usage
        elif not cached:
            spend = watch.costing.spend(usage) if usage else watch.costing.estimate(watch.prompt, _text(response))
            self._charge(watch, spend, run_id)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """The call failed, was cancelled, or its stream was cut: billed all the same, as far as anybody can tell."""
        watch = self._watched.pop(run_id, None)
        if watch is None or watch.call is not None:
            return  # a reserved call is settled by its wrapper
        partial = kwargs.get("response")
        spend = watch.costing.unsent() if unsent(error) else watch.costing.estimate(watch.prompt, _text(partial))
        self._charge(watch, spend, run_id)

    def _watch(self, run_id: UUID, prompt: list[dict[str, Any]], kwargs: dict[str, Any]) -> None:
        scope = current_scope()
        if scope is None:
            return
        call = current_model_call()
        if call is not None and call.started:
            _warn_of_order()
            call = None
        if call is not None:
            call.started = True
        metadata = kwargs.get("metadata") or {}
        costing = Costing(
            metadata.get("ls_model_name") or "unknown", metadata.get("ls_provider"), current_money() or Money.of()
        )
        self._watched[run_id] = _Watch(scope, call, costing, prompt)

    def _charge(self, watch: _Watch, spend: Spend, run_id: UUID) -> None:
        watch.scope.ledger.charge(watch.scope.account, spend, id=f"llm:{run_id}", label=f"model:{watch.costing.model}")


def _text(response: LLMResult | None) -> str:
    if response is None:
        return ""
    return "".join(generation.text for batch in response.generations for generation in batch)


def _warn_of_order() -> None:
    warnings.warn(
        "a retry or a fallback runs inside BudgetMiddleware, so its further calls are recorded but not held to the "
        "limits: put BudgetMiddleware last in middleware=[...]",
        stacklevel=2,
    )


class _Ambient:
    """What LangChain takes for a ContextVar: it holds the meter wherever a scope is open."""

    def get(self) -> BudgetMeter | None:
        return METER if current_scope() is not None else None


# LangChain asks its hooks on every call and knows handlers by identity, so there is one meter for all scopes.
METER = BudgetMeter()
register_configure_hook(cast("ContextVar[Any]", _Ambient()), inheritable=True)
