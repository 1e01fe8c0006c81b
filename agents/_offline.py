"""A chat model without a model: deterministic, offline, free, and weak."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final
from uuid import uuid4

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool

from budgetkit.plugins import SearchTool

from ._offline_reading import answer, find_search_tool, next_search, read_conversation

__all__ = ["OfflineChatModel"]

_TOKEN: Final = re.compile(r"\s*(?:\w+|[^\w\s])")


class OfflineChatModel(BaseChatModel):
    """A chat model that acts as a search agent by words alone, so that everything runs without a key.

    It reads the question and the tools' results in the messages; there is no script and no list of answers. With a
    search tool bound (one that takes a text, or a list of texts, and nothing else) it searches for the question,
    then follows names in what was found, and stops when the question's words are covered, when nothing new is left
    to search for, or after six searches. Without one, or asked with ``Question:`` and ``Findings:``, it answers in
    one line with the span that fits best.

    It is weak: it understands nothing, does no arithmetic, knows no facts, and pays no heed to instructions. Use it
    for demos, for tests of plumbing and books, and as the floor of a comparison.

    Usage is counted in words and punctuation marks of texts and tool calls; tool schemas cost nothing. An output cap
    (``max_tokens``) is honoured: the answer is cut, and a search that would not fit is not made.

    Example:
        >>> OfflineChatModel().invoke("Who directed Jaws?").text
        'Nothing that was found answers this.'
    """

    model_name: str = "offline"
    max_tokens: int | None = None

    @property
    def _llm_type(self) -> str:
        return "budgetkit-offline"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self.model_name}

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | Any],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools; ``tool_choice="none"`` keeps it from calling them."""
        if tool_choice is not None:
            kwargs["tool_choice"] = tool_choice
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def get_num_tokens(self, text: str) -> int:
        """Count the tokens of a text, exactly as they are billed."""
        return len(_TOKEN.findall(text))

    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Sequence[Any] | None = None) -> int:  # noqa: ARG002 - schemas cost nothing
        """Count the tokens of a prompt, exactly as they are billed."""
        return sum(self._count(message) for message in messages)

    def _count(self, message: BaseMessage) -> int:
        calls = message.tool_calls if isinstance(message, AIMessage) else []
        return sum(self.get_num_tokens(text) for text in (message.text, *map(_call_text, calls)))

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002 - its answers are one line
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - a whole reply has no tokens to tell
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._reply(messages, kwargs))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002 - as above
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for piece in _pieces(self._reply(messages, kwargs)):
            chunk = ChatGenerationChunk(message=piece)
            if run_manager:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    def _reply(self, messages: list[BaseMessage], settings: dict[str, Any]) -> AIMessage:
        cap: int | None = settings.get("max_tokens", settings.get("max_completion_tokens", self.max_tokens))
        conversation = read_conversation(messages)
        tool = find_search_tool(settings.get("tools", ())) if settings.get("tool_choice") != "none" else None
        query = next_search(conversation) if tool else None
        if tool and query:
            message = _searching(tool, query)
            if cap is None or self._count(message) <= cap:
                return self._billed(messages, message, "tool_calls")
        words = _TOKEN.findall(answer(conversation))
        finish = "stop" if cap is None or len(words) <= cap else "length"
        return self._billed(messages, AIMessage("".join(words[:cap])), finish)

    def _billed(self, asked: list[BaseMessage], message: AIMessage, finish: str) -> AIMessage:
        read, written = self.get_num_tokens_from_messages(asked), self._count(message)
        message.usage_metadata = UsageMetadata(input_tokens=read, output_tokens=written, total_tokens=read + written)
        message.response_metadata = {"finish_reason": finish, "model_name": self.model_name}
        return message


def _searching(tool: SearchTool, query: str) -> AIMessage:
    call = tool_call(name=tool.name, args=tool.args(query), id=f"call_{uuid4().hex[:16]}")
    return AIMessage("", tool_calls=[call])


def _call_text(call: Any) -> str:
    return f"{call['name']} {json.dumps(call['args'], ensure_ascii=False)}"


def _pieces(message: AIMessage) -> Iterator[AIMessageChunk]:
    """Stream a message: token by token, then its tool call, then an empty chunk with the usage."""
    for token in _TOKEN.findall(message.text):
        yield AIMessageChunk(content=token)
    for index, call in enumerate(message.tool_calls):
        piece = tool_call_chunk(name=call["name"], args=json.dumps(call["args"]), id=call["id"], index=index)
        yield AIMessageChunk(content="", tool_call_chunks=[piece])
    yield AIMessageChunk(
        content="",
        usage_metadata=message.usage_metadata,
        response_metadata=message.response_metadata,
        chunk_position="last",
    )
