"""The model side of a search: what a strategy needs somebody to think."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, BaseMessage

    from ._results import Answer, Appraisal, Options, Plan, Verdict
    from ._view import View

__all__ = ["Pay", "Policy"]


class Pay(Protocol):
    """Makes a model call that the search's budget pays for."""

    async def __call__(
        self,
        model: BaseChatModel,
        messages: Sequence[BaseMessage],
        *,
        cap: int,
        n: int = 1,
        settings: Mapping[str, Any] | None = None,
    ) -> list[AIMessage]:
        """The model's answers.

        Args:
            model: whom to ask.
            messages: the prompt.
            cap: output tokens of each answer at most; lowered to what the budget pays for.
            n: how many answers to this one prompt; the prompt is paid for once.
            settings: further arguments of the call, such as ``response_format``.

        Raises:
            BudgetExceeded: the budget does not pay for it; nothing was sent.
        """
        ...


@runtime_checkable
class Policy(Protocol):
    """Thinks, where a strategy decides. All methods may be called for several nodes at once.

    They are coroutines in sync graphs as well, where nothing is ever waited for: reach models through ``pay`` and
    nothing else that waits. Broken output of a model is the policy's to repair: a method returns what it can (an empty
    `Options`, an empty `Answer`), and raises only what `Pay` raises.

    A policy with an attribute ``model``, a chat model, has that one asked for the last answer when the budget ends.
    """

    async def plan(self, view: View, pay: Pay) -> Plan:
        """Split the question into what has to be found out."""
        ...

    async def propose(self, view: View, n: int, pay: Pay) -> Options:
        """Up to ``n`` different things to do next at this node, best first: tool calls, or an answer."""
        ...

    async def appraise(self, view: View, pay: Pay) -> Appraisal:
        """How much closer the node's own step came, compared with its parent."""
        ...

    async def verify(self, view: View, answer: str, pay: Pay) -> Verdict:
        """Check an answer, condition by condition, and decide what to do with it."""
        ...

    async def answer(self, view: View, pay: Pay) -> Answer:
        """Answer from what was found."""
        ...
