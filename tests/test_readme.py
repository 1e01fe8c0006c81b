"""Everything shown is run: each Python block of the README, in order, in one namespace."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_python_blocks_of_the_readme_run(capsys: Any) -> None:
    blocks = BLOCK.findall(README.read_text(encoding="utf-8"))
    assert blocks
    space: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), space)  # noqa: S102 - our own README
    assert "Ossavik" in capsys.readouterr().out


def test_every_command_of_the_readme_exists() -> None:
    from budgetkit.evals._cli import app  # noqa: PLC0415 - the command's own table of commands

    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    shown = set(re.findall(r"^(?:\$ )?budgetkit (\w+)", README.read_text(encoding="utf-8"), re.MULTILINE))
    assert shown
    assert shown <= known
