"""The metering callback: puts every model call that LangChain makes inside an open scope on the books.

It never enforces (LangChain swallows what a callback raises); it alone sees summarizers, sub-agents, retries below a
wrapper, errors and cancellations.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast, final
from uuid import UUID
from weakref import ref

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers.context import register_configure_hook

from budgetkit import PriceBook, Spend, TokenCounter, current_scope

from ._in_flight import Money, current_model_call, current_money, paying, take_place
from ._usage_of import is_cache_hit
from ._watch import Prompt, Watch

if TYPE_CHECKING:
    from contextvars import ContextVar

    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import LLMResult

    from budgetkit import Scope

__all__ = ["METER", "BudgetMeter", "metered"]


@final
class BudgetMeter(BaseCallbackHandler):
    """Records what model calls used, on the scope that was open when they started.

    An open scope brings it along by itself, if LangChain or this package was imported before it was opened; where both
    are first imported inside the scope, importing this package first is enough. Hand it over as a callback only where
    LangChain's context does not reach.

    A call without usage is booked at an estimate of its prompt and of what came back. So is a call that failed or was
    cancelled, unless the provider turned it away. Retries inside a provider's own client are not seen by anybody.
    """

    raise_error = False
    run_inline = True  # in the caller's own context: it must see the caller's scope, also in async code

    def __init__(self) -> None:
        """A meter for any number of scopes; the runs under way are told apart by their ids."""
        self._watched: dict[int, Watch] = {}
        self._silent: set[str] = set()

    def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        """A chat model is about to be called."""
        self._watch(run_id, messages[0], serialized, kwargs)

    def on_llm_start(self, serialized: dict[str, Any], prompts: list[str], *, run_id: UUID, **kwargs: Any) -> None:
        """A text completion model is about to be called."""
        self._watch(run_id, prompts, serialized, kwargs)

    def on_llm_new_token(self, *_: object, chunk: object = None, run_id: UUID, **__: Any) -> None:
        """A piece of a stream arrived."""
        watch = self._watched.get(run_id.int)
        if watch is not None:
            watch.stream.see(getattr(chunk, "message", None))

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **_: Any) -> None:
        """The model answered."""
        watch = self._watched.pop(run_id.int, None)
        if watch is None:
            return
        cached, usage = is_cache_hit(response), watch.usage(response)
        if watch.call is not None:
            watch.call.cached, watch.call.usage = cached, usage
        elif usage and not cached:
            self._tell_siblings(watch)
            self._charge(watch, watch.costing.spend(usage), run_id.int)
        elif not cached:
            self._charge(watch, watch.guess(response), run_id.int)
            self._warn_of_silence(watch.costing.model)
        elif watch.place:
            self._charge(watch, Spend(), run_id.int)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """The call failed, was cancelled, or its stream was cut: billed all the same, as far as anybody can tell."""
        watch = self._watched.pop(run_id.int, None)
        if watch is None:
            return
        if watch.call is not None:
            watch.call.error = error  # settled by its wrapper
        else:
            self._charge(watch, watch.broken(error, kwargs.get("response")), run_id.int)

    def _watch(self, run_id: UUID, prompt: Prompt, serialized: dict[str, Any] | None, kwargs: dict[str, Any]) -> None:
        scope, key = current_scope(), run_id.int
        if scope is None or key in self._watched:
            return
        reserved = current_model_call()
        call = reserved if reserved is not None and reserved.takes(run_id) else None
        dropped = ref(run_id, partial(self._dropped, key))
        place = _place_in(scope) if call is None else None
        self._watched[key] = Watch(scope, call, current_money(), prompt, serialized, kwargs, dropped, place)
        if reserved is not call:
            _warn_of_order()

    def _dropped(self, key: int, _: ref[UUID]) -> None:
        """LangChain let go of the run without a word, as it does when `ainvoke` is cancelled."""
        watch = self._watched.pop(key, None)
        if watch is not None and watch.call is None:
            self._charge(watch, watch.guess(None), key)

    def _charge(self, watch: Watch, spend: Spend, key: int) -> None:
        label = f"model:{watch.costing.model}"
        run = watch.place or f"llm:{UUID(int=key)}"
        watch.scope.ledger.charge(watch.scope.account, spend, id=run, label=label)

    def _tell_siblings(self, watch: Watch) -> None:
        """The prompts of one text-completion request are runs of their own, and only the first carries the usage."""
        for other in self._watched.copy().values():
            other.told_elsewhere = other.told_elsewhere or other.shares_request_with(watch)

    def _warn_of_silence(self, model: str) -> None:
        if model not in self._silent:
            self._silent.add(model)
            warnings.warn(
                f"model {model!r} sent no usage, so its calls are booked at an estimate: with ChatOpenAI and a "
                "base_url of your own, set stream_usage=True",
                stacklevel=2,
            )


def _place_in(scope: Scope) -> str | None:
    """The id under which a node set its first model call aside; the call takes it over."""
    place = take_place(scope.account)
    if place is not None and place.account != scope.account:
        scope.ledger.release(place)
        return None
    return place.id if place is not None else None


@contextmanager
def metered(*, prices: PriceBook | None = None, counter: TokenCounter | None = None) -> Generator[None]:
    """Say at what prices an open scope meters what no plug-in of its own pays for.

    ```python
    with budget.open("report") as run, metered(prices=PriceBook.from_toml("prices.toml")):
        model.invoke("...")  # on the books of `run`, at your prices
    ```

    Not needed to be metered at all: an open scope sees to that, at the packaged prices. The innermost prices count, and
    a middleware or a `budgeted` node has prices of its own.

    Args:
        prices: what models cost; None: the packaged table of model prices.
        counter: how prompts are counted where no usage comes back; None: the best that works offline.
    """
    with paying(Money.of(prices, counter)):
        yield


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
