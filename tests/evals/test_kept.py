from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage

from budgetkit import Budget
from budgetkit.evals import read_results, run_eval

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from langchain_core.tools import BaseTool

    from .conftest import MakeAgent, MakeSuite


def lines(suite: Any, agent: Any, out: Path) -> dict[str, dict[str, Any]]:
    run_eval(suite, agent, Budget(), out=out)
    return {record["id"]: record for record in read_results(out)}


def saying(*kept: str) -> Callable[[str, BaseTool], AIMessage]:
    """An agent that searches once, and says that these passages went into its answer."""

    def reply(question: str, search: BaseTool) -> AIMessage:
        search.invoke({"query": question})
        return AIMessage("x", response_metadata={"budgetkit_search": {"kept": list(kept)}})

    return reply


def test_an_agent_that_says_what_it_kept_is_measured_by_that(
    make_suite: MakeSuite, make_agent: MakeAgent, tmp_path: Path
) -> None:
    found = lines(make_suite(4), make_agent(saying("Town1", "Town2")), tmp_path / "run.jsonl")

    assert {(line["kept_by"], tuple(line["kept"])) for line in found.values()} == {("agent", ("Town1", "Town2"))}
    assert {name: line["kept_recall"] for name, line in found.items()} == {"q0": 0, "q1": 1, "q2": 1, "q3": 0}
    assert {line["recall"] for line in found.values()} == {1}


def test_a_passage_that_was_never_shown_counts_for_nothing(
    make_suite: MakeSuite, make_agent: MakeAgent, tmp_path: Path
) -> None:
    def claiming(*_: object) -> AIMessage:
        return AIMessage("x", response_metadata={"budgetkit_search": {"kept": ["Town0"]}})

    line = lines(make_suite(1), make_agent(claiming), tmp_path / "run.jsonl")["q0"]

    assert (line["kept"], line["kept_by"], line["kept_recall"], line["recall"]) == ([], "agent", 0, 0)


def test_only_the_first_five_count(make_suite: MakeSuite, make_agent: MakeAgent, tmp_path: Path) -> None:
    others = [f"Town{i}" for i in range(1, 6)]
    suite = make_suite(6)

    def reply(question: str, search: BaseTool) -> AIMessage:
        for i in range(6):
            search.invoke({"query": f"Town{i}"})
        return saying(*others, "Town0")(question, search)

    line = lines(suite, make_agent(reply), tmp_path / "run.jsonl")["q0"]

    assert line["kept"] == others
    assert (line["kept_recall"], line["recall"]) == (0, 1)


def test_for_an_agent_that_does_not_say_a_rule_keeps_five_of_what_it_saw(
    make_suite: MakeSuite, make_agent: MakeAgent, tmp_path: Path
) -> None:
    def silent(_: str, search: BaseTool) -> str:
        for i in range(9):
            search.invoke({"query": f"Town{i}"})
        return "x"

    found = lines(make_suite(9), make_agent(silent), tmp_path / "run.jsonl")

    assert {(line["kept_by"], len(line["kept"])) for line in found.values()} == {("rule", 5)}
    assert {(line["recall"], line["kept_recall"]) for line in found.values()} == {(1, 1)}


def test_an_agent_that_fails_kept_nothing(make_suite: MakeSuite, make_agent: MakeAgent, tmp_path: Path) -> None:
    def fragile(question: str, search: BaseTool) -> str:
        search.invoke({"query": question})
        raise KeyError("lost")

    line = lines(make_suite(1), make_agent(fragile), tmp_path / "run.jsonl")["q0"]

    assert (line["kept"], line["kept_by"], line["kept_recall"], line["recall"]) == ([], None, 0, 1)
