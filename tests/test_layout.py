"""What a user installs: one top-level name, nothing forgotten, nothing of the checkout besides."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PARTS = {
    "budgetkit": "budgetkit",
    "plugins": "budgetkit/plugins",
    "agents": "budgetkit/agents",
    "evals": "budgetkit/evals",
}
BARE_IMPORT = re.compile(r"^\s*(?:from|import) (?:plugins|agents|evals)\b", re.MULTILINE)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The files of a wheel built from a clean copy of the checkout, without its metadata."""
    source, out = tmp_path_factory.mktemp("source") / "copy", tmp_path_factory.mktemp("wheel")
    hidden = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "runs")
    shutil.copytree(ROOT, source, ignore=hidden)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-q",
        "-w",
        str(out),
        str(source),
    ]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own interpreter on our own folder
    built = next(out.glob("*.whl"))
    return {name for name in zipfile.ZipFile(built).namelist() if ".dist-info/" not in name}


def source_files() -> set[str]:
    """What the wheel should hold, by the path that it should have there."""
    found = set[str]()
    for folder, target in PARTS.items():
        for path in (ROOT / folder).rglob("*"):
            hidden = any(piece.startswith((".", "__pycache__")) for piece in path.relative_to(ROOT).parts)
            if path.is_file() and path.suffix != ".pyi" and not hidden:
                found.add(f"{target}/{path.relative_to(ROOT / folder)}")
    return found


@pytest.mark.timeout(240)
def test_the_wheel_installs_only_the_name_budgetkit(wheel: set[str]) -> None:
    assert {name.split("/")[0] for name in wheel} == {"budgetkit"}


@pytest.mark.timeout(240)
def test_the_wheel_holds_every_file_of_the_four_folders_and_no_other(wheel: set[str]) -> None:
    assert wheel == source_files()


def test_no_file_imports_a_part_by_its_folder_name() -> None:
    files = [p for part in (*PARTS, "tests") for p in (ROOT / part).rglob("*.py")]
    assert [str(p) for p in files if BARE_IMPORT.search(p.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("budgetkit", "Budget"),
        ("budgetkit.plugins", "BudgetMiddleware"),
        ("budgetkit.agents", "OfflineChatModel"),
        ("budgetkit.evals", "Suite"),
    ],
)
def test_a_public_class_lives_in_the_installed_package(part: str, name: str) -> None:
    assert getattr(importlib.import_module(part), name).__module__.startswith(f"{part}.")
