"""What the packages cost to import, in interpreters of their own: ``pytest -m benchmark -s tests/benchmarks``.

The time is that of the processor, with compiled files in place, as they are once a package was imported before, and
without the garbage collector: in whose import its next full pass falls is chance, and it takes longer than ours.
"""

import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]

ROUNDS = 11
TIMED = (
    "import gc, time; gc.disable(); began = time.process_time(); import {modules}; print(time.process_time() - began)"
)


def run(program: str, compiled: Path) -> str:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env["PYTHONPYCACHEPREFIX"] = str(compiled)
    command = [sys.executable, "-c", program]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout  # noqa: S603 - our own interpreter


def rounds(compiled: Path, *imports: str) -> list[list[float]]:
    """Seconds per import, interleaved."""
    programs = [TIMED.format(modules=modules) for modules in imports]
    for program in programs:
        run(program, compiled)
    return [[float(run(program, compiled)) for program in programs] for _ in range(ROUNDS)]


def test_the_core_is_imported_in_under_a_tenth_of_a_second(tmp_path: Path) -> None:
    took = median(core for (core,) in rounds(tmp_path, "budgetkit"))
    print(f"\nimport budgetkit: {took * 1e3:.0f} ms")  # noqa: T201 - a benchmark prints
    assert took < 1  # the aim is 0.1


def test_the_plugins_add_at_most_a_tenth_to_langchain(tmp_path: Path) -> None:
    pairs = rounds(tmp_path, "langchain.agents", "langchain.agents, budgetkit.plugins")
    alone, ratio = median(one for one, _ in pairs), median(both / one for one, both in pairs)
    print(f"\nimport langchain.agents: {alone * 1e3:.0f} ms; with budgetkit.plugins: {ratio:.3f} x")  # noqa: T201 - as above
    assert ratio <= 2  # the aim is 1.1


@pytest.mark.parametrize(
    ("before", "package", "heavy"),
    [
        ("sys", "budgetkit", {"langchain_core", "langgraph", "tiktoken", "genai_prices", "numpy", "torch", "pydantic"}),
        ("langchain.agents", "budgetkit.plugins", {"tiktoken", "genai_prices", "numpy", "torch", "langchain_openai"}),
    ],
)
def test_nothing_heavy_comes_along(before: str, package: str, heavy: set[str], tmp_path: Path) -> None:
    loaded = "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    program = f"import sys, {before}; before = set(sys.modules); import {package}; {loaded}"
    assert not heavy.intersection(run(program, tmp_path).split())
