"""Everything shown is run: each Python block of the README, in order, in one namespace."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from budgetkit.evals import main

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_python_blocks_of_the_readme_run(capsys: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall(README.read_text(encoding="utf-8"))
    assert blocks
    space: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), space)  # noqa: S102 - our own README
    space["ledger"].disconnect()
    shown = capsys.readouterr().out
    assert "Lake Orrin" in shown
    assert "'model:offline': Spend(" in shown


def test_every_command_of_the_readme_exists(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["budgetkit", "--help"])
    with pytest.raises(SystemExit):
        main()
    known = set(re.findall(r"\b(\w+)  ", capsys.readouterr().out))
    shown = set(re.findall(r"^budgetkit (\w+)", README.read_text(encoding="utf-8"), re.MULTILINE))
    assert shown
    assert shown <= known
