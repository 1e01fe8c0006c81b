"""Counting a prompt before it is sent: what every counter shares, and the estimate that needs nothing."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from string import ascii_lowercase
from typing import Any, Literal, NamedTuple, Protocol, cast

__all__ = ["EstimateCounter", "TokenCount", "TokenCounter"]

Message = Mapping[str, Any]
"""An OpenAI-style message: `role`, `content` (text or blocks), `tool_calls`, `tool_call_id`, `name`."""

TEXTS_KEPT = 4096  # agents count a growing history again on every step
TOKENS_PER_MEDIA_BLOCK = 1600  # a full-size picture at the providers that publish a number


@dataclass(frozen=True, slots=True)
class TokenCount:
    """How long a prompt is.

    Attributes:
        tokens: The number of tokens.
        source: How it is known: "exact" from the server's own tokenizer and template, "encoding" from a tokenizer
            on this machine, "estimate" from the characters alone.
    """

    tokens: int
    source: Literal["exact", "encoding", "estimate"]


class TokenCounter(Protocol):
    """Says how many tokens a prompt has before it is sent."""

    def count(
        self, messages: Sequence[Message], *, tools: Sequence[Mapping[str, Any]] = (), model: str | None = None
    ) -> TokenCount:
        """Count OpenAI-style messages and tool definitions as one prompt for `model`."""
        ...

    async def acount(
        self, messages: Sequence[Message], *, tools: Sequence[Mapping[str, Any]] = (), model: str | None = None
    ) -> TokenCount:
        """Do what `count` does, without blocking the event loop."""
        ...


class Overhead(NamedTuple):
    """Tokens that a chat template adds around the texts."""

    request: int
    message: int
    tool: int
    toolbox: int


OPENAI = Overhead(request=3, message=4, tool=8, toolbox=16)
GENEROUS = Overhead(request=32, message=8, tool=16, toolbox=128)  # templates with a system prompt of their own
CLAUDE = GENEROUS._replace(toolbox=350)  # the published length of the hidden prompt for tools


class EstimateCounter:
    """Estimates from the characters alone; leans upwards, so that a reservation holds.

    English prose comes out at 1.0 to 1.5 times what `cl100k_base` counts; code, JSON and digits higher, and
    whatever is not ASCII at one token per byte, which no byte-level tokenizer exceeds. What a chat template adds
    is counted generously. A block that is no text, such as a picture, counts as 1600 tokens.

    Example:
        >>> EstimateCounter().count([{"role": "user", "content": "Who wrote Middlemarch?"}]).source
        'estimate'
    """

    def count(
        self, messages: Sequence[Message], *, tools: Sequence[Mapping[str, Any]] = (), model: str | None = None
    ) -> TokenCount:
        """Estimate OpenAI-style messages and tool definitions as one prompt for `model`."""
        tokens = prompt_tokens(estimate_text, overhead_of(model), messages, tools)
        return TokenCount(tokens, "estimate")

    async def acount(
        self, messages: Sequence[Message], *, tools: Sequence[Mapping[str, Any]] = (), model: str | None = None
    ) -> TokenCount:
        """Do what `count` does; it never waits for anything."""
        return self.count(messages, tools=tools, model=model)


def overhead_of(model: str | None) -> Overhead:
    """What to add for a model whose template is not known for sure."""
    return CLAUDE if model and "claude" in model.lower() else GENEROUS


def prompt_tokens(
    text_tokens: Callable[[str], int],
    overhead: Overhead,
    messages: Sequence[Message],
    tools: Sequence[Mapping[str, Any]],
) -> int:
    """The length of a prompt whose texts are counted by `text_tokens`."""
    tokens = overhead.request + overhead.message * len(messages)
    for message in messages:
        for piece in _pieces(message):
            tokens += TOKENS_PER_MEDIA_BLOCK if piece is None else text_tokens(piece)
    if tools:
        tokens += overhead.toolbox + overhead.tool * len(tools)
    return tokens + sum(text_tokens(as_json(tool)) for tool in tools)


def _pieces(message: Message) -> Iterator[str | None]:
    """The texts of a message, and `None` for every block that is no text."""
    for key in ("name", "tool_call_id"):
        if message.get(key):
            yield str(message[key])
    for call in message.get("tool_calls") or ():
        yield as_json(call)
    yield from _content(message.get("content"))


def _content(content: object) -> Iterator[str | None]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, Mapping):
        yield from _block(cast("Mapping[str, Any]", content))
    elif isinstance(content, Sequence):
        for block in cast("Sequence[object]", content):
            yield from _content(block)


def _block(block: Mapping[str, Any]) -> Iterator[str | None]:
    if isinstance(block.get("text"), str):
        yield block["text"]
    elif isinstance(block.get("content"), list):
        yield from _content(block["content"])
    elif block.get("type") in _TEXTUAL_BLOCKS:
        yield as_json(block)
    else:
        yield None


_TEXTUAL_BLOCKS = frozenset({"tool_use", "tool_call", "tool_result", "thinking", "reasoning", "refusal"})


def as_json(value: object) -> str:
    """A value as JSON; what JSON has no form for goes in as a dictionary or else as text."""
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: object) -> object:
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else str(value)


_RUN = re.compile(
    r"(?P<word>[A-Za-z]+)|(?P<digits>[0-9]+)|(?P<gap> (?=[!-~]))|(?P<space> +|\n+)|(?P<other>[^A-Za-z0-9 \n]+)"
)

# For each first letter its second letters: the 300 most frequent pairs of English, 98 % of all that occur.
_SECOND_LETTERS = (
    "bcdefghijklmnprstuvwyz abeilorsuy acehiklorstuy adegilorsuy abcdefgiklmnoprstuvwxy aefilortu aehilnorsu "
    "aeinortuy abcdefgiklmnoprstvxz aeou aeinos abdefilmostuvy abeimopsuy acdefgiklmnostuvy "
    "abcdefghiklmnoprstuvwxy aehiloprstu u abcdefgiklmnoprstuvy acehiklmopstuwy abcehilorstuwy "
    "abcdegiklmnprst aeio aehinors ipt aelnos aei"
)
_FREQUENT_PAIRS = frozenset(
    first + second
    for first, seconds in zip(ascii_lowercase, _SECOND_LETTERS.split(), strict=True)
    for second in seconds
)


@lru_cache(maxsize=TEXTS_KEPT)
def estimate_text(text: str) -> int:
    """The estimated tokens of a text by itself."""
    tokens = 0
    for run in _RUN.finditer(text):
        kind, characters = run.lastgroup, run[0]
        if kind == "word":
            tokens += _word_tokens(characters)
        elif kind == "digits":
            tokens += max(2, len(characters))  # many tokenizers take every digit by itself
        elif kind == "space":
            tokens += 1 + len(characters) // 16
        elif kind == "other":
            tokens += len(characters.encode("utf-8", "surrogatepass"))
    return tokens


@lru_cache(maxsize=TEXTS_KEPT)
def _word_tokens(word: str) -> int:
    """A word in five letters or so, but what does not look like English in ever shorter pieces."""
    lower = word.lower()
    odd = sum(
        pair not in _FREQUENT_PAIRS or (word[at].islower() and word[at + 1].isupper())
        for at, pair in enumerate(map("".join, pairwise(lower)))
    )
    if word[1:] != lower[1:]:
        odd = max(odd, len(word) // 2)
    return max(1 + len(word) // 5, min(len(word), 1 + 2 * odd))
