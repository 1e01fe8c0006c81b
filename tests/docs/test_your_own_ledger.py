"""The page for those who write a ledger: its examples run."""

from __future__ import annotations

import re
import unittest
from pathlib import Path
from typing import Any

from budgetkit.testing import LEDGER_PROPERTIES, LedgerHome

PAGE = Path(__file__).parent.parent.parent / "docs" / "your-own-ledger.md"


def test_the_examples_of_the_page_run() -> None:
    said: dict[str, Any] = {"__name__": "page"}
    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(code, said)  # noqa: S102 - the page is ours
    assert issubclass(said["TestMyLedger"], unittest.TestCase)
    assert said["report"].held
    said["test_my_ledger"](LEDGER_PROPERTIES[0])


def test_the_page_names_every_promise_of_a_home() -> None:
    promises = {name for name, value in vars(LedgerHome).items() if isinstance(value, bool)}
    assert {name for name in promises if f"`{name} = " not in PAGE.read_text(encoding="utf-8")} == set()
