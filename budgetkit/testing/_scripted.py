"""A real LangChain chat model that says what the test wrote down."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import invalid_tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import PrivateAttr

from ._script import Script, ScriptedRequest, Turn, read_turn


class ScriptedChatModel(BaseChatModel):
    """A chat model for tests that replays a list of turns, over all ways that LangChain calls a model.

    A turn is an answer (``str``), a tool call or a list of parallel ones (:func:`call`), a ready
    ``AIMessage`` (its own ``usage_metadata`` is kept), an exception (raised), or a function from the messages
    to a turn. One model may be shared by many threads and graphs: the turns are handed out in the order of
    the calls.

    Tokens are words. Input is the words of all messages' texts (tools cost nothing); output is the words of
    the answer, and for a tool call those of its name and its JSON arguments. An output cap (``max_tokens`` or
    ``max_completion_tokens``) cuts the answer; a tool call that it cuts comes back as an invalid one.

    Args:
        turns: The script, one turn per model call.
        usage: Report ``usage_metadata``; ``False`` is a provider that reports none.
        latency: Seconds that each call takes before it answers or fails.
        name: The name of the model, as in ``response_metadata["model_name"]``.
        loop_last: Repeat the last turn for ever instead of failing when the script is over.
        ignore_max_tokens: Do not honour the output cap.

    Raises:
        ScriptExhaustedError: On a call beyond the last turn, unless ``loop_last``.

    Example:
        >>> from budgetkit.testing import call
        >>> model = ScriptedChatModel([call("search", query="jaws"), "Spielberg"])
        >>> [c["name"] for c in model.invoke("who made jaws?").tool_calls]
        ['search']
        >>> model.requests[0].messages[0].text
        'who made jaws?'
    """

    usage: bool = True
    latency: float = 0.0
    ignore_max_tokens: bool = False
    _script: Script = PrivateAttr()

    def __init__(
        self,
        turns: Sequence[Turn],
        *,
        usage: bool = True,
        latency: float = 0.0,
        name: str = "scripted",
        loop_last: bool = False,
        ignore_max_tokens: bool = False,
    ) -> None:
        settings: dict[str, Any] = {
            "usage": usage,
            "latency": latency,
            "ignore_max_tokens": ignore_max_tokens,
        }
        super().__init__(name=name, **settings)
        self._script = Script(name, turns, loop_last=loop_last)

    @property
    def requests(self) -> tuple[ScriptedRequest, ...]:
        """What was asked so far, one entry per call, failed ones among them."""
        return self._script.requests

    @property
    def model_name(self) -> str:
        """The name under which the calls are billed."""
        return str(self.name)

    @property
    def _llm_type(self) -> str:
        return "budgetkit-scripted"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self.model_name}

    def bind_tools(
        self,
        tools: Sequence[Any],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools as other chat models do; the script decides which are called."""
        if tool_choice is not None:
            kwargs["tool_choice"] = tool_choice
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - a whole reply has no tokens to tell
        **kwargs: Any,
    ) -> ChatResult:
        time.sleep(self.latency)
        return _result(self._reply(messages, stop, kwargs))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002 - as in the sync twin
        **kwargs: Any,
    ) -> ChatResult:
        await asyncio.sleep(self.latency)
        return _result(self._reply(messages, stop, kwargs))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        time.sleep(self.latency)
        for chunk in _chunks(self._reply(messages, stop, kwargs)):
            if run_manager:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        await asyncio.sleep(self.latency)
        for chunk in _chunks(self._reply(messages, stop, kwargs)):
            if run_manager:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    def _reply(self, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]) -> AIMessage:
        settings = {key: value for key, value in kwargs.items() if key != "tools"} | ({"stop": stop} if stop else {})
        request = ScriptedRequest(tuple(messages), tuple(kwargs.get("tools", ())), settings)
        number, turn = self._script.next(request)
        message = read_turn(turn, messages, f"{self.model_name}-{number + 1}")
        return self._billed(message, messages, None if self.ignore_max_tokens else request.max_tokens)

    def _billed(self, message: AIMessage, asked: Sequence[BaseMessage], cap: int | None) -> AIMessage:
        words = _output_words(message)
        finish = "tool_calls" if message.tool_calls else "stop"
        if cap is not None and words > cap:
            message, words, finish = _cut(message, cap), cap, "length"
        metadata = {"finish_reason": finish, "model_name": self.model_name, **message.response_metadata}
        usage = message.usage_metadata or _usage(asked, words)
        billed = {"response_metadata": metadata, "usage_metadata": usage if self.usage else None}
        return message.model_copy(update=billed)


def _output_words(message: AIMessage) -> int:
    calls = (f"{c['name']} {json.dumps(c['args'])}" for c in message.tool_calls)
    return sum(len(text.split()) for text in (message.text, *calls))


def _cut(message: AIMessage, cap: int) -> AIMessage:
    """Cut a message to ``cap`` words, as a server would: its tool calls break before they are complete."""
    reason = f"cut off by max_tokens={cap}"
    broken = [
        invalid_tool_call(name=c["name"], args=json.dumps(c["args"]), id=c["id"], error=reason)
        for c in message.tool_calls
    ]
    text = "".join(_words(message.text)[:cap])
    return message.model_copy(update={"content": text, "tool_calls": [], "invalid_tool_calls": broken})


def _words(text: str) -> list[str]:
    """Split into words that keep the space before them, so that joining them gives the text back."""
    return re.findall(r"\s*\S+", text)


def _usage(asked: Sequence[BaseMessage], output: int) -> UsageMetadata:
    read = sum(len(message.text.split()) for message in asked)
    return UsageMetadata(input_tokens=read, output_tokens=output, total_tokens=read + output)


def _result(message: AIMessage) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=message)])


def _chunks(message: AIMessage) -> Iterator[ChatGenerationChunk]:
    """Stream a message: word by word, then its tool calls, then an empty chunk with the usage."""
    for word in _words(message.text):
        yield ChatGenerationChunk(message=AIMessageChunk(content=word))
    calls = [(c["name"], json.dumps(c["args"]), c["id"]) for c in message.tool_calls]
    # Not the cut JSON itself: LangChain would repair that into a valid call when it adds the chunks up.
    broken = [(c["name"], c["error"], c["id"]) for c in message.invalid_tool_calls]
    for index, (name, args, call_id) in enumerate(calls + broken):
        piece = tool_call_chunk(name=name, args=args, id=call_id, index=index)
        yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[piece]))
    yield ChatGenerationChunk(
        message=AIMessageChunk(
            content="",
            usage_metadata=message.usage_metadata,
            response_metadata=message.response_metadata,
            chunk_position="last",
        )
    )
