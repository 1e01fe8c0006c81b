"""The two ways to have a server: start one, or attach to one."""

import os
import socket
import time
import warnings
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from ._interpreter import vllm_is_for_cpu
from ._server_error import ServerError
from ._small_model import small_model
from ._vllm_command import ServerOptions, server_command, server_environment
from ._vllm_endpoint import Endpoint
from ._vllm_process import ServerProcess

__all__ = ["SMALL", "Attachment", "Launch", "Source", "is_path"]

SMALL = "small"
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - recognised, never chosen


class Source(Protocol):
    """Where a server comes from; the steps of its life in their order."""

    def prepare(self) -> None:
        """Check everything and do the slow work. Leaves nothing that has to be undone."""
        ...

    def start(self) -> Endpoint:
        """Set the server going, at once."""
        ...

    def ready(self) -> bool:
        """Whether it can be used; ServerError when it never will."""
        ...

    @property
    def model_name(self) -> str:
        """The model to use; known once it is prepared."""
        ...

    def wait(self) -> None:
        """Wait until the server has ended by itself, which is an error."""
        ...

    def stop(self) -> None:
        """Undo `start`; does nothing where it was not started."""
        ...


@dataclass(kw_only=True, slots=True)
class Launch:
    """A server of our own."""

    options: ServerOptions
    startup_timeout: float
    log_path: Path | None
    _process: ServerProcess | None = field(default=None, init=False)
    _endpoint: Endpoint = field(default=Endpoint(""), init=False)
    _deadline: float = field(default=0.0, init=False)
    _failed: bool = field(default=False, init=False)
    _resolved: ServerOptions = field(init=False)

    def prepare(self) -> None:
        """Find interpreter, model and port."""
        self._resolved = resolve(self.options)

    def start(self) -> Endpoint:
        """Start the process."""
        options = self._resolved
        environment = server_environment(
            os.environ, cpu=bool(options.cpu), offline=Path(options.model).exists(), cores=_cores()
        )
        self._failed = False
        self._process = ServerProcess(server_command(options), environment, self.log_path)
        self._deadline = time.monotonic() + self.startup_timeout
        self._endpoint = Endpoint(f"http://{_reachable(options.host)}:{options.port}")
        return self._endpoint

    def ready(self) -> bool:
        """Whether it is healthy; its last words when it died or takes too long."""
        if self._process is None or not self._process.alive:
            raise self._failure("ended before it was ready")
        if time.monotonic() > self._deadline:
            raise self._failure(f"was not ready within startup_timeout={self.startup_timeout:g} seconds")
        return self._endpoint.healthy()

    @property
    def model_name(self) -> str:
        """The name it is started with."""
        return self.options.name

    def wait(self) -> None:
        """Wait until the process has ended by itself."""
        if self._process is not None:
            self._process.wait()
            raise self._failure("ended by itself")

    def stop(self) -> None:
        """Stop the process and all its children."""
        if self._process is not None:
            self._process.stop(keep_log=self._failed)
            self._process = None

    def _failure(self, what: str) -> ServerError:
        self._failed = True
        if self._process is None:
            return ServerError(f"the vLLM server for {self.options.model!r} is not running")
        log = self._process
        return ServerError(
            f"the vLLM server for {self.options.model!r} {what}; its last lines, from {log.log_path}:\n{log.log_tail()}"
        )


@dataclass(kw_only=True, slots=True)
class Attachment:
    """A server of somebody else's."""

    endpoint: Endpoint
    model: str | None
    check_usage: bool
    _name: str = field(default="", init=False)

    def prepare(self) -> None:
        """Ask the server for its models, and whether it can be trusted with usage."""
        self._name = _choose(self.endpoint, self.model)
        if self.check_usage and self.endpoint.forces_usage(self._name):
            warnings.warn(
                f"the server at {self.endpoint.url} puts usage on every chunk of a stream, which clients add up:"
                " streamed tokens will be counted many times. Start it without --enable-force-include-usage",
                stacklevel=3,
            )

    def start(self) -> Endpoint:
        """Nothing to start."""
        return self.endpoint

    def ready(self) -> bool:
        """It has answered already."""
        return True

    @property
    def model_name(self) -> str:
        """The model asked for, else the first on offer."""
        return self._name

    def wait(self) -> None:
        """Refused: nothing tells when a server that is not ours ends."""
        raise ServerError(f"the server at {self.endpoint.url} was not started here and cannot be waited for")

    def stop(self) -> None:
        """Not ours to stop."""


def resolve(options: ServerOptions) -> ServerOptions:
    """The options with everything found that was left open: kind of vLLM, model folder, free port.

    Raises:
        ServerError: An argument names something that is not there, or a port that is taken.
    """
    cpu = vllm_is_for_cpu(options.python)
    if options.chat_template is not None and not options.chat_template.is_file():
        raise ServerError(f"chat_template={str(options.chat_template)!r} is not a file")
    return replace(
        options,
        cpu=cpu if options.cpu is None else options.cpu,
        model=_model(options),
        port=_free_port(options.host, options.port),
    )


def is_path(model: str) -> bool:
    """Whether a model is named by its folder, and not by a name that vLLM looks up."""
    return model.startswith((".", "/", "~")) or Path(model).exists()


def _model(options: ServerOptions) -> str:
    if options.model == SMALL:
        return str(small_model(python=options.python))
    if not is_path(options.model):
        return options.model
    path = Path(options.model).expanduser()
    if not path.exists():
        raise ServerError(f'model={options.model!r} does not exist; name a folder with a model, or "{SMALL}"')
    return str(path)


def _free_port(host: str, port: int) -> int:
    try:
        with closing(socket.create_server((host, port))) as listener:
            return int(listener.getsockname()[1])
    except (OSError, OverflowError) as error:
        msg = f"host={host!r}, port={port!r} cannot be listened on ({error}); take another port, or None for a free one"
        raise ServerError(msg) from error


def _reachable(host: str) -> str:
    address = ANY_ADDRESS.get(host, host)
    return f"[{address}]" if ":" in address else address


def _cores() -> set[int]:
    # macOS has no affinity to ask for.
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def _choose(endpoint: Endpoint, model: str | None) -> str:
    try:
        names = endpoint.models()
    except (ServerError, ValueError, LookupError, TypeError) as error:
        msg = f"no model server at {endpoint.url}: {error}; start it, or check host and port"
        raise ServerError(msg) from error
    if not names or (model and model not in names):
        raise ServerError(f"model={model!r} is not served at {endpoint.url}; it has: {', '.join(names) or 'nothing'}")
    return model or names[0]
