"""One question, step by step: what the agent did, what it cost, what was left."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from rich.box import SIMPLE
from rich.table import Table

from budgetkit import Budget, Level, ModelPrice, PriceBook, Scope
from budgetkit.agents import chat_model, react

from ._search_tool import search_tool
from ._suites import find_suite

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from rich.console import Console

__all__ = ["DEMO", "Walk", "walk"]

_COLOURS: Final = {Level.HIGH: "green", Level.MEDIUM: "yellow", Level.LOW: "dark_orange", Level.CRITICAL: "red"}


@dataclass(frozen=True, slots=True)
class Walk:
    """What to ask, of whom, and within which limits."""

    question: str
    budget: Budget
    suite: str = "sample"
    data: Path | None = None
    model: str = "offline"
    prices: PriceBook | None = None
    tracker: bool = True


DEMO: Final = Walk(
    "Which lake does the river that passes under the Lantern Bridge flow into?",
    Budget(usd="0.004", llm_calls=8, tool_calls=2),
    prices=PriceBook(models={"offline": ModelPrice(input="1", output="4")}, tools={"search": "0.0005"}),
)
"""A question whose answer is two searches away, and a budget for two; the offline model is priced as if it were a small
hosted one, so that there are dollars to see."""


def walk(made: Walk, console: Console) -> None:
    """Ask the question; print each step, and the bill."""
    model = chat_model(made.model)
    suite = find_suite(made.suite, made.data)
    agent = react(model, [search_tool(suite.load_corpus())], made.budget, tracker=made.tracker, prices=made.prices)
    console.print(f"[bold]{made.question}[/bold]")
    console.print(f"model {made.model} · suite {made.suite} · {made.budget}\n", highlight=False, soft_wrap=True)
    began = perf_counter()
    with made.budget.open("walk") as run:
        table, last = _steps(agent, made, run)
        console.print(table)
        _bill(run, last, perf_counter() - began, console)


def _steps(agent: Any, made: Walk, run: Scope) -> tuple[Table, BaseMessage | None]:
    table, last, before = Table(box=SIMPLE, show_lines=True, expand=True), None, 0
    for name in ("", "what", "cost", "left", "level"):
        table.add_column(name, ratio=1 if name == "what" else None, no_wrap=name != "what")
    for number, message in enumerate(_messages(agent, made.question), 1):
        charges = run.charges
        cost = "\n".join(_cost(charge.spend) for charge in charges[before:])
        table.add_row(str(number), _what(message), cost, _left(run), f"[{_COLOURS[run.level]}]{run.level}[/]")
        before, last = len(charges), message
    return table, last


def _messages(agent: Any, question: str) -> Iterator[BaseMessage]:
    for update in agent.stream({"messages": [("user", question)]}, stream_mode="updates"):
        for change in update.values():
            yield from change["messages"] if change and "messages" in change else ()


def _what(message: BaseMessage) -> str:
    if isinstance(message, AIMessage) and message.tool_calls:
        return "\n".join(f"{c['name']}({', '.join(map(str, c['args'].values()))!r})" for c in message.tool_calls)
    if isinstance(message, ToolMessage):
        titles = [line for line in message.text.splitlines() if line.startswith("[") and "] " in line]
        return "found: " + "; ".join(title.partition("] ")[2] for title in titles) if titles else message.text
    return f"[bold]answer: {message.text.splitlines()[0] if message.text else ''}[/bold]"


def _cost(spend: Mapping[str, Any] | None) -> str:
    if spend is None:
        return "?"
    what = f"{spend['input_tokens']} in, {spend['output_tokens']} out" if spend["llm_calls"] else "1 tool call"
    return f"{what}\n{_dollars(spend['usd'])}" if spend["usd"] else what


def _left(run: Scope) -> str:
    return "\n".join(_dollars(n) if name == "usd" else f"{n} {_short(name)}" for name, n in run.remaining.items())


def _short(name: str) -> str:
    return name.removeprefix("tool:").replace("_", " ")


def _dollars(amount: Any) -> str:
    return f"${Decimal(amount or 0):.4f}"


def _bill(run: Scope, last: BaseMessage | None, seconds: float, console: Console) -> None:
    ended = last.response_metadata.get("budgetkit") if isinstance(last, AIMessage) else None
    if ended:
        how = "from the answer reserve" if ended["ended"] == "answer" else "without a further call"
        console.print(f"The budget for [bold]{ended['resource']}[/bold] ended; the answer was given {how}.")
    else:
        console.print("The agent answered by itself, within its budget.")
    console.print(f"spent: {run.spent}", highlight=False, soft_wrap=True)
    console.print(f"over a limit: {run.overshoot or 'nothing'} · {seconds:.1f} s\n", highlight=False)
    if last is not None:
        console.print(last.text)
