"""The second count: what the tools and the model server say was used, kept apart from the ledger."""

from __future__ import annotations

from collections import Counter
from contextvars import ContextVar
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Self

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration

if TYPE_CHECKING:
    from contextvars import Token

    from langchain_core.outputs import LLMResult

    from budgetkit.plugins import Found

__all__ = ["Audit"]

_TOKENS: Final = ("input_tokens", "output_tokens", "total_tokens")


class Audit(BaseCallbackHandler):
    """Counts one question's calls where they happen: a tool counts itself, a model answer brings its server's usage.

    Nothing here reads a budget or a ledger, so what it finds over a limit is evidence against them. Open it with
    ``with``: the tools find it through the context, which follows threads, tasks and subgraphs. As a LangChain
    callback it is told of every model call.

    The lock guards the counts: parallel tool calls arrive from several threads.
    """

    run_inline = True  # in the caller's own thread or task: a count must not lag behind the call

    def __init__(self) -> None:
        self.found: list[Found] = []
        self._counts: Counter[str] = Counter()
        self._silent = False
        self._lock = Lock()
        self._token: Token[Audit | None] | None = None

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            _current.reset(self._token)

    @property
    def counts(self) -> dict[str, int]:
        """Units by resource name; tokens are left out if one answer came without usage: unknown is not zero."""
        with self._lock:
            hidden = _TOKENS if self._silent else ()
            return {name: n for name, n in sorted(self._counts.items()) if name not in hidden}

    @property
    def titles(self) -> set[str]:
        """The titles of all passages that the tools showed."""
        with self._lock:
            return {passage.title for result in self.found for passage in result.passages}

    def tool_called(self, tool: str, *found: Found) -> None:
        """Told by the tool itself, once per call that it carried out, with what it showed."""
        with self._lock:
            self._counts.update((f"tool:{tool}", "tool_calls"))
            self.found += found

    def on_chat_model_start(self, *_: object, **__: object) -> None:
        """Count the call when it goes out: one that fails later was still made."""
        with self._lock:
            self._counts["llm_calls"] += 1

    def on_llm_end(self, response: LLMResult, **_: Any) -> None:
        """Add the usage that the server returned with its answer."""
        for generation in (g for batch in response.generations for g in batch):
            message = generation.message if isinstance(generation, ChatGeneration) else None
            usage = message.usage_metadata if isinstance(message, AIMessage) else None
            with self._lock:
                self._silent |= usage is None
                self._counts.update({name: usage[name] for name in _TOKENS} if usage else {})

    def on_llm_error(self, *_: object, **__: object) -> None:
        """A call that failed may have been billed: its tokens are unknown."""
        with self._lock:
            self._silent = True


def current_audit() -> Audit | None:
    """The audit of the question that this context works on, if any."""
    return _current.get()


_current: ContextVar[Audit | None] = ContextVar("budgetkit_evals_audit", default=None)
