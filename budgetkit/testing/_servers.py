"""The servers that tests run against: one that is there, or one that is started for the purpose."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn, Protocol

from ._servers_postgres import PostgresServer
from ._servers_process import ServerError
from ._servers_redis import RedisServer


class Server(Protocol):
    """A database server that a test can reach and, if it is the test's own, disturb."""

    @property
    def url(self) -> str:
        """The address."""
        ...

    def start(self) -> None:
        """Start it on the data that it had."""

    def stop(self) -> None:
        """Stop it politely."""

    def kill(self) -> None:
        """Kill it, as ``kill -9`` does."""

    def pause(self) -> None:
        """Make it hang."""

    def resume(self) -> None:
        """Let it go on."""


class ServerThatIsThere(Server):
    """A server that somebody else runs, and that tests must not disturb."""

    def __init__(self, url: str, variable: str) -> None:
        self._url, self._variable = url, variable

    @property
    def url(self) -> str:
        """The address, as it was given."""
        return self._url

    def start(self) -> None:
        """See `Server`; refused."""
        self._refuse("start")

    def stop(self) -> None:
        """See `Server`; refused."""
        self._refuse("stop")

    def kill(self) -> None:
        """See `Server`; refused."""
        self._refuse("kill")

    def pause(self) -> None:
        """See `Server`; refused."""
        self._refuse("pause")

    def resume(self) -> None:
        """See `Server`; refused."""
        self._refuse("resume")

    def _refuse(self, wish: str) -> NoReturn:
        raise ServerError(
            f"the server that {self._variable} names is not ours to {wish}: unset {self._variable}, and the tests "
            "start one of their own"
        )


@contextmanager
def postgres_server() -> Generator[Server]:
    """The PostgreSQL server that ``BUDGETKIT_TEST_POSTGRES`` (a ``postgresql://`` URL) names, else a new one."""
    if url := os.environ.get("BUDGETKIT_TEST_POSTGRES"):
        yield ServerThatIsThere(url, "BUDGETKIT_TEST_POSTGRES")
        return
    with PostgresServer() as server:
        yield server


@contextmanager
def redis_server() -> Generator[Server]:
    """The Redis server that ``BUDGETKIT_TEST_REDIS`` (a ``redis://`` URL) names, else a new one that loses nothing."""
    if url := os.environ.get("BUDGETKIT_TEST_REDIS"):
        yield ServerThatIsThere(url, "BUDGETKIT_TEST_REDIS")
        return
    with RedisServer() as server:
        yield server
