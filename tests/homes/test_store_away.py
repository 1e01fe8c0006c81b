"""The store goes away under an agent: closed, with a clear error; when it comes back, right again."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest
from langchain.agents import create_agent

from budgetkit import Budget, Ledger, LedgerError, Spend, verify
from budgetkit.plugins import BudgetMiddleware
from budgetkit.testing import PostgresServer, RedisServer, ScriptedChatModel, Server

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(300)]
QUESTION: Any = {"messages": [("user", "Where does the river end?")]}

GOES: dict[str, tuple[Callable[[Server], None], Callable[[Server], None]]] = {
    "stopped": (lambda server: server.stop(), lambda server: server.start()),
    "killed": (lambda server: server.kill(), lambda server: server.start()),
    "frozen": (lambda server: server.pause(), lambda server: server.resume()),
}


@contextmanager
def store(kind: type[PostgresServer | RedisServer]) -> Generator[tuple[Server, Any]]:
    with kind() as server:
        mark = "&" if "?" in server.url else "?"
        ledger: Any = Ledger.from_url(f"{server.url}{mark}timeout=2")
        with ledger:
            yield server, ledger


def agent_on(ledger: Any, model: ScriptedChatModel) -> Any:
    middleware = BudgetMiddleware(Budget(llm_calls=3), ledger=ledger)
    return create_agent(model, middleware=[middleware])


def booked(ledger: Any) -> Spend:
    """What all runs have spent or still hold."""
    states = [ledger.states(path)[-1] for path in ledger.children()]
    return sum((state.spent + state.reserved for state in states), Spend())


@pytest.mark.parametrize("kind", [PostgresServer, RedisServer])
@pytest.mark.parametrize("how", GOES)
def test_no_call_is_made_while_the_store_is_away(kind: Any, how: str) -> None:
    leave, come_back = GOES[how]
    model = ScriptedChatModel(["one", "two", "three"])
    with store(kind) as (server, ledger):
        agent = agent_on(ledger, model)
        assert agent.invoke(QUESTION)["messages"][-1].text == "one"
        leave(server)
        try:
            with pytest.raises(LedgerError):
                agent.invoke(QUESTION)
            assert len(model.requests) == 1
        finally:
            come_back(server)
        assert agent.invoke(QUESTION)["messages"][-1].text == "two"
        assert booked(ledger)["llm_calls"] == len(model.requests) == 2
        report = verify(ledger)
        assert report, report.differences


@pytest.mark.parametrize("kind", [PostgresServer, RedisServer])
def test_a_call_that_was_made_when_the_store_went_away_is_on_the_books(kind: Any) -> None:
    with store(kind) as (server, ledger):

        def answer(_: object) -> str:
            server.kill()
            return "two"

        model = ScriptedChatModel(["one", answer])
        agent = agent_on(ledger, model)
        agent.invoke(QUESTION)
        with pytest.raises(LedgerError):
            agent.invoke(QUESTION)
        server.start()
        assert booked(ledger)["llm_calls"] == len(model.requests) == 2
        report = verify(ledger)
        assert report, report.differences
