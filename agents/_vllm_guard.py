"""Run a command that must not outlive the process that asked for it.

Run as a script, ``PYTHON _vllm_guard.py GRACE COMMAND...``, as the leader of a process group of its own, with a
pipe as standard input. When the pipe closes, by intent or because its owner was killed, the group gets SIGTERM
and, at the latest ``GRACE`` seconds later, SIGKILL. It imports nothing of budgetkit, so that it starts at once.
"""

import os
import signal
import subprocess
import sys
import threading
from types import FrameType


def guard(grace: float, command: list[str]) -> None:
    """Run ``command`` until it ends or standard input closes, then kill the whole process group."""
    # A handler, not SIG_IGN: the command would inherit an ignored signal.
    signal.signal(signal.SIGTERM, _ignore)
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - the caller's own command
    threading.Thread(target=_stop_at_end_of_input, args=(server, grace), daemon=True).start()
    status = server.wait()
    sys.stderr.write(f"the server exited with status {status}\n")
    sys.stderr.flush()
    os.killpg(0, signal.SIGKILL)


def _ignore(_signal: int, _frame: FrameType | None) -> None:
    pass


def _stop_at_end_of_input(server: "subprocess.Popen[bytes]", grace: float) -> None:
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGTERM)
    try:
        server.wait(grace)
    except subprocess.TimeoutExpired:
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    guard(float(sys.argv[1]), sys.argv[2:])
