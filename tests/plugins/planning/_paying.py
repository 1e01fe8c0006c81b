"""A purse without a bottom: it makes the calls that a policy asks for, and keeps what was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage


@dataclass(frozen=True)
class Paid:
    """One call as a policy asked for it, and what came back."""

    model: BaseChatModel
    messages: tuple[BaseMessage, ...]
    cap: int
    n: int
    settings: Mapping[str, Any]
    answers: tuple[AIMessage, ...]

    @property
    def prompt(self) -> str:
        """All of its words."""
        return "\n".join(message.text for message in self.messages)


class Paying:
    """A `Pay` for tests: one request for all samples where the model can do that, else one for each."""

    def __init__(self) -> None:
        self.calls: list[Paid] = []

    async def __call__(
        self,
        model: BaseChatModel,
        messages: Sequence[BaseMessage],
        *,
        cap: int,
        n: int = 1,
        settings: Mapping[str, Any] | None = None,
    ) -> list[AIMessage]:
        wanted = {**(settings or {}), "max_tokens": cap}
        if n > 1 and "n" in type(model).model_fields:
            batches, wanted = 1, {**wanted, "n": n}
        else:
            batches = n
        answers: list[AIMessage] = []
        for _ in range(batches):
            result = await cast("Any", model).agenerate([list(messages)], **wanted)
            answers += [generation.message for generation in result.generations[0]]
        self.calls.append(Paid(model, tuple(messages), cap, n, settings or {}, tuple(answers)))
        return answers
