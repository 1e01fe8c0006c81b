"""Threads that make the calls whose time is limited, so that nobody waits for a call past its time."""

from __future__ import annotations

from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import TIMEOUT_MAX, Lock, Thread
from typing import TYPE_CHECKING, Any, Final, final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Hands", "OutOfTime"]

_IDLE_SECONDS: Final = 5.0
"""A thread that had nothing to do for so long ends."""


class OutOfTime(Exception):  # noqa: N818 - control flow, caught by the wrapper that set the time
    """The call did not come back before its ``seconds`` ran out."""


@final
class Hands:
    """Threads that are used again: to start one for every call costs more than all that a budget does for the call."""

    def __init__(self) -> None:
        self._idle: list[_Hand] = []

    def do(self, seconds: float, send: Callable[[], Any]) -> Any:
        """What ``send`` returns or raises, in the caller's context; a thread that is late is left to end by itself.

        Raises:
            OutOfTime: it did not come back within ``seconds``.
        """
        hand, job = self._take(), _Job(send)
        in_time = False
        try:
            hand.jobs.put(job)
            in_time = job.done.acquire(timeout=min(max(0, seconds), TIMEOUT_MAX))
        finally:  # the wait may be interrupted, too
            if in_time:
                self._idle.append(hand)
            else:
                hand.jobs.put(None)
        if not in_time:
            raise OutOfTime
        return job.outcome()

    def _take(self) -> _Hand:
        while self._idle:
            try:
                hand = self._idle.pop()
            except IndexError:  # another caller was faster
                break
            if hand.thread.is_alive():  # it is not in a process that was forked off
                return hand
        return _Hand(self._idle)


@final
class _Job:
    """One call, and what came of it."""

    __slots__ = ("_context", "_error", "_result", "_send", "done")

    def __init__(self, send: Callable[[], Any]) -> None:
        self._context = copy_context()
        self._send = send
        self._result: Any = None
        self._error: BaseException | None = None
        self.done = Lock()
        self.done.acquire()

    def run(self) -> None:
        try:
            self._result = self._context.run(self._send)
        except BaseException as error:  # noqa: BLE001 - handed whole to the waiting thread, which raises it
            self._error = error
        finally:
            self.done.release()

    def outcome(self) -> Any:
        if self._error is None:
            return self._result
        try:
            raise self._error
        finally:
            self._error = None  # or the error, its traceback and this job would keep each other alive


@final
class _Hand:
    """One thread, and the queue that it takes its jobs from."""

    __slots__ = ("_idle", "jobs", "thread")

    def __init__(self, idle: list[_Hand]) -> None:
        self._idle = idle
        self.jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self.thread = Thread(target=self._work, name="budgetkit", daemon=True)
        self.thread.start()

    def _work(self) -> None:
        while True:
            try:
                job = self.jobs.get(timeout=_IDLE_SECONDS)
            except Empty:
                if self._retires():
                    return
                continue
            if job is None:
                return
            job.run()
            del job  # what it holds is not this thread's to keep while it waits

    def _retires(self) -> bool:
        """Leave the row of those that wait; one that is not in it has been taken, and its job is on the way."""
        try:
            self._idle.remove(self)
        except ValueError:
            return False
        return True
