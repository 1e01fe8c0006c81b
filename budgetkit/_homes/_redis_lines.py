"""Lines to the server for threads: connections that are taken, spoken on, and put back."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, BusyLoadingError, ResponseError
from redis.retry import Retry

if TYPE_CHECKING:
    from ._redis_address import Address
    from ._redis_talk import Command

__all__ = ["ANSWERED", "Lines", "packed"]

_MOST: Final = 64
"""Lines of one process; more threads than that wait for one."""
ANSWERED: Final = (BusyLoadingError, AuthenticationError)
"""Errors of a connection that was not lost: the server was there, and said no."""


class Lines:
    """The lines of the threads of one process; after a fork, the child has its own."""

    def __init__(self, address: Address) -> None:
        """None yet: a line is opened when it is first needed."""
        self._timeout = address.timeout
        pools: Any = redis.ConnectionPool  # the driver leaves out half of its types
        self._pool = pools.from_url(
            address.url,
            socket_timeout=address.timeout,
            socket_connect_timeout=address.timeout,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        self._idle: dict[int, list[Any]] = {}
        self._free = threading.BoundedSemaphore(_MOST)

    def ask(self, command: Command) -> Any:
        """Send a command and wait for its answer; asked once more where the connection was lost.

        Raises:
            RedisError, OSError: no answer in time, no line, or the answer is an error.
        """
        if not self._free.acquire(timeout=self._timeout):
            raise redis.TimeoutError("every connection is busy")
        try:
            idle = self._idle.setdefault(os.getpid(), [])
            line = idle.pop() if idle else self._pool.make_connection()
            try:
                return _ask_again(line, command, self._timeout)
            finally:
                idle.append(line)
        finally:
            self._free.release()

    def close(self) -> None:
        """Close the lines that nobody speaks on."""
        idle = self._idle.get(os.getpid(), [])
        while idle:
            idle.pop().disconnect()


def _ask_again(line: Any, command: Command, timeout: float) -> Any:
    began = time.monotonic()
    try:
        return _ask(line, command)
    except ANSWERED:
        raise
    except redis.ConnectionError:
        return _ask(line, command, timeout=max(0.001, began + timeout - time.monotonic()))


def _ask(line: Any, command: Command, **wait: float) -> Any:
    try:
        if not line.is_connected:
            line.connect()
        line.send_packed_command([packed(command)], check_health=False)
        return line.read_response(**wait)
    except ResponseError:
        raise
    except BaseException:  # what was asked may still be answered: nobody else may read that
        line.disconnect()
        raise


def packed(command: Command) -> bytes:
    """A command as it is sent; the driver's own way to say it takes several times as long."""
    words = [str(word).encode() for word in command]
    return b"*%d\r\n" % len(words) + b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words])
