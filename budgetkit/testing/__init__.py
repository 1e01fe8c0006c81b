"""Tools for testing graphs that spend: a scripted model, a manual clock, a mock server, one assertion.

Example:
    >>> from budgetkit.testing import ManualClock
    >>> ManualClock(start=2.0)()
    2.0
"""

from typing import TYPE_CHECKING, Any

from ._assert_spent import assert_spent
from ._clock import ManualClock
from ._server import MockOpenAIServer

if TYPE_CHECKING:
    from ._script import ScriptedCall, ScriptedRequest, ScriptExhaustedError, Turn, call
    from ._scripted import ScriptedChatModel

__all__ = [
    "ManualClock",
    "MockOpenAIServer",
    "ScriptExhaustedError",
    "ScriptedCall",
    "ScriptedChatModel",
    "ScriptedRequest",
    "Turn",
    "assert_spent",
    "call",
]


def __getattr__(name: str) -> Any:
    """Load the scripted model on first use: it is the one part that needs LangChain."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import _script, _scripted  # noqa: PLC0415 - imports langchain_core

    return getattr(_script, name, None) or getattr(_scripted, name)
