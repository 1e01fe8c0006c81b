"""`chat_model`: a chat model by one word: the built-in one, a server by URL, or any provider."""

from __future__ import annotations

from typing import Any, Final, cast

import httpx
from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI

from ._offline import OfflineChatModel

__all__ = ["ModelError", "chat_model"]

_TIMEOUT: Final = 5.0


class ModelError(ValueError):
    """A model that cannot be had: the message names what was asked for and what to do."""


def chat_model(spec: str, **options: Any) -> BaseChatModel:
    """The chat model that ``spec`` names.

    Args:
        spec: ``"offline"`` (the built-in model that reads words, no key), ``"http://host:8000/v1"`` (a server such as
            vLLM; its first model, or the one after ``#``), or ``"provider:model"`` as LangChain writes it.
        options: handed to the model: ``temperature``, ``max_tokens`` ...

    Raises:
        ModelError: the server does not answer, or has no such model, or the provider's package is missing.
    """
    if spec == "offline":
        return OfflineChatModel(**options)
    if spec.startswith(("http://", "https://")):
        url, _, name = spec.partition("#")
        return served_model(url, name or _first_model(url), **options)
    try:
        return cast("BaseChatModel", init_chat_model(spec, **options))  # configurable only if asked to be
    except (ImportError, ValueError) as problem:
        raise ModelError(f"model {spec!r} cannot be had: {problem}") from problem


def served_model(url: str, name: str, **options: Any) -> ChatOpenAI:
    """A model behind an OpenAI-compatible URL, asked in the way that reports its usage, streaming or not."""
    settings: dict[str, Any] = {
        "api_key": "EMPTY",
        "stream_usage": True,
        "use_responses_api": False,
        # langchain-openai keeps one pool of connections per URL for all event loops; an open one outlives its loop
        "default_headers": {"Connection": "close"},
        **options,
    }
    return ChatOpenAI(model=name, base_url=url, **settings)


def _first_model(url: str) -> str:
    try:
        reply = httpx.get(f"{url.rstrip('/')}/models", timeout=_TIMEOUT)
        reply.raise_for_status()
        return str(reply.json()["data"][0]["id"])
    except (httpx.HTTPError, httpx.InvalidURL) as problem:
        raise ModelError(
            f"model {url!r} does not answer ({problem or type(problem).__name__}): start it (budgetkit serve) or check "
            "the URL, which ends in /v1"
        ) from problem
    except (KeyError, IndexError, ValueError) as problem:
        raise ModelError(
            f"model {url!r} lists no models: is it an OpenAI-compatible URL that ends in /v1?"
        ) from problem
