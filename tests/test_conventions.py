"""The habits of the house, as failing tests: import direction, light core, short functions, small modules."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ORDER = ["budgetkit", "plugins", "agents", "evals"]
# the command and the public test doubles are the two places that may look up the house
COMPOSITION = {"budgetkit/__main__.py"}
HEAVY = {"langchain", "langchain_core", "langgraph", "torch", "numpy", "tiktoken", "genai_prices", "opentelemetry"}


def modules(part: str) -> list[Path]:
    return sorted(p for p in (ROOT / part).rglob("*.py") if "__pycache__" not in p.parts)


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


def part_of(module: str) -> str | None:
    """The part of the house that an import reaches into, or None if it is not ours."""
    first, _, rest = module.partition(".")
    if first != "budgetkit":
        return None
    return rest.split(".")[0] if rest.split(".")[0] in ORDER else "budgetkit"


def functions() -> dict[str, int]:
    """The length of every function outside the tests."""
    found = dict[str, int]()
    for part in ORDER:
        for path in modules(part):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
                    found[f"{path.relative_to(ROOT)}:{node.name}:{node.lineno}"] = node.end_lineno - node.lineno + 1
    return found


@pytest.mark.parametrize("part", ORDER)
def test_imports_go_one_way(part: str) -> None:
    above = set(ORDER[ORDER.index(part) + 1 :])
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in modules(part)
        if str(path.relative_to(ROOT)) not in COMPOSITION and "testing" not in path.parts
        for module in imports(path)
        if part_of(module) in above
    ]
    assert wrong == []


@pytest.mark.parametrize("part", ["plugins", "agents", "evals"])
def test_other_parts_are_entered_by_their_door(part: str) -> None:
    private = re.compile(r"budgetkit(?:\.\w+)*\._")
    wrong = [
        f"{path.name} imports {module}" for path in modules(part) for module in imports(path) if private.match(module)
    ]
    assert wrong == []


def test_the_core_loads_nothing_heavy() -> None:
    code = "import sys, budgetkit; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()  # noqa: S603 - our own interpreter
    assert HEAVY.intersection(loaded) == set()


def test_functions_are_short() -> None:
    lengths = sorted(functions().values())
    assert {name: n for name, n in functions().items() if n > 60} == {}
    assert statistics.median(lengths) <= 9
    assert lengths[int(len(lengths) * 0.9)] <= 30


def test_modules_are_small() -> None:
    sizes = {
        str(p.relative_to(ROOT)): len(p.read_text(encoding="utf-8").splitlines())
        for part in ORDER
        for p in modules(part)
    }
    allowed = {"budgetkit/_scope.py", "budgetkit/_ledger.py"}  # may only shrink
    assert {name: n for name, n in sizes.items() if n > 300 and name not in allowed} == {}


def test_no_broad_except_and_no_print() -> None:
    wrong = []
    for part in ORDER:
        for path in modules(part):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ExceptHandler) and (
                    node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception")
                ):
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} broad except")
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} print")
    assert wrong == []


def test_there_is_no_place_for_undecided_things() -> None:
    assert [
        str(p)
        for part in ORDER
        for p in modules(part)
        if p.stem in {"utils", "_utils", "helpers", "_helpers", "common"}
    ] == []
