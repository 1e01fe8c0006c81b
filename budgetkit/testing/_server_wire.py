"""What the mock server says: pure functions from a request's body to a reply, its tokens and its lines.

One token is one whitespace-separated word. A reply is a list of deltas of one token each, so that capping,
streaming and billing are all slices of one list.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Body: TypeAlias = Mapping[str, Any]
Delta: TypeAlias = dict[str, Any]
Reply: TypeAlias = str | Mapping[str, Any] | Callable[[Body], str | Mapping[str, Any]] | None

FIRST_ERROR_STATUS = 400
"""Where HTTP's errors begin."""

LAST_STATUS = 599
"""Where they end."""


@dataclass(frozen=True, kw_only=True)
class Switches:
    """How the server misbehaves; the fields are documented on the server."""

    usage: bool = True
    usage_every_chunk: bool = False
    ignore_max_tokens: bool = False
    ignore_tool_choice: bool = False
    disconnect_after: int | None = None
    latency: float = 0.0
    chunk_latency: float = 0.0
    fail_times: int = 0
    fail_status: int = 500
    cached_tokens: int = 0
    lie_usage: float = 1

    def __post_init__(self) -> None:
        """Refuse what no server does."""
        for name, value in vars(self).items():
            if value is not None and value < 0:
                raise ValueError(f"{name}={value!r} must be >= 0")
        if not FIRST_ERROR_STATUS <= self.fail_status <= LAST_STATUS:
            raise ValueError(f"fail_status={self.fail_status!r} is not an HTTP error: use 400 to 599")


@dataclass(frozen=True)
class Choice:
    """One of the ``n`` choices: its deltas, one token each, and why it ended."""

    deltas: tuple[Delta, ...]
    finish_reason: str

    @property
    def message(self) -> dict[str, Any]:
        """The choice as one message."""
        text = "".join(delta.get("content", "") for delta in self.deltas)
        calls = _merged_calls(self.deltas)
        message = {"role": "assistant", "content": text or (None if calls else "")}
        return message | ({"tool_calls": calls} if calls else {})


def count_prompt(body: Body) -> int:
    """Count the tokens of a request: messages (texts and tool calls) and tool schemas."""
    texts = [_text(message.get("content")) for message in body.get("messages", ())]
    calls = [_call_text(c) for message in body.get("messages", ()) for c in message.get("tool_calls") or ()]
    tools = [json.dumps(tool) for tool in body.get("tools") or ()]
    return sum(count_words(text) for text in (*texts, *calls, *tools))


def count_words(text: str) -> int:
    """Count the tokens of a text."""
    return len(text.split())


def make_choices(body: Body, reply: Reply, switches: Switches) -> list[Choice]:
    """Work out the ``n`` choices that answer a request."""
    said = reply(body) if callable(reply) else reply
    message = _echo(body) if said is None else {"content": said} if isinstance(said, str) else said
    if not switches.ignore_tool_choice:
        message = _obey_tool_choice(body, message)
    cap = None if switches.ignore_max_tokens else body.get("max_completion_tokens", body.get("max_tokens"))
    return [_choice(message, cap)] * (body.get("n") or 1)


def usage_block(prompt: int, completion: int, switches: Switches) -> dict[str, Any]:
    """Write the usage that the server reports, which ``lie_usage`` may bend."""
    told_prompt, told_completion = (int(count * switches.lie_usage) for count in (prompt, completion))
    usage: dict[str, Any] = {
        "prompt_tokens": told_prompt,
        "completion_tokens": told_completion,
        "total_tokens": told_prompt + told_completion,
    }
    if switches.cached_tokens:
        usage["prompt_tokens_details"] = {"cached_tokens": min(switches.cached_tokens, told_prompt)}
    return usage


def completion(head: Body, choices: Sequence[Choice], usage: Body | None) -> dict[str, Any]:
    """Write the body of a reply that is not streamed."""
    listed = [
        {"index": i, "message": choice.message, "finish_reason": choice.finish_reason}
        for i, choice in enumerate(choices)
    ]
    return {**head, "object": "chat.completion", "choices": listed} | ({"usage": usage} if usage else {})


def stream_deltas(choices: Sequence[Choice]) -> Iterator[tuple[int, Delta, str | None]]:
    """Walk over the deltas of all choices: index, delta, finish reason (on a choice's last, empty one)."""
    for index, choice in enumerate(choices):
        for number, delta in enumerate(choice.deltas):
            yield index, ({"role": "assistant"} if number == 0 else {}) | delta, None
        yield index, {}, choice.finish_reason


def chunk(head: Body, choices: Sequence[tuple[int, Delta, str | None]], usage: Body | None) -> dict[str, Any]:
    """Write one chunk of a stream; the usage chunk at its end has no choices."""
    listed = [{"index": i, "delta": delta, "finish_reason": finish} for i, delta, finish in choices]
    return {**head, "object": "chat.completion.chunk", "choices": listed} | ({"usage": usage} if usage else {})


def metrics_page(model: str, counts: Mapping[str, tuple[str, int]]) -> str:
    """Write counters and gauges (name to kind and value) in the text format that Prometheus reads."""
    lines = (
        f"# TYPE vllm:{name} {kind}\nvllm:{name}{'_total' * (kind == 'counter')}"
        f'{{engine="0",model_name="{model}"}} {float(value)}\n'
        for name, (kind, value) in counts.items()
    )
    return "".join(lines)


def _choice(message: Mapping[str, Any], cap: int | None) -> Choice:
    deltas = (*_text_deltas(message), *_call_deltas(message))
    if cap is not None and len(deltas) > cap:
        return Choice(deltas[:cap], "length")
    return Choice(deltas, "tool_calls" if message.get("tool_calls") else "stop")


def _text_deltas(message: Mapping[str, Any]) -> Iterator[Delta]:
    for word in _words(_text(message.get("content"))):
        yield {"content": word}


def _call_deltas(message: Mapping[str, Any]) -> Iterator[Delta]:
    for index, tool_call in enumerate(message.get("tool_calls") or ()):
        function = tool_call["function"]
        opening = {"name": function["name"], "arguments": ""}
        call_id = tool_call.get("id", f"call_{index}")
        yield {"tool_calls": [{"index": index, "id": call_id, "type": "function", "function": opening}]}
        for word in _words(function["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": word}}]}


def _merged_calls(deltas: Sequence[Delta]) -> list[dict[str, Any]]:
    merged: dict[int, dict[str, Any]] = {}
    for piece in (piece for delta in deltas for piece in delta.get("tool_calls", ())):
        if "id" in piece:
            merged[piece["index"]] = {**piece, "function": dict(piece["function"])}
        else:
            merged[piece["index"]]["function"]["arguments"] += piece["function"]["arguments"]
    return [{key: value for key, value in call.items() if key != "index"} for call in merged.values()]


def _echo(body: Body) -> dict[str, Any]:
    return {"content": _text(body["messages"][-1].get("content"))}


def _obey_tool_choice(body: Body, message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Drop tool calls that were not allowed, and make the one that was demanded."""
    tools, demanded = body.get("tools"), body.get("tool_choice", "auto")
    if not tools or demanded == "none":
        return {"content": message.get("content") or _echo(body)["content"]}
    if demanded == "auto" or message.get("tool_calls"):
        return message
    named = tools[0]["function"]["name"] if demanded == "required" else demanded["function"]["name"]
    return _forced_call(tools, named, _text(message.get("content")))


def _forced_call(tools: Sequence[Body], name: str, text: str) -> dict[str, Any]:
    """Call a function with the text as its first argument; further arguments are not filled."""
    schemas = {tool["function"]["name"]: tool["function"].get("parameters", {}) for tool in tools}
    first = next(iter(schemas[name].get("properties", {})), None)
    arguments = json.dumps({first: text} if first else {})
    return {"content": None, "tool_calls": [{"function": {"name": name, "arguments": arguments}}]}


def _call_text(tool_call: Body) -> str:
    return f"{tool_call['function']['name']} {tool_call['function']['arguments']}"


def _text(content: Any) -> str:
    """Read a message's content: a text, or a list of parts of which the texts count."""
    if isinstance(content, str) or not content:
        return content or ""
    parts: Sequence[Mapping[str, Any]] = content
    return " ".join(str(part.get("text", "")) for part in parts)


def _words(text: str) -> list[str]:
    """Split into words that keep the space before them, so that joining them gives the text back."""
    return re.findall(r"\s*\S+", text)
