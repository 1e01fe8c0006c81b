"""The page about planners: its examples print what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "planners.md"
BLOCKS = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)


def test_the_examples_on_the_page_print_what_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    blocks = BLOCKS.findall(PAGE.read_text(encoding="utf-8"))
    for code, shown in blocks:
        exec(compile(code, str(PAGE), "exec", dont_inherit=True), names)  # noqa: S102 - the page's own example
        assert capsys.readouterr().out == shown
    assert len(blocks) == 5
