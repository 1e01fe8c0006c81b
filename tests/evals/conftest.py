"""A small suite on disk and trivial agents, all made up."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.tools import BaseTool
from langgraph.graph import START, MessagesState, StateGraph  # pyright: ignore[reportMissingTypeStubs]  # it is typed inline

from budgetkit.evals import Agent, RunFile, Suite

if TYPE_CHECKING:
    from pathlib import Path

Reply = Callable[[str, BaseTool], AIMessage | str]
MakeAgent = Callable[[Reply], Callable[[Sequence[BaseTool]], Agent]]
MakeSuite = Callable[[int], Suite]
WriteRun = Callable[..., "Path"]


def write_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


@pytest.fixture
def make_suite(tmp_path: Path) -> MakeSuite:
    """A suite of ``n`` towns: each question asks for a mayor, each passage names one."""

    def make(n: int) -> Suite:
        suite = Suite("towns", "made up", tmp_path / "towns.dev.jsonl", tmp_path / "towns.corpus.jsonl")
        write_lines(suite.corpus, ({"title": f"Town{i}", "text": f"The mayor is Person{i}."} for i in range(n)))
        write_lines(
            suite.questions,
            (
                {
                    "id": f"q{i}",
                    "question": f"Who is the mayor of Town{i}?",
                    "answers": [f"Person{i}"],
                    "supporting_titles": [f"Town{i}"],
                    "type": "bridge",
                }
                for i in range(n)
            ),
        )
        return suite

    return make


@pytest.fixture
def make_agent() -> MakeAgent:
    """A graph of one node that answers with ``reply(question, search)``."""

    def make(reply: Reply) -> Callable[[Sequence[BaseTool]], Agent]:
        def factory(tools: Sequence[BaseTool]) -> Agent:
            def node(state: MessagesState) -> dict[str, list[AnyMessage]]:
                said = reply(state["messages"][-1].text, tools[0])
                return {"messages": [said if isinstance(said, AIMessage) else AIMessage(said)]}

            graph: Any = StateGraph(MessagesState)
            graph.add_node("node", node)
            graph.add_edge(START, "node")
            compiled: Agent = graph.compile()
            return compiled

        return factory

    return make


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    """Writes the results file of an agent: a line a question, from columns: ``f1=[0.5, 1], tool_calls=[1, 2]``."""

    def write(agent: str, *, suite: str = "towns", calls: int = 5, ids: Sequence[str] = (), **columns: Any) -> Path:
        model, data = columns.pop("model", "m"), columns.pop("data", {"questions": "0a"})
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.jsonl"
        header = {"kind": "run", "suite": suite, "data": data, "agent": agent, "model": model}
        with RunFile(path, header | {"budget": {"tool_calls": calls}}) as file:
            for i in range(len(next(iter(columns.values())))):
                row = {name: values[i] for name, values in columns.items()}
                file.append(_line(ids[i] if ids else f"q{i}", row))
        return path

    return write


def _line(name: str, row: dict[str, Any]) -> dict[str, Any]:
    scores = {score: row.pop(score, 0.0) for score in ("em", "f1", "recall")}
    kept = {"kept_recall": row.pop("kept_recall")} if "kept_recall" in row else {}
    rest = {"error": row.pop("error", None), "overshoot": row.pop("overshoot", {"counted": {}, "booked": {}})}
    return {
        "id": name, **scores, **kept, **rest, "spend": {"tool_calls": 1, **row}, "estimated": [], "share": {},
        "ended": None, "seconds": 0.5,
    }  # fmt: skip
