"""A server as an operating-system process that never outlives its owner."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

__all__ = ["ServerProcess"]

GUARD = Path(__file__).with_name("_vllm_guard.py")
GRACE = 15.0  # seconds from SIGTERM to SIGKILL
TAIL = 25  # lines; vLLM repeats the cause of a failure near the end of a long traceback


class ServerProcess:
    """A command in a process group of its own, with its output in a log file.

    The group is killed when this object is stopped, and also when this process dies in a way that leaves no time
    to stop anything.

    Args:
        command: What to run.
        environment: Its whole environment.
        log_path: File for its output, kept; None takes a temporary file, removed by `stop` unless it is to
            be kept.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log_path: Path | None = None) -> None:
        self._temporary = log_path is None
        self.log_path = log_path or _temporary_log()
        with self.log_path.open("wb") as log:
            self._guard = subprocess.Popen(  # noqa: S603 - the user's own server
                [sys.executable, str(GUARD), str(GRACE), *command],
                env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    @property
    def alive(self) -> bool:
        """Whether the server runs."""
        return self._guard.poll() is None

    def log_tail(self) -> str:
        """The last lines that the server wrote."""
        return "\n".join(self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:])

    def wait(self) -> None:
        """Wait until the server ends by itself."""
        self._guard.wait()

    def stop(self, *, keep_log: bool = False) -> None:
        """End the whole process group, politely first. Returns when it is gone; may be called again."""
        try:
            self._close_pipe()
            with suppress(subprocess.TimeoutExpired):
                self._guard.wait(2 * GRACE)
        finally:
            self._kill()
            if self._temporary and not keep_log:
                self.log_path.unlink(missing_ok=True)

    def _close_pipe(self) -> None:
        if self._guard.stdin is not None:
            self._guard.stdin.close()

    def _kill(self) -> None:
        if self.alive:
            os.killpg(self._guard.pid, signal.SIGKILL)
            self._guard.wait()


def _temporary_log() -> Path:
    handle, name = tempfile.mkstemp(prefix="vllm-", suffix=".log")
    os.close(handle)
    return Path(name)
