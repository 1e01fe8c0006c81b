"""What a peer adds to an agent, in one shape for all of them."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

MODEL = "gpt-4o-mini"
"""The model that the server plays: every peer ships a price for it."""

CALLS = 3
"""Every cap is worth this many model calls."""

UNKNOWN = Decimal("NaN")
"""What books say that do not know the dollars, and know that they do not."""

Run = Callable[["Guard"], str]
"""Drives one scenario; returns what the user got."""


@dataclass(frozen=True)
class Cap:
    """What the peer is asked to hold: a number of calls, or what these calls cost and a tenth more."""

    calls: int
    usd: Decimal


@dataclass(frozen=True)
class Guard:
    """A peer at work.

    Attributes:
        url: Where the server is.
        model: Makes the chat model; takes ``max_retries``, the retries inside the client.
        middleware: Makes what the peer puts into one agent.
        config: What it puts into a graph's config.
        recorded: Dollars on its books; None where it keeps none, `UNKNOWN` where they say that they do not know.
    """

    url: str
    model: Callable[..., Any]
    middleware: Callable[[], list[Any]] = list
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    recorded: Callable[[], Decimal | float | None] = lambda: None


@dataclass(frozen=True)
class Row:
    """One line of the table: a package at one setting.

    Attributes:
        package: Its name on the index; empty for no package at all.
        setting: How it was asked, as its documentation says.
        cap: What it can be asked to hold; None for nothing.
        guard: Opens it around one scenario.
        own: Scenarios that it drives by itself, because it is no LangChain library; the others are LangChain agents.
    """

    package: str
    setting: str
    cap: Literal["calls", "usd"] | None
    guard: Callable[[str, Cap], AbstractContextManager[Guard]]
    own: Mapping[str, Run] = field(default_factory=dict[str, Run])


def openai_model(url: str, **options: Any) -> Any:
    """Make LangChain's OpenAI model, set up to report usage of streams too."""
    from langchain_openai import ChatOpenAI  # noqa: PLC0415 - the table of contents needs no LangChain

    given: dict[str, Any] = {"base_url": url, "api_key": "EMPTY", "model": MODEL, "timeout": 20}
    given |= {"max_retries": 0, "stream_usage": True, **options}
    return ChatOpenAI(**given)
