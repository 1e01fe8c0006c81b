from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage

from budgetkit import Budget, BudgetExceeded, PriceUnknown, Spend, current_scope
from budgetkit.evals import Agent, DataError, EvalRun, Progress, arun_eval, read_results, run_eval

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_core.tools import BaseTool

    from .conftest import MakeAgent, MakeSuite

Run = Callable[..., EvalRun]


def arun(*args: Any, **kwargs: Any) -> EvalRun:
    return asyncio.run(arun_eval(*args, **kwargs))


@pytest.fixture(params=[run_eval, arun], ids=["threads", "tasks"])
def run(request: pytest.FixtureRequest) -> Run:
    engine: Run = request.param
    return engine


def right(question: str, search: BaseTool) -> str:
    """Search once, answer right."""
    search.invoke({"query": question})
    return f"I looked.\nAnswer: Person{re.findall('[0-9]+', question)[0]}"


def scope_charge(amounts: dict[str, object]) -> None:
    scope = current_scope()
    assert scope
    scope.charge(Spend.of(amounts))


def records(path: Path) -> dict[str, dict[str, Any]]:
    return {record["id"]: record for record in read_results(path)}


def test_every_question_gets_one_line_with_its_scores(
    run: Run, make_suite: MakeSuite, make_agent: MakeAgent, tmp_path: Path
) -> None:
    out = tmp_path / "run.jsonl"
    done = run(make_suite(12), make_agent(right), Budget(), out=out, concurrency=4)

    assert done == EvalRun(out, asked=12, resumed=0)
    assert len(out.read_text().splitlines()) == 13
    found = records(out)
    assert sorted(found) == sorted(f"q{i}" for i in range(12))
    assert {(r["em"], r["f1"], r["recall"], r["error"], r["ended"]) for r in found.values()} == {(1, 1, 1, None, None)}
    assert found["q7"]["answer"] == "Person7"
    assert found["q7"]["type"] == "bridge"


def test_the_header_says_what_was_run(run: Run, make_suite: MakeSuite, make_agent: MakeAgent, tmp_path: Path) -> None:
    out, suite = tmp_path / "run.jsonl", make_suite(1)
    budget = Budget(usd="0.05", tools={"search": 3}, answer_reserve={"usd": "0.01"})
    run(suite, make_agent(right), budget, out=out, agent="a", model="m", seed=3)
    header = json.loads(out.read_text().splitlines()[0])

    assert {field: header[field] for field in ("kind", "suite", "agent", "model", "seed", "prompt")} == {
        "kind": "run",
        "suite": "towns",
        "agent": "a",
        "model": "m",
        "seed": 3,
        "prompt": "{question}",
    }
    assert header["budget"] == {"usd": 0.05, "tool:search": 3}
    assert header["answer_reserve"] == {"usd": 0.01}
    assert header["data"] == suite.checksums()
    assert {"python", "budgetkit", "langgraph"} <= set(header["versions"])


def test_the_line_holds_the_whole_spend_and_the_share_of_each_limit(
    run: Run, make_suite: MakeSuite, make_agent: MakeAgent, tmp_path: Path
) -> None:
    def spender(*_: object) -> str:
        scope_charge({"usd": "0.02", "pages": 3, "input_tokens": None})
        return "x"

    out = tmp_path / "run.jsonl"
    run(make_suite(1), make_agent(spender), Budget(usd="0.08", custom={"pages": 3, "dogs": 0}), out=out)
    line = records(out)["q0"]

    assert line["spend"]["usd"] == 0.02
    assert line["spend"]["pages"] == 3
    assert line["spend"]["input_tokens"] is None
    assert line["unmeasured"] == ["input_tokens"]
    assert line["limits"] == {"usd": 0.08, "pages": 3, "dogs": 0}
    assert line["share"] == {"usd": 0.25, "pages": 1.0, "dogs": None}
    assert line["level"] == "critical"
    assert line["overshoot"] == {"counted": {}, "booked": {}}


def test_overshoot_is_measured_by_the_tools_own_count_even_if_the_books_miss_it(
    run: Run, make_suite: MakeSuite, make_agent: MakeAgent, tmp_path: Path
) -> None:
    def reckless(question: str, search: BaseTool) -> str:
        for _ in range(5):
            search.func(question)  # type: ignore[attr-defined]  # past LangChain, past every hook
        return "x"

    out = tmp_path / "run.jsonl"
    run(make_suite(1), make_agent(reckless), Budget(tool_calls=4, tools={"search": 2}), out=out)
    line = records(out)["q0"]

    assert line["counted"] == {"tool:search": 5, "tool_calls": 5}
    assert line["overshoot"] == {"counted": {"tool:search": 3, "tool_calls": 1}, "booked": {}}


def test_overshoot_on_the_books_is_on_the_line(
    run: Run, make_suite: MakeSuite, make_agent: MakeAgent, tmp_path: Path
) -> None:
    def overspender(*_: object) -> str:
        with pytest.raises(BudgetExceeded):
            scope_charge({"pages": 5})
        return "x"

    out = tmp_path / "run.jsonl"
    run(make_suite(1), make_agent(overspender), Budget(custom={"pages": 3}), out=out)

    assert records(out)["q0"]["overshoot"] == {"counted": {}, "booked": {"pages": 2}}


def test_each_question_has_a_budget_and_an_audit_of_its_own(
    run: Run, make_suite: MakeSuite, make_agent: MakeAgent, tmp_path: Path
) -> None:
    meet = threading.Barrier(4)

    def together(question: str, search: BaseTool) -> str:
        meet.wait(timeout=20)  # all four are in flight at once
        scope_charge({"pages": 3})
        search.invoke({"query": question})
        return "x"

    out = tmp_path / "run.jsonl"
    run(make_suite(4), make_agent(together), Budget(custom={"pages": 3}), out=out, concurrency=4)

    assert {(r["spend"]["pages"], r["counted"]["tool:search"]) for r in records(out).values()} == {(3, 1)}


def test_an_agent_that_raises_scores_zero_and_the_eval_goes_on(
    run: Run, make_suite: MakeSuite, make_agent: MakeAgent, tmp_path: Path
) -> None:
    def fragile(question: str, search: BaseTool) -> str:
        scope_charge({"pages": 1})
        if "Town2?" in question:
            raise KeyError("lost")
        return right(question, search)

    out = tmp_path / "run.jsonl"
    run(make_suite(4), make_agent(fragile), Budget(), out=out)
    found = records(out)

    assert found["q2"]["error"] == "KeyError: 'lost'"
    assert (found["q2"]["em"], found["q2"]["answer"], found["q2"]["spend"]["pages"]) == (0, "", 1)
    assert [found[f"q{i}"]["em"] for i in (0, 1, 3)] == [1, 1, 1]


def test_a_budget_that_ends_by_raising_is_an_ending_and_an_error(
    run: Run, make_suite: MakeSuite, make_agent: MakeAgent, tmp_path: Path
) -> None:
    def spent(*_: object) -> str:
        scope_charge({"pages": 1})
        scope_charge({"pages": 1})
        return "x"

    out = tmp_path / "run.jsonl"
    run(make_suite(1), make_agent(spent), Budget(custom={"pages": 1}), out=out)
    line = records(out)["q0"]

    assert line["ended"] == {"ended": "raise", "resource": "pages"}
    assert line["error"] == ("BudgetExceeded: budget 'q0' is out of pages: limit 1, spent 1, reserved 0, asked 1")


def test_the_ending_that_the_final_message_names_is_on_the_line(
    run: Run, make_suite: MakeSuite, make_agent: MakeAgent, tmp_path: Path
) -> None:
    def always(*_: object) -> AIMessage:
        return AIMessage("x", response_metadata={"budgetkit": {"ended": "answer", "resource": "tool_calls"}})

    out = tmp_path / "run.jsonl"
    run(make_suite(1), make_agent(always), Budget(), out=out)

    assert records(out)["q0"]["ended"] == {"ended": "answer", "resource": "tool_calls"}


def test_a_model_without_a_price_ends_the_eval(
    run: Run, make_suite: MakeSuite, make_agent: MakeAgent, tmp_path: Path
) -> None:
    def priceless(*_: object) -> str:
        raise PriceUnknown("tiny")

    with pytest.raises(PriceUnknown, match="no price for model 'tiny'"):
        run(make_suite(3), make_agent(priceless), Budget(usd="1"), out=tmp_path / "run.jsonl")


def test_a_second_session_asks_only_what_has_no_line(
    run: Run, make_suite: MakeSuite, make_agent: MakeAgent, tmp_path: Path
) -> None:
    asked: list[str] = []

    def listening(question: str, _: BaseTool) -> str:
        asked.append(question)
        return "x"

    out, suite = tmp_path / "run.jsonl", make_suite(10)
    first = run(suite, make_agent(listening), Budget(), out=out, limit=4)
    second = run(suite, make_agent(listening), Budget(), out=out)
    third = run(suite, make_agent(listening), Budget(), out=out)

    assert (first.asked, second, third) == (4, EvalRun(out, 6, 4), EvalRun(out, 0, 10))
    assert len(asked) == len(set(asked)) == 10


def test_the_seed_is_the_order_and_a_limit_cuts_it(
    run: Run, make_suite: MakeSuite, make_agent: MakeAgent, tmp_path: Path
) -> None:
    suite = make_suite(12)

    def order(seed: int, limit: int | None = None) -> list[str]:
        out = tmp_path / f"{seed}-{limit}.jsonl"
        run(suite, make_agent(right), Budget(), out=out, seed=seed, limit=limit, concurrency=1)
        return [record["id"] for record in read_results(out)]

    whole = order(1)
    assert sorted(whole) == sorted(question.id for question in suite.read())
    assert whole != order(2) != [question.id for question in suite.read()]
    assert order(1, 5) == whole[:5]
    assert order(1, 99) == whole


def test_progress_counts_up_to_the_total_and_shows_each_new_line(
    run: Run, make_suite: MakeSuite, make_agent: MakeAgent, tmp_path: Path
) -> None:
    out, suite = tmp_path / "run.jsonl", make_suite(5)
    run(suite, make_agent(right), Budget(), out=out, limit=2)
    seen: list[Progress] = []
    run(suite, make_agent(right), Budget(), out=out, concurrency=2, on_progress=seen.append)

    assert [(p.done, p.total) for p in seen] == [(i, 5) for i in range(1, 6)]
    assert sum(p.latest is None for p in seen) == 2


def test_no_more_questions_are_in_flight_than_asked_for(
    run: Run, make_suite: MakeSuite, make_agent: MakeAgent, tmp_path: Path
) -> None:
    lock, flying, most = threading.Lock(), 0, 0

    def count(question: str, search: BaseTool) -> str:
        nonlocal flying, most
        with lock:
            flying += 1
            most = max(most, flying)
        search.invoke({"query": question})
        with lock:
            flying -= 1
        return "x"

    run(make_suite(30), make_agent(count), Budget(), out=tmp_path / "run.jsonl", concurrency=3)

    assert 1 <= most <= 3


def test_an_interrupt_finishes_what_is_in_flight_and_goes_through(
    make_suite: MakeSuite, make_agent: MakeAgent, tmp_path: Path
) -> None:
    asked: list[str] = []

    def listening(question: str, _: BaseTool) -> str:
        asked.append(question)
        return "x"

    def interrupt(_: Progress) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "run.jsonl"
    with pytest.raises(KeyboardInterrupt):
        run_eval(make_suite(50), make_agent(listening), Budget(), out=out, concurrency=4, on_progress=interrupt)

    assert 0 < len(records(out)) == len(asked) <= 5


async def test_a_cancelled_eval_leaves_whole_lines_and_no_task(
    make_suite: MakeSuite, make_agent: MakeAgent, tmp_path: Path
) -> None:
    out = tmp_path / "run.jsonl"
    enough = asyncio.Event()

    def watch(progress: Progress) -> None:
        if progress.done == 3:
            enough.set()

    job = asyncio.create_task(
        arun_eval(make_suite(200), make_agent(right), Budget(), out=out, concurrency=4, on_progress=watch)
    )
    await enough.wait()
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job

    assert 3 <= len(records(out)) < 200
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("argument", ["limit", "concurrency"])
def test_a_count_below_one_is_refused(
    run: Run, make_suite: MakeSuite, make_agent: MakeAgent, tmp_path: Path, argument: str
) -> None:
    arguments = {argument: 0}
    with pytest.raises(ValueError, match=f"^{argument}=0 must be at least 1$"):
        run(make_suite(1), make_agent(right), Budget(), out=tmp_path / "run.jsonl", **arguments)


def test_another_run_is_refused_before_an_agent_is_made(
    run: Run, make_suite: MakeSuite, make_agent: MakeAgent, tmp_path: Path
) -> None:
    out, suite = tmp_path / "run.jsonl", make_suite(2)
    run(suite, make_agent(right), Budget(tool_calls=5), out=out)

    def never(_: object) -> Agent:
        pytest.fail("an agent was made")

    wanted = "its budget is {'tool_calls': 5}, this run's is {'tool_calls': 6};"
    with pytest.raises(DataError, match=re.escape(wanted)):
        run(suite, never, Budget(tool_calls=6), out=out)


def test_an_open_budget_around_the_eval_is_spent_by_every_question(
    run: Run, make_suite: MakeSuite, make_agent: MakeAgent, tmp_path: Path
) -> None:
    def spender(*_: object) -> str:
        scope_charge({"pages": 2})
        return "x"

    with Budget(custom={"pages": 100}).open("whole eval") as whole:
        run(make_suite(6), make_agent(spender), Budget(custom={"pages": 2}), out=tmp_path / "run.jsonl")

    assert whole.spent["pages"] == 12
