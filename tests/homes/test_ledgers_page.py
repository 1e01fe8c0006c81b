"""The page on ledgers: every Python block of it runs, in order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from budgetkit import Ledger

PAGE = Path(__file__).parent.parent.parent / "docs" / "ledgers.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_page_on_ledgers_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {}
    for block in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        exec(compile(block, str(PAGE), "exec"), space)  # noqa: S102 - our own page
    space["ledger"].disconnect()
    shown = capsys.readouterr().out
    assert "{'model:gpt-4o': Spend(llm_calls=1, usd=0.013)}" in shown
    assert "budget 'acme/ada' is frozen: 1 llm_calls are refused until it is unfrozen" in shown
    with Ledger.from_url("sqlite:///books.db") as again:  # type: ignore[attr-defined]  # a home in a store is a context manager
        assert again.children() == (("acme",),)
