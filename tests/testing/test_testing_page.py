"""The page on testing: each of its Python blocks is run, in order, in one namespace."""

import re
from pathlib import Path
from typing import Any

import pytest

import budgetkit.testing
from budgetkit.testing import MockOpenAIServer
from budgetkit.testing._server_wire import Switches

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
TOOLS = (
    "ManualClock", "MockOpenAIServer", "PostgresServer", "RedisServer", "ScriptedChatModel", "assert_spent", "call",
    "postgres_server", "redis_server",
)  # fmt: skip


@pytest.mark.enable_socket
def test_the_python_blocks_of_the_page_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BUDGETKIT_TEST_POSTGRES", raising=False)
    monkeypatch.delenv("BUDGETKIT_TEST_REDIS", raising=False)
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(blocks) > 5
    space: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), space)  # noqa: S102 - our own page


def test_the_page_names_every_switch_of_the_mock_server() -> None:
    page = PAGE.read_text(encoding="utf-8")
    switches = Switches.__dataclass_fields__
    assert [name for name in switches if f"`{name}=" not in page] == []
    assert set(switches) <= set(MockOpenAIServer.__init__.__kwdefaults__ or {})


@pytest.mark.parametrize("name", TOOLS)
def test_the_page_names_every_tool(name: str) -> None:
    assert name in budgetkit.testing.__all__
    assert f"`{name}" in PAGE.read_text(encoding="utf-8")
