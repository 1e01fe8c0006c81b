"""From a URL to the ledger that lives there."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from .._ledger import Ledger

__all__ = ["ledger_from_url"]


def ledger_from_url(url: str) -> Ledger:
    """See `Ledger.from_url`."""
    scheme = urlsplit(url).scheme
    if scheme == "memory":
        from .._memory_ledger import MemoryLedger  # noqa: PLC0415 - homes are loaded when they are asked for

        return MemoryLedger()
    if scheme == "sqlite":
        from ._sqlite import SqliteLedger  # noqa: PLC0415 - as above

        return SqliteLedger.from_url(url)
    if scheme in {"postgresql", "postgres"}:
        from ._postgres import PostgresLedger  # noqa: PLC0415 - as above; needs a driver

        return PostgresLedger.from_url(url)
    if scheme in {"redis", "rediss", "valkey", "valkeys", "unix"}:
        from ._redis import RedisLedger  # noqa: PLC0415 - as above; needs a driver

        return RedisLedger.from_url(url)
    raise ValueError(
        f"url={url!r} names no home of the books: write memory://, sqlite:///file.db, postgresql://… or redis://…"
    )
