"""A local vLLM server as a context manager."""

import asyncio
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from langchain_openai import ChatOpenAI

from ._interpreter import default_python
from ._models import served_model
from ._server_error import ServerError
from ._small_model import SMALL_MODEL_NAME
from ._vllm_command import ServerOptions
from ._vllm_endpoint import Endpoint
from ._vllm_launch import SMALL, Attachment, Launch, Source, is_path
from ._vllm_metrics import ServerCounters

__all__ = ["VllmServer", "serve"]

POLL = 0.25  # seconds


class VllmServer:
    """Starts a vLLM server, waits until it is healthy, and stops it at the end of the block.

    Works as a synchronous and as an asynchronous context manager. The server is killed with all its children
    however the block ends, and even if this process is killed. It always reports cached tokens and always
    caches prefixes, because budgets need both.

    ```python
    with VllmServer("./smollm2-135m", max_model_len=4096) as server:
        model = server.chat_model(max_tokens=128)
    ```

    Args:
        model: Folder of a model, a name that vLLM looks up, or ``"small"`` for `small_model`.
        python: Interpreter that has vLLM; by default the one named by ``BUDGETKIT_VLLM_PYTHON``, else this one.
        host: Address to listen on; by default this machine only.
        port: Port to listen on; None takes a free one.
        startup_timeout: Seconds until the server must be healthy.
        tool_parser: How this model writes tool calls (vLLM's ``--tool-call-parser``); None for no tool calls.
        chat_template: Jinja file in place of the model's own chat template.
        served_model_name: Name of the model in requests; by default the name of its folder.
        max_model_len: Longest prompt plus answer, in tokens; None takes the model's own.
        dtype: Number format of the weights; None is float32 on a CPU and vLLM's choice elsewhere.
        cpu: Whether this vLLM runs on the CPU; None finds out.
        extra_args: Further arguments for the server's command line.
        log_path: File for the server's output, kept; None keeps it only if the server fails.

    Raises:
        ServerError: On entering the block, naming the argument that is wrong or the server's last words.
    """

    _source: Source
    _endpoint: Endpoint | None = None

    def __init__(
        self,
        model: str | Path,
        *,
        python: str | Path | None = None,
        host: str = "127.0.0.1",
        port: int | None = None,
        startup_timeout: float = 600.0,
        tool_parser: str | None = "hermes",
        chat_template: str | Path | None = None,
        served_model_name: str | None = None,
        max_model_len: int | None = None,
        dtype: str | None = None,
        cpu: bool | None = None,
        extra_args: Sequence[str] = (),
        log_path: str | Path | None = None,
    ) -> None:
        options = ServerOptions(
            python=str(python or default_python()),
            model=str(model),
            name=served_model_name or _name_of(str(model)),
            host=host,
            port=port or 0,
            cpu=cpu,
            tool_parser=tool_parser,
            chat_template=Path(chat_template) if chat_template else None,
            max_model_len=max_model_len,
            dtype=dtype,
            extra_args=tuple(extra_args),
        )
        log = Path(log_path) if log_path else None
        self._source = Launch(options=options, startup_timeout=startup_timeout, log_path=log)

    @classmethod
    def attach(cls, url: str, *, model: str | None = None, api_key: str = "EMPTY", check_usage: bool = True) -> Self:
        """A server that runs already, neither started nor stopped here.

        Args:
            url: Its OpenAI base URL, such as ``"http://host:8000/v1"``.
            model: The model to use; None takes the first on offer.
            api_key: Key that the server asks for, if any.
            check_usage: Ask for one token, and warn if the server reports usage in a way that clients add up.

        Raises:
            ServerError: On entering the block, if nothing answers there or ``model`` is not on offer.
        """
        endpoint = Endpoint.at(url, api_key)
        server = cls.__new__(cls)
        server._source = Attachment(endpoint=endpoint, model=model, check_usage=check_usage)  # noqa: SLF001 - ours
        return server

    def __enter__(self) -> Self:
        with self._stopped_on_failure():
            self._source.prepare()
            endpoint = self._source.start()
            while not self._source.ready():
                time.sleep(POLL)
            self._endpoint = endpoint
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    async def __aenter__(self) -> Self:
        with self._stopped_on_failure():
            await asyncio.to_thread(self._source.prepare)
            endpoint = self._source.start()  # not in a thread: a cancellation would lose sight of the process
            while not await asyncio.to_thread(self._source.ready):  # noqa: ASYNC110 - health has to be asked for
                await asyncio.sleep(POLL)
            self._endpoint = endpoint
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._stop)

    @property
    def url(self) -> str:
        """The OpenAI base URL, ``"http://127.0.0.1:PORT/v1"``."""
        return self._running.url

    @property
    def model_name(self) -> str:
        """The name of the model in requests."""
        return self._source.model_name

    def chat_model(self, **settings: Any) -> ChatOpenAI:
        """A LangChain chat model for this server that reports its usage, streaming or not.

        Args:
            **settings: Further arguments of ``ChatOpenAI``, such as ``max_tokens`` or ``temperature``.
        """
        name = settings.pop("model", self.model_name)
        return served_model(self.url, name, **{"api_key": self._running.api_key, **settings})

    def counters(self) -> ServerCounters:
        """What the server has counted itself since its start, over all its clients."""
        return self._running.counters()

    async def acounters(self) -> ServerCounters:
        """`counters` without blocking the event loop."""
        return await asyncio.to_thread(self.counters)

    def in_flight(self) -> int:
        """How many requests the server works on or keeps waiting; its counters stand still at 0."""
        metrics = self._running.metrics()
        return int(metrics["vllm:num_requests_running"] + metrics["vllm:num_requests_waiting"])

    def wait(self) -> None:
        """Block while the server runs; ServerError with its last words if it ends by itself."""
        self._source.wait()

    @property
    def _running(self) -> Endpoint:
        if self._endpoint is None:
            raise ServerError("the server is not running: use it inside `with VllmServer(...) as server:`")
        return self._endpoint

    @contextmanager
    def _stopped_on_failure(self) -> Generator[None]:
        try:
            yield
        except BaseException:
            self._stop()
            raise

    def _stop(self) -> None:
        self._endpoint = None
        self._source.stop()


def serve(model: str | Path, *, on_ready: Callable[[VllmServer], None], **options: Any) -> None:
    """Run a server until Ctrl-C, which stops it and returns.

    Args:
        model: As for `VllmServer`.
        on_ready: Called once, when the server can be used.
        **options: As for `VllmServer`.

    Raises:
        ServerError: The server could not be started, or ended by itself.
    """
    with suppress(KeyboardInterrupt), VllmServer(model, **options) as server:
        on_ready(server)
        server.wait()


def _name_of(model: str) -> str:
    if model == SMALL:
        return SMALL_MODEL_NAME
    return Path(model).expanduser().resolve().name if is_path(model) else model
