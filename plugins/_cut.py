"""Answers that were cut off by a cap of ours: no answer to end a run with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import AIMessage

from budgetkit import BudgetExceeded

if TYPE_CHECKING:
    from langchain.agents.middleware import ModelResponse

    from budgetkit import AccountState

__all__ = ["too_short", "was_cut"]

_REASONS: Final = ("finish_reason", "stop_reason", "done_reason")
_CUT: Final = {"length", "max_tokens", "MAX_TOKENS", "max_output_tokens"}
_NAMES: Final = ("output_tokens", "total_tokens", "usd")


def was_cut(response: ModelResponse[Any], cap: int | None) -> bool:
    """Whether the model was cut off at ``cap``: half an answer, or a tool call that it did not finish."""
    message = next((m for m in reversed(response.result) if isinstance(m, AIMessage)), None)
    if cap is None or message is None or response.structured_response is not None:
        return False
    reasons = [message.response_metadata[name] for name in _REASONS if message.response_metadata.get(name)]
    if reasons:
        return (
            reasons[0] in _CUT
        )  # also with tool calls: of a cut stream LangChain makes a call with shortened arguments
    if message.tool_calls:
        return False
    return message.usage_metadata is not None and message.usage_metadata["output_tokens"] >= cap


def too_short(states: tuple[AccountState, ...], cap: int) -> BudgetExceeded:
    """The refusal of a call that needs more output than ``cap``: of the limits on it, the one with the least left."""
    limits = [(state, name) for state in states for name in _NAMES if name in state.limits]
    state, name = min(limits, key=lambda limit: _share_left(*limit))
    return state.refusal(name, cap + 1 if name == "output_tokens" else 0)


def _share_left(state: AccountState, name: str) -> float:
    return ((state.left(name) or 0) - state.kept.in_units(name)) / max(1, state.limits[name])
