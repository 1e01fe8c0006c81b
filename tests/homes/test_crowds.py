"""Crowds on one budget: by the server's own count never one unit over, and never a unit that nobody could spend.

Every call here costs one unit, so a crowd that asks for more than the cap makes exactly as many calls as the cap.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from operator import add
from subprocess import PIPE
from threading import Barrier, Event
from typing import Annotated, Any, TypedDict, TypeVar

import pytest
from langchain.agents import create_agent
from langgraph.graph import START, StateGraph  # pyright: ignore[reportMissingTypeStubs]  # it has types of its own
from langgraph.types import Send

from budgetkit import Budget, BudgetExceeded, Spend
from budgetkit.plugins import BudgetMiddleware, budgeted
from budgetkit.testing import MockOpenAIServer

pytestmark = pytest.mark.enable_socket
T = TypeVar("T")
ONE = Spend(llm_calls=1)
ASKED = {"messages": [("user", "one two three")]}
WORKER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.request import Request, urlopen
from budgetkit import Budget, BudgetExceeded, Ledger, Spend

books, server, cap, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
budget, one, ledger = Budget(llm_calls=cap), Spend(llm_calls=1), Ledger.from_url(books)

def work(_):
    made = 0
    with budget.open("run", id="crowd", ledger=ledger) as run:
        while True:
            try:
                call = run.reserve(one)
            except BudgetExceeded:
                return made
            urlopen(Request(server, b'{"messages": []}', {"Content-Type": "application/json"})).read()
            run.settle(call, one)
            made += 1

print("ready", flush=True)
input()
with ThreadPoolExecutor(threads) as pool:
    print(sum(pool.map(work, range(threads))), flush=True)
"""
"""A client in a process of its own. LangChain would take each of them seconds to import, and adds nothing here."""


class Answers(TypedDict):
    answers: Annotated[list[str], add]


def fan_out(work: Any, branches: int) -> Any:
    """A graph that sends as many branches to one node."""

    def split(_: Answers) -> Sequence[Send]:
        return [Send("work", {"answers": []}) for _ in range(branches)]

    graph = StateGraph(Answers).add_node("work", work)
    return graph.add_conditional_edges(START, split, ["work"]).compile()


def all_at_once(threads: int, work: Callable[[int, Event], T]) -> list[T]:
    """What each thread brings home; all begin together, and each can see whether another one failed."""
    gate, failed = Barrier(threads), Event()

    def begin(i: int) -> T:
        gate.wait()
        try:
            return work(i, failed)
        except BaseException:
            failed.set()
            raise

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(begin, range(threads)))


def refused(_: Any) -> Answers:
    return {"answers": ["refused"]}


async def run(way: str, graph: Any) -> list[str]:
    result = graph.invoke({"answers": []}) if way == "invoke" else await graph.ainvoke({"answers": []})
    answers: list[str] = result["answers"]
    return answers


ways = pytest.mark.parametrize("way", ["invoke", "ainvoke"])


@ways
@pytest.mark.parametrize(("branches", "cap"), [(8, 3), (64, 41), (64, 64)])
@pytest.mark.parametrize("share", [None, Budget(llm_calls=1)], ids=["pool", "share"])
async def test_branches_make_exactly_as_many_calls_as_the_budget_has(
    branches: int, cap: int, share: Budget | None, way: str, home: Any, kit: Any
) -> None:
    budget, ledger = Budget(llm_calls=cap), home.ledger()
    with MockOpenAIServer("an answer") as server, budget.open("run", id="crowd", ledger=ledger) as scope:
        model = kit.chat(server)

        async def ask(_: Answers) -> Answers:
            return {"answers": [(await model.ainvoke("hello")).text]}

        def ask_now(_: Answers) -> Answers:
            return {"answers": [model.invoke("hello").text]}

        work = budgeted(ask if way == "ainvoke" else ask_now, budget, share=share, otherwise=refused, prices=kit.PRICES)
        answers = await run(way, fan_out(work, branches))
        assert (server.calls, answers.count("an answer"), answers.count("refused")) == (cap, cap, branches - cap)
        assert scope.spent["llm_calls"] == cap
    kit.assert_sound(home.ledger(), ("crowd",))


@ways
async def test_agents_in_branches_make_exactly_as_many_calls_as_the_budget_has(way: str, home: Any, kit: Any) -> None:
    budget = Budget(llm_calls=20)
    with MockOpenAIServer("an answer") as server, budget.open("run", id="crowd", ledger=home.ledger()) as scope:
        agent: Any = create_agent(
            kit.chat(server), middleware=[BudgetMiddleware(budget, at_end="stop", tracker=False, prices=kit.PRICES)]
        )

        async def ask(_: Answers) -> Answers:
            return {"answers": [(await agent.ainvoke(ASKED))["messages"][-1].text]}

        def ask_now(_: Answers) -> Answers:
            return {"answers": [agent.invoke(ASKED)["messages"][-1].text]}

        answers = await run(way, fan_out(ask if way == "ainvoke" else ask_now, 64))
        assert (server.calls, answers.count("an answer"), len(answers)) == (20, 20, 64)
        assert scope.spent["llm_calls"] == 20
    kit.assert_sound(home.ledger(), ("crowd",))


async def test_a_thousand_branches_make_exactly_as_many_calls_as_the_budget_has(home: Any, kit: Any) -> None:
    """All at once. The budget is such that a process which may open 1,024 files can hold both ends of each call."""
    budget = Budget(llm_calls=257)
    with MockOpenAIServer("an answer") as server, budget.open("run", id="crowd", ledger=home.ledger()) as scope:
        model = kit.chat(server)

        async def ask(_: Answers) -> Answers:
            return {"answers": [(await model.ainvoke("hello")).text]}

        work = budgeted(ask, budget, otherwise=refused, prices=kit.PRICES)
        answers = await run("ainvoke", fan_out(work, 1_000))
        assert (server.calls, answers.count("an answer"), answers.count("refused")) == (257, 257, 743)
        assert scope.spent["llm_calls"] == 257
    kit.assert_sound(home.ledger(), ("crowd",))


def test_sixty_four_threads_make_exactly_as_many_calls_as_the_budget_has(home: Any, kit: Any) -> None:
    """Each joins the one account by its id, as the requests of one user do, and goes on until it is refused."""
    budget, ledger = Budget(llm_calls=200), home.ledger()
    with MockOpenAIServer("an answer") as server:
        model = kit.chat(server)
        ask: Any = budgeted(lambda _: model.invoke("hello"), budget, prices=kit.PRICES)

        def work(_: int, __: Event) -> int:
            made = 0
            with budget.open("run", id="crowd", ledger=ledger):
                while True:
                    try:
                        ask({})
                    except BudgetExceeded:
                        return made
                    made += 1

        assert sum(all_at_once(64, work)) == server.calls == 200
    kit.assert_sound(home.ledger(), ("crowd",))


def test_what_a_crowd_gives_back_is_there_for_the_others(home: Any, kit: Any) -> None:
    """Everybody reserves five and uses one: in the end only what nobody could reserve any more is left."""
    budget, ledger = Budget(llm_calls=100), home.ledger()

    def work(_: int, failed: Event) -> int:
        made = 0
        with budget.open("run", id="crowd", ledger=ledger) as scope:
            while not failed.is_set():
                try:
                    call = scope.reserve(Spend(llm_calls=5))
                except BudgetExceeded as refusal:
                    if refusal.limit - refusal.spent < 5:
                        break
                    continue
                scope.settle(call, ONE)
                made += 1
        return made

    made = sum(all_at_once(8, work))
    assert ledger.states(("crowd",))[-1].spent["llm_calls"] == made == 96
    kit.assert_sound(home.ledger(), ("crowd",))


def test_every_level_of_a_tree_holds_in_a_crowd(home: Any, kit: Any) -> None:
    """Users of one tenant, each with a limit of their own, of which the tenant cannot pay all."""
    ledger = home.ledger()
    tenant, user = Budget(llm_calls=50), Budget(llm_calls=15)
    with tenant.open("tenant", id="t", ledger=ledger) as parent:

        def work(i: int, _: Event) -> tuple[str, int]:
            name, made = f"user-{i % 4}", 0
            with user.open("user", id=name, parent=parent) as scope:
                while True:
                    try:
                        scope.settle(scope.reserve(ONE), ONE)
                    except BudgetExceeded:
                        return name, made
                    made += 1

        told = all_at_once(8, work)
    by_user = {name: sum(made for who, made in told if who == name) for name, _ in told}
    assert sum(by_user.values()) == 50
    assert max(by_user.values()) <= 15
    for name, made in by_user.items():
        assert ledger.states(("t", name))[-1].spent["llm_calls"] == made
        kit.assert_sound(home.ledger(), ("t", name))


async def test_one_id_reserved_by_everybody_is_one_call(home: Any, kit: Any) -> None:
    ledger = home.ledger()
    await ledger.aopen(("crowd",), {"llm_calls": 1})

    async def work() -> None:
        await ledger.asettle(await ledger.areserve(("crowd",), ONE, id="same"), ONE)

    await asyncio.gather(*(work() for _ in range(64)))
    assert [call.id for call in ledger.charges(("crowd",))] == ["same"]
    kit.assert_sound(home.ledger(), ("crowd",))


@pytest.mark.parametrize(
    ("processes", "threads"), [(8, 1), (2, 32)], ids=["eight processes", "two machines with a pool each"]
)
def test_processes_make_exactly_as_many_calls_as_the_budget_has(
    processes: int, threads: int, shared_home: Any, kit: Any
) -> None:
    with MockOpenAIServer("an answer") as server:
        made = crowd_of_processes(processes, [shared_home.url, f"{server.base_url}/chat/completions", "150", threads])
        assert (server.calls, sum(made)) == (150, 150)
    kit.assert_sound(shared_home.ledger(), ("crowd",))


def crowd_of_processes(processes: int, arguments: Sequence[object]) -> list[int]:
    """Start workers, let them begin together, and return what each says that it made."""
    command = [sys.executable, "-c", WORKER, *map(str, arguments)]
    with ExitStack() as open_pipes:
        workers: list[Any] = [
            open_pipes.enter_context(subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True))  # noqa: S603 - our own code
            for _ in range(processes)
        ]
        ready = [worker.stdout.readline() for worker in workers]
        assert ready == ["ready\n"] * processes
        for worker in workers:
            worker.stdin.write("\n")
            worker.stdin.flush()
        return [int(worker.communicate()[0]) for worker in workers]
