"""What an agent said: the final message, the short answer in it, and how the run ended."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

from langchain_core.messages import AIMessage, BaseMessage

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ending", "final_message", "short_answer"]

_LABEL: Final = re.compile(r".*\banswer[*_]*\s*:(.*)", re.IGNORECASE)
_DECORATION: Final = " \t*_`\"'"


def final_message(output: Mapping[str, Any]) -> AIMessage | None:
    """The last message of a graph's output if the model wrote it, else None."""
    messages = cast("list[BaseMessage]", output.get("messages") or [])
    return messages[-1] if messages and isinstance(messages[-1], AIMessage) else None


def short_answer(text: str) -> str:
    """What stands behind the last ``Answer:``, else the last line; without quotes and emphasis."""
    lines = [line for line in text.splitlines() if line.strip()]
    labelled = [found[1] for line in lines if (found := _LABEL.match(line)) and found[1].strip(_DECORATION)]
    return (labelled or lines or [""])[-1].strip(_DECORATION)


def ending(message: AIMessage | None) -> dict[str, Any] | None:
    """How the budget plug-in says the run ended, and on which resource; None if it ended by itself."""
    note: Mapping[str, Any] | None = message.response_metadata.get("budgetkit") if message else None
    return {"ended": note.get("ended"), "resource": note.get("resource")} if note else None
