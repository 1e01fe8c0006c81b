"""The page about the certificate: its examples print what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "certificate.md"


def test_the_examples_on_the_page_print_what_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    printed: list[str] = []
    for code, _ in blocks:
        exec(code, names)  # noqa: S102 - the page's own example
        printed.append(capsys.readouterr().out)
    assert printed == [text for _, text in blocks]
    assert len(blocks) == 2
