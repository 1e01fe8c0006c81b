"""Every home keeps every property of the books, and agrees with the brute-force recount whatever is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import pytest

from budgetkit.testing import (
    LEDGER_PROPERTIES,
    AsyncTwins,
    LedgerHome,
    LedgerProperty,
    MemoryHome,
    Server,
    check_ledger,
    check_machine,
    home_at,
    ledger_machine,
)

pytestmark = pytest.mark.enable_socket

HOMES: Final[Mapping[str, Callable[[pytest.FixtureRequest], str]]] = {
    "memory": lambda _: "memory://",
    "sqlite": lambda _: "sqlite:///its-own.db",
    "postgres": lambda request: _url(request.getfixturevalue("postgres")),
    "redis": lambda request: _url(request.getfixturevalue("valkey")),
}
EXAMPLES = {"memory": 150, "sqlite": 40, "postgres": 25, "redis": 40}


def _url(server: Server) -> str:
    return server.url


def applies(name: str, prop: LedgerProperty) -> bool:
    """Whether the property is one of this home, which no server is needed to know."""
    urls = {"postgres": "postgresql://nowhere", "redis": "redis://nowhere"}
    return prop.lacking(home_at(urls.get(name, f"{name}://"))) is None


@pytest.fixture
def home(request: pytest.FixtureRequest) -> LedgerHome:
    return home_at(HOMES[request.param](request))


@pytest.mark.parametrize(
    ("home", "prop"),
    [
        pytest.param(name, prop, id=f"{name}-{prop.name}")
        for name in HOMES
        for prop in LEDGER_PROPERTIES
        if applies(name, prop)
    ],
    indirect=["home"],
)
def test_a_home_keeps_the_property(home: LedgerHome, prop: LedgerProperty) -> None:
    prop.check(home)


@pytest.mark.parametrize("home", HOMES, indirect=True)
def test_the_async_twins_keep_every_property(home: LedgerHome) -> None:
    report = check_ledger(AsyncTwins(home))
    assert report.held, str(report)


@pytest.mark.parametrize(("home", "name"), [(name, name) for name in HOMES], indirect=["home"])
def test_whatever_is_done_in_any_order_the_home_agrees_with_the_recount(home: LedgerHome, name: str) -> None:
    check_machine(lambda: home, examples=EXAMPLES[name], steps=25)


TestMemoryLedgerAgreesWithTheRecount = ledger_machine(MemoryHome, examples=20)


def test_every_property_is_a_sentence_of_its_own() -> None:
    assert len({str(prop) for prop in LEDGER_PROPERTIES}) == len({prop.name for prop in LEDGER_PROPERTIES})
    assert len({prop.name for prop in LEDGER_PROPERTIES}) == len(LEDGER_PROPERTIES)
    assert [str(prop) for prop in LEDGER_PROPERTIES if prop.sentence != prop.sentence.strip(" .")] == []


def test_every_rule_of_the_books_has_its_properties() -> None:
    groups = {prop.group for prop in LEDGER_PROPERTIES}
    assert {f"rule {n}" for n in range(1, 9)} <= groups
