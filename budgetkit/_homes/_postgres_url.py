"""Which PostgreSQL server, and which schema of it: what a URL says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, final
from urllib.parse import parse_qsl, urlencode, urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

__all__ = ["TIMEOUT", "Place", "place_of"]

TIMEOUT: Final = 5.0
"""Seconds that an operation may take."""
POOL_SIZE: Final = 16
"""Connections of a process (of an event loop): more only wait for one another on the server."""
_BY_INDEX: Final = "-c enable_seqscan=off -c enable_bitmapscan=off -c plan_cache_mode=force_generic_plan"


@final
@dataclass(frozen=True, slots=True)
class Place:
    """A schema on a server.

    Attributes:
        server: how to connect, without our own options.
        schema: where the books are.
        timeout: seconds that an operation may take.
        pool_size: connections at the same time.
    """

    server: dict[str, Any] = field(repr=False)
    schema: str = "budgetkit"
    timeout: float = TIMEOUT
    pool_size: int = POOL_SIZE

    def __post_init__(self) -> None:
        if not 0 < self.timeout <= 3600:  # noqa: PLR2004 - the server takes milliseconds in 31 bits
            raise ValueError(f"timeout={self.timeout!r} must be a number of seconds above 0 and up to 3600")
        if self.pool_size < 1:
            raise ValueError(f"pool_size={self.pool_size!r} must be 1 or more")
        if not self.schema or "\0" in self.schema:
            raise ValueError(f"schema={self.schema!r} must name a schema")

    def __str__(self) -> str:
        """For messages: never with the password."""
        host, port = self.server.get("host", "localhost"), self.server.get("port", "5432")
        return f"PostgreSQL at {host}:{port}, database {self.server.get('dbname', '')!r}, schema {self.schema!r}"

    @property
    def settings(self) -> dict[str, Any]:
        """What every connection is opened with.

        A plan that was made when the tables were small is used again when they are large: it must go by the index.
        """
        limit = round(self.timeout * 1000)
        options = f"-c statement_timeout={limit} -c lock_timeout={limit} -c jit=off {_BY_INDEX}"
        return {**self.server, "options": f"{self.server.get('options', '')} {options}".strip()}


def place_of(url: str) -> Place:
    """The place that a URL names: ``postgresql://user:password@host/db?schema=…&timeout=…&pool_size=…``.

    Raises:
        ValueError: it is not such a URL; the message does not repeat it, as it may hold a password.
    """
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    ours = {name: value for name, value in query if name in _OURS}
    theirs = urlencode([(name, value) for name, value in query if name not in _OURS])
    try:
        server = conninfo_to_dict(parts._replace(query=theirs).geturl())
    except ProgrammingError:
        raise ValueError("url= is no PostgreSQL URL: write postgresql://user:password@host:5432/database") from None
    return Place(server, **{name: _read(name, value) for name, value in ours.items()})


_OURS: Final[dict[str, type[str | float | int]]] = {"schema": str, "timeout": float, "pool_size": int}


def _read(name: str, value: str) -> Any:
    try:
        return _OURS[name](value)
    except ValueError:
        raise ValueError(f"{name}={value!r} in the url must be a number") from None
