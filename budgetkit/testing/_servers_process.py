"""A database server as a child process: started on data that lasts, stopped, killed, paused, and never left behind."""

import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self

PATIENCE = 120.0
"""Seconds that a server may take to start or to stop: a slow machine is not a broken one."""

_TAIL = 20  # lines; servers name the cause of a failure at the end
_WATCH = 'read _; kill -KILL "$0"; rm -rf "$1"'
"""Shell words of the watcher: its input ends when this process does, however it ends."""


class ServerError(RuntimeError):
    """A local server could not be started, or was asked for something that it cannot do now."""


def wheel(name: str) -> ModuleType:
    """Import what comes with the extra ``testing``.

    Raises:
        ImportError: If it is not installed, with the command that installs it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what an import warns of is not this test's concern
            return import_module(name)
    except ModuleNotFoundError as missing:
        raise ImportError(f"a local server needs {missing.name!r}: pip install 'budgetkit[testing]'") from missing


class LocalServer(ABC):
    """A server in a temporary folder, on one address for as long as this object lives.

    A context manager: starts on entry, on exit stops and deletes the data. In between it may be stopped, killed and
    started again as often as the test likes, with the same data and the same ``url``.
    """

    kind = "server"

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if self._folder is not None:
            raise ServerError(f"this {self.kind} server was entered before: make a new one")
        self._folder = Path(tempfile.mkdtemp(prefix=f"budgetkit-{self.kind}-"))
        try:
            self.start()
        except BaseException:
            self._clear_up()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clear_up()

    # -- what a user does -------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The address, the same after every restart.

        Raises:
            ServerError: If the server was never started.
        """
        return self._address()

    @property
    def running(self) -> bool:
        """Whether the server's process is there (a paused one is)."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server on its data and wait until it answers; a running one is left alone.

        Raises:
            ServerError: If it ends, or does not answer in time; with the end of its log.
        """
        if self.running:
            return
        self._prepare()
        deadline = time.monotonic() + PATIENCE
        while not self._launched(deadline):
            self._choose_address()

    def stop(self) -> None:
        """Stop the server politely, so that it writes everything down; one that is not running is left alone."""
        self._end(self.polite)

    def kill(self) -> None:
        """Kill the server, as ``kill -9`` does: nothing is written down, every connection breaks.

        Raises:
            ServerError: If it is not running.
        """
        self._check_running("kill")
        self._leave_alone()
        family = self._stopped_family()
        _send(family, signal.SIGKILL)
        self._child.wait()
        _wait(family, dead=True)  # until then they have the data in hand

    def pause(self) -> None:
        """Stop the server where it stands (``SIGSTOP``): connections stay, and nobody answers.

        Raises:
            ServerError: If it is not running.
        """
        self._check_running("pause")
        family = self._stopped_family()
        _send(family, signal.SIGSTOP)
        _wait(family)

    def resume(self) -> None:
        """Let a paused server go on.

        Raises:
            ServerError: If it is not running.
        """
        self._check_running("resume")
        _send(self._family(), signal.SIGCONT)

    # -- what a kind of server says of itself -----------------------------------------------------------------------

    polite = hasty = signal.SIGTERM
    """The signals that ask it to write everything down and end, and to end without."""

    @property
    def folder(self) -> Path:
        """Where the data and the log are."""
        if self._folder is None:
            raise ServerError(f"the {self.kind} server has no address yet: start it with `with server:`")
        return self._folder

    @abstractmethod
    def _address(self) -> str:
        """Where it is to be found."""

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """What to run."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether the process that was started, and not a stranger, takes requests now."""

    def _prepare(self) -> None:  # noqa: B027 - most have nothing to make
        """Make what must be there before the first start."""

    def _choose_address(self) -> None:
        """Choose another address if this one is taken, or say that none can be chosen."""
        raise ServerError(f"the {self.kind} server does not start:\n{self._log_tail()}")

    def _user(self) -> str | None:
        """The system's user that runs it; None: the same as here."""
        return None

    # -- the process ------------------------------------------------------------------------------------------------

    @property
    def _child(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ServerError(f"the {self.kind} server was never started")
        return self._process

    def _family(self) -> list[Any]:
        """The server's processes, the first one last: it watches over the others."""
        first = wheel("psutil").Process(self._child.pid)
        return [*first.children(recursive=True), first]

    def _stopped_family(self) -> list[Any]:
        """As `_family`, with the first one stopped, so that it makes no new ones meanwhile."""
        first = self._family()[-1:]
        _send(first, signal.SIGSTOP)
        _wait(first)
        return self._family()

    def _check_running(self, wish: str) -> None:
        if not self.running:
            raise ServerError(f"the {self.kind} server is not running, so there is nothing to {wish}: call start()")

    def _launched(self, deadline: float) -> bool:
        """Start the process; False if it ended before it answered."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the wheel's own binary
                self._command(), cwd=self.folder, user=self._user(), start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._watch()
        while self.running:
            if self._answers():
                return True
            if time.monotonic() > deadline:
                self.kill()
                raise ServerError(f"the {self.kind} server did not answer in {PATIENCE:g} s:\n{self._log_tail()}")
            time.sleep(0.01)
        self._leave_alone()
        return False

    def _watch(self) -> None:
        self._watcher = subprocess.Popen(  # noqa: S603 - our own words
            ["/bin/sh", "-c", _WATCH, str(self._child.pid), str(self.folder)],
            stdin=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def _leave_alone(self) -> None:
        """End the watcher before its server ends: the number of a process that is gone may become another's."""
        if self._watcher is not None:
            self._watcher.kill()
            self._watcher.communicate()
            self._watcher = None

    def _end(self, request: signal.Signals) -> None:
        if not self.running:
            return
        self.resume()
        self._leave_alone()
        self._child.send_signal(request)
        try:
            self._child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()

    def _clear_up(self) -> None:
        try:
            self._end(self.hasty)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _log_tail(self) -> str:
        with suppress(FileNotFoundError):
            return "\n".join((self.folder / "log").read_text(errors="replace").splitlines()[-_TAIL:])
        return ""


def _send(family: Sequence[Any], number: signal.Signals) -> None:
    for process in family:
        with suppress(wheel("psutil").NoSuchProcess):
            process.send_signal(number)


def _wait(family: Sequence[Any], *, dead: bool = False) -> None:
    """Until every process is stopped, or dead; one that nobody has asked for its exit status is dead, too."""
    psutil = wheel("psutil")
    wanted = {psutil.STATUS_ZOMBIE} if dead else {psutil.STATUS_ZOMBIE, psutil.STATUS_STOPPED}
    for process in family:
        with suppress(psutil.NoSuchProcess):
            while process.is_running() and process.status() not in wanted:
                time.sleep(0.001)
