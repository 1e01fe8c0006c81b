"""One model run that the meter watches: who pays for it, and what it cost in the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from weakref import ref

from langchain_core.messages import BaseMessage
from langchain_core.outputs import LLMResult

from budgetkit import Scope, Spend, Usage

from ._costing import Costing, unsent
from ._in_flight import InFlight, Money
from ._model_info import run_model
from ._prompt import plain
from ._usage_of import StreamUsage, from_result

if TYPE_CHECKING:
    from uuid import UUID

__all__ = ["Prompt", "Watch"]

Prompt = Sequence[BaseMessage] | Sequence[str]


@dataclass(slots=True, eq=False)
class Watch:
    """One model run under way.

    Attributes:
        scope: who pays.
        call: the reservation, if a wrapper made one and settles it.
        money: the prices and the counter that were in force when it started; None: the packaged ones.
        prompt: what was sent.
        serialized: what the model says of itself.
        about: what LangChain says of the run.
        run: the id of the run, which LangChain drops with the run.
        place: the id under which a node set this call aside; None: it did not.
        stream: the usage on the chunks of a stream.
        told_elsewhere: whether another prompt of the same request carried the usage of all.
    """

    scope: Scope
    call: InFlight | None
    money: Money | None
    prompt: Prompt
    serialized: Mapping[str, Any] | None
    about: Mapping[str, Any]
    run: ref[UUID]
    place: str | None = None
    stream: StreamUsage = field(default_factory=StreamUsage)
    told_elsewhere: bool = False

    @property
    def costing(self) -> Costing:
        """The model at its price."""
        model, provider = run_model(self.serialized, self.about.get("metadata"))
        return Costing(model, provider, self.money or Money.of())

    def shares_request_with(self, other: Watch) -> bool:
        """Whether both are prompts of one request of a text-completion model."""
        params = self.about.get("invocation_params")
        return params is not None and params is other.about.get("invocation_params")

    def usage(self, response: LLMResult) -> Usage | None:
        """What the run used; None if the provider did not say."""
        nothing = Usage(input_tokens=0, output_tokens=0) if self.told_elsewhere else None
        return self.stream.running_total or from_result(response) or nothing

    def broken(self, error: BaseException, partial: LLMResult | None) -> Spend:
        """What a run cost that failed, was cancelled, or whose stream was cut."""
        if unsent(error):
            return self.costing.unsent()
        return self.costing.estimate(self._prompt(), self._tools(), answer_of(partial))

    def guess(self, response: LLMResult | None) -> Spend:
        """What a run cost of which no usage was told."""
        return self.costing.estimate(self._prompt(), self._tools(), answer_of(response))

    def _prompt(self) -> list[dict[str, Any]]:
        texts = [{"role": "user", "content": text} for text in self.prompt if isinstance(text, str)]
        return texts or plain([message for message in self.prompt if isinstance(message, BaseMessage)])

    def _tools(self) -> list[Mapping[str, Any]]:
        params: Mapping[str, Any] = self.about.get("invocation_params") or {}
        tools: Sequence[object] = params.get("tools") or ()
        return [cast("Mapping[str, Any]", tool) for tool in tools if isinstance(tool, Mapping)]


def answer_of(response: LLMResult | None) -> list[dict[str, Any]]:
    """What came back, as far as it came, in the form that counters read."""
    generations = [generation for batch in response.generations for generation in batch] if response else []
    messages = [getattr(generation, "message", None) for generation in generations]
    texts = [{"role": "assistant", "content": g.text} for g, m in zip(generations, messages, strict=True) if m is None]
    return texts + plain([message for message in messages if isinstance(message, BaseMessage)])
