"""What a chat model says of itself: its name, its provider, its own output cap."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any, Final, TypeGuard

from langchain_core.language_models import BaseChatModel

__all__ = ["cap_of", "cap_settings", "choices_of", "most_output", "name_of", "provider_of", "run_model"]

_PROVIDERS: Final = {
    "ChatOpenAI": "openai",
    "AzureChatOpenAI": "azure",
    "ChatAnthropic": "anthropic",
    "ChatGoogleGenerativeAI": "google",
    "ChatMistralAI": "mistral",
    "ChatGroq": "groq",
    "ChatDeepSeek": "deepseek",
    "ChatXAI": "x-ai",
}
"""The provider's id in the price table, by the class of the model."""

_CAPS: Final = {
    "ChatGoogleGenerativeAI": "max_output_tokens",
    "ChatVertexAI": "max_output_tokens",
    "ChatOllama": "num_predict",
}
_OWN_URL: Final = "openai_api_base"
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
    return _provider(type(model).__name__, own_url=bool(_set_on(model, _OWN_URL)))


def run_model(serialized: Mapping[str, Any] | None, metadata: Mapping[str, Any] | None) -> tuple[str, str | None]:
    """Name and provider of the model of a run, as `name_of` and `provider_of` tell them of the model itself."""
    known = serialized or {}
    kind = str((known.get("id") or [""])[-1])
    name = (metadata or {}).get("ls_model_name")
    settings: Mapping[str, Any] = known.get("kwargs") or {}
    return name if isinstance(name, str) and name else "unknown", _provider(kind, own_url=bool(settings.get(_OWN_URL)))


def _provider(kind: str, *, own_url: bool) -> str | None:
    return None if own_url else _PROVIDERS.get(kind)


def cap_of(model: object, settings: Mapping[str, Any]) -> int | None:
    """The output cap that the user set, on the call or else on the model; None without one."""
    on_call = (settings.get(name) for name in _CAP_NAMES)
    on_model = (_set_on(model, name) for name in _CAP_NAMES)
    return next((cap for cap in chain(on_call, on_model) if _is_cap(cap)), None)


def _set_on(model: object, name: str) -> object:
    """A setting of the model, None without one; to ask a model for an attribute that it lacks takes much longer."""
    return vars(model).get(name)


def _is_cap(cap: object) -> TypeGuard[int]:
    return isinstance(cap, int) and not isinstance(cap, bool) and cap > 0


def choices_of(model: object, settings: Mapping[str, Any]) -> int:
    """How many answers one call asks for; the output cap holds for each of them."""
    for many in (settings.get("n"), _set_on(model, "n")):
        if isinstance(many, int) and many > 0:
            return many
    return 1


def cap_settings(model: object, cap: int) -> dict[str, int]:
    """The setting that makes this model stop after ``cap`` output tokens."""
    return {_CAPS.get(type(model).__name__, "max_tokens"): cap}


def most_output(model: BaseChatModel) -> int | None:
    """The most output tokens that the model can write, if its profile says so."""
    profile: Mapping[str, Any] = getattr(model, "profile", None) or {}
    most = profile.get("max_output_tokens")
    return most if isinstance(most, int) and most > 0 else None
