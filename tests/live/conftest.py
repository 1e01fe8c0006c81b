"""One real vLLM server with a real small model, for all live tests of a session."""

import os
import time
from collections.abc import Callable, Generator

import pytest

from budgetkit.agents import ServerCounters, VllmServer

PYTHON = os.environ.get("BUDGETKIT_VLLM_PYTHON")
STARTUP = 240.0  # seconds, below the timeout of a live test, which includes this fixture
SETTLE = 30.0  # seconds


@pytest.fixture(scope="session")
def server() -> Generator[VllmServer]:
    """A running server; the tests share it, so that only differences of its counters mean anything."""
    if not PYTHON:
        pytest.skip("needs BUDGETKIT_VLLM_PYTHON, the interpreter that `.ci/vllm-env DIR` installs")
    with VllmServer("small", max_model_len=4096, startup_timeout=STARTUP) as running:
        yield running


@pytest.fixture
def grown(server: VllmServer) -> Callable[[], ServerCounters]:
    """How much the server's own counters have grown in this test, once it has nothing left to do."""

    def settled() -> ServerCounters:
        deadline, last = time.monotonic() + SETTLE, None
        while True:
            idle, now = server.in_flight() == 0, server.counters()
            if idle and now == last:
                return now
            assert time.monotonic() < deadline, "the server does not come to rest"
            last = now
            time.sleep(0.1)

    before = settled()
    return lambda: settled() - before
