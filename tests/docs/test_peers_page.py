"""The page beside the peers is what the command writes, and our own rows come out the same again."""

import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from budgetkit.testing import MockOpenAIServer

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "peers.md").read_text(encoding="utf-8")
OURS = ["nothing", "budgetkit_", "langchain_", "langgraph_"]
SITUATIONS = [
    "plain loop",
    "8-way fan-out",
    "interrupt and resume",
    "streaming cut off",
    "sub-agent",
    "retry",
    "retry inside the client",
]
LINES = [(adapter, number) for adapter, rows in zip(OURS, [1, 3, 2, 1], strict=True) for number in range(rows)]

loopback = pytest.mark.enable_socket


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The command's module; what it brings along is forgotten again."""
    monkeypatch.syspath_prepend(str(DOCS / "peers"))
    before = set(sys.modules)
    yield import_module("compare")  # a script, not a package
    for name in set(sys.modules) - before:
        if str(DOCS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def here(peers: Any) -> Any:
    """Drives a row in this very process."""
    assert peers.HERE == DOCS / "peers"
    drive = import_module("drive")

    def driven(adapter: str, number: int, scenario: Any, url: str, usd: Decimal) -> Any:
        return drive.drive(drive.rows_of(adapter)[number], scenario.name, url, usd)

    return driven


def lines_of(page: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in page.splitlines()]


def section(situation: str) -> str:
    return PAGE.partition(f"\n## {situation}\n")[2].partition("\n## ")[0]


def rows_in(situation: str) -> list[list[str]]:
    return [cells for cells in lines_of(section(situation)) if len(cells) == 7][1:]


def cap_in(situation: str) -> Decimal:
    (cap,) = re.findall(r"Cap: 3 calls or \$([\d.]+)\.$", section(situation), re.MULTILINE)
    return Decimal(cap)


def skeleton(page: str) -> list[list[str]]:
    """The page without its findings: of a table's line, who and how; of all others, everything but day and versions."""
    text = re.sub(r"^Versions: .*|on \d{4}-\d\d-\d\d|\$[\d.]+", "", page, flags=re.MULTILINE)
    return [cells[:2] for cells in lines_of(text)]


def without_digits(text: str) -> str:
    return re.sub(r"\d+", "#", text)


def test_the_page_has_every_package_in_every_situation(peers: Any) -> None:
    rows = [row for adapter in peers.ADAPTERS for row in peers.rows_of(adapter)]
    assert list(peers.SCENARIOS) == SITUATIONS
    assert len({row.package for row in rows} - {"", "budgetkit", "langchain", "langgraph"}) >= 3
    for situation in SITUATIONS:
        found = [(name.strip("*"), setting) for name, setting, *_ in rows_in(situation)]
        assert found == [(row.package or "nothing", row.setting) for row in rows]
        assert all(cell for cells in rows_in(situation) for cell in cells)


def test_the_page_is_what_the_command_writes(peers: Any) -> None:
    results = [
        peers.Result(
            row=row, scenario=scenario, cap=Decimal(1), calls=1, spent=Decimal(1), recorded=None, got="an answer"
        )
        for scenario in peers.SCENARIOS.values()
        for adapter in peers.ADAPTERS
        for row in peers.rows_of(adapter)
    ]
    versions = dict.fromkeys(("langgraph", "langchain-openai", "openai", *(r.row.package for r in results)), "1")
    written = peers.write_page(results, versions, peers.datetime.now(peers.UTC).date())
    assert skeleton(written) == skeleton(PAGE)


def test_the_page_names_the_versions_that_are_pinned() -> None:
    pins = re.findall(r"^([\w-]+)(?:\[\w+\])?==(\S+)", (DOCS / "peers" / "requirements.txt").read_text(), re.MULTILINE)
    shown = re.search(r"^Versions: (.*)\.$", PAGE, re.MULTILINE)
    assert shown
    assert {f"{name} {version}" for name, version in pins if name != "litellm"} <= set(shown[1].split(", "))


def test_no_dollar_cap_of_ours_was_broken_and_no_count() -> None:
    ours = [cells for situation in SITUATIONS[:-1] for cells in rows_in(situation) if "budgetkit" in cells[0]]
    assert len(ours) == 18
    assert not [cells for cells in ours if "**" in cells[3] + cells[4]]


@loopback
@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize(("adapter", "number"), LINES)
def test_a_row_of_the_page_comes_out_the_same_again(
    peers: Any, here: Any, monkeypatch: pytest.MonkeyPatch, adapter: str, number: int, situation: str
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)  # a client that retries waits in between
    row, scenario = peers.rows_of(adapter)[number], peers.SCENARIOS[situation]
    (shown,) = [cells for cells in rows_in(situation) if cells[1] == row.setting]
    result = peers.measure(here, scenario, cap_in(situation), (adapter, number, row))
    if (row.cap, situation) != ("usd", "8-way fan-out"):  # how many fit depends on who ends first; the dollars hold
        assert str(result.calls) == shown[3].strip("*")
    assert (result.held is False) == ("**" in shown[3] + shown[4])
    assert without_digits(result.got) == without_digits(shown[6])
    assert result.books in shown[5] or shown[5] == "n/a"


@loopback
def test_a_cap_is_worth_the_first_three_calls_and_a_tenth_more(peers: Any, here: Any) -> None:
    scenario = peers.SCENARIOS["plain loop"]
    cap = peers.worth(here, scenario)
    with MockOpenAIServer(peers.reply, model="gpt-4o-mini") as server:
        here("langgraph_", 0, scenario, server.base_url, cap)
    assert server.calls == 3
    assert abs(peers.price(server.prompt_tokens, server.completion_tokens) * Decimal("1.1") - cap) < Decimal("1e-6")
