"""Where a Redis or Valkey server is, from its URL."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

__all__ = ["Address"]

_SCHEMES: Final = {"valkey": "redis", "valkeys": "rediss"}
_OURS: Final = ("prefix", "timeout")


@dataclass(frozen=True, slots=True)
class Address:
    """A server, and what is ours on it.

    Attributes:
        url: as the driver understands it, the password included.
        shown: the same for messages, without it.
        prefix: what all our keys begin with.
        timeout: seconds that an operation may take.
    """

    url: str
    shown: str
    prefix: str
    timeout: float

    @classmethod
    def of(cls, url: str, prefix: str | None = None, timeout: float | None = None) -> Address:
        """The address that a URL means; what is given besides goes before what stands in it.

        Raises:
            ValueError: it is none, or its options mean nothing.
        """
        parts = urlsplit(url)
        scheme = _SCHEMES.get(parts.scheme, parts.scheme)
        if scheme not in {"redis", "rediss", "unix"}:
            raise ValueError(f"url={_shown(url)!r} must begin with redis://, rediss://, valkey:// or unix://")
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        ours = {name: options.pop(name) for name in _OURS if name in options}
        return cls(
            f"{scheme}://{parts.netloc}{parts.path}{'?' if options else ''}{urlencode(options)}",
            _shown(url),
            _checked_prefix(ours.get("prefix", "budgetkit") if prefix is None else prefix),
            _checked_timeout(ours.get("timeout", "5") if timeout is None else timeout),
        )


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _checked_prefix(prefix: str) -> str:
    if not prefix.isprintable() or not prefix or {*prefix} & {*"{}"}:
        raise ValueError(f"prefix={prefix!r} must be printable characters without braces, such as 'budgetkit'")
    return prefix


def _checked_timeout(timeout: float | str) -> float:
    try:
        seconds = float(timeout)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError(f"timeout={timeout!r} must be a finite number of seconds above 0")
    return seconds
