"""What a chat model says of itself: its name, its provider, its own output cap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from langchain_core.language_models import BaseChatModel

__all__ = ["cap_of", "cap_settings", "most_output", "name_of", "provider_of"]

_PROVIDERS: Final = {
    "ChatAnthropic": "anthropic",
    "ChatGoogleGenerativeAI": "google",
    "ChatMistralAI": "mistral",
    "ChatGroq": "groq",
    "ChatDeepSeek": "deepseek",
    "ChatXAI": "x-ai",
}
_CAPS: Final = {"ChatGoogleGenerativeAI": "max_output_tokens", "ChatVertexAI": "max_output_tokens", "ChatOllama": "num_predict"}
_CAP_NAMES: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens", "num_predict")


def name_of(model: object) -> str:
    """The model's name, as its provider prices it; "unknown" if it does not say."""
    for attribute in ("model_name", "model", "model_id"):
        name = getattr(model, attribute, None)
        if isinstance(name, str) and name:
            return name
    return "unknown"


def provider_of(model: object) -> str | None:
    """The provider's id in the price table; None if unknown, or if the model is behind the user's own URL."""
    kind = type(model).__name__
    if kind in {"ChatOpenAI", "AzureChatOpenAI"}:
        return None if getattr(model, "openai_api_base", None) else "openai"
    return _PROVIDERS.get(kind)


def cap_of(model: object, settings: Mapping[str, Any]) -> int | None:
    """The output cap that the user set, on the call or on the model; None without one."""
    for name in _CAP_NAMES:
        for cap in (settings.get(name), getattr(model, name, None)):
            if isinstance(cap, int) and not isinstance(cap, bool) and cap > 0:
                return cap
    return None


def cap_settings(model: object, cap: int) -> dict[str, int]:
    """The setting that makes this model stop after ``cap`` output tokens."""
    return {_CAPS.get(type(model).__name__, "max_tokens"): cap}


def most_output(model: BaseChatModel) -> int | None:
    """The most output tokens that the model can write, if its profile says so."""
    profile: Mapping[str, Any] = getattr(model, "profile", None) or {}
    most = profile.get("max_output_tokens")
    return most if isinstance(most, int) and most > 0 else None
