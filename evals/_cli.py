"""The command `budgetkit`: demo, run, eval, serve, prices."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from budgetkit import Budget, BudgetTooSmall, LedgerError, PriceBook, PriceUnknown
from budgetkit.agents import ModelError, ServerError, VllmServer, serve

from ._cli_certify import certify_graph
from ._cli_eval import run_with_progress
from ._cli_ledger import ledger_app
from ._cli_prices import price_table
from ._evaluate import EvalSettings
from ._records import DataError
from ._walk import DEMO, Walk, walk

__all__ = ["app", "run_command"]

app = typer.Typer(
    help="Budgets that hold for tool-using agents: limits, awareness, and a real answer at the end.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

app.command("certify")(certify_graph)

app.add_typer(ledger_app, name="ledger")

_INTERRUPTED = 130
_BAD_INPUT = 2


def run_command() -> None:
    """Run the command; bad input is one clear line and exit status 2."""
    try:
        app()
    except (DataError, LedgerError, ModelError, ServerError, PriceUnknown, BudgetTooSmall, _BadInput) as problem:
        _fail(str(problem))


class _BadInput(Exception):  # noqa: N818 - ends as a line of text
    """What the user typed cannot be used."""


def _fail(message: str) -> NoReturn:
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"budgetkit: {message}", markup=False)
    sys.exit(_BAD_INPUT)


def _budget(text: str) -> Budget:
    try:
        return Budget.parse(text)
    except (ValueError, TypeError) as problem:
        raise typer.BadParameter(str(problem)) from None


def _prices(path: Path | None) -> PriceBook | None:
    try:
        return None if path is None else PriceBook.from_toml(path)
    except (ValueError, TypeError, OSError) as problem:
        raise _BadInput(str(problem)) from None


BudgetOption = Annotated[
    Any,
    typer.Option(
        "--budget",
        parser=_budget,
        metavar="LIMITS",
        help="Limits for each question: tool_calls=5,usd=0.05,tool:search=3 ...",
    ),
]
ModelOption = Annotated[
    str, typer.Option("--model", help="offline, the URL of a server (http://host:8000/v1), or provider:model.")
]
PricesOption = Annotated[
    Path | None, typer.Option("--prices", metavar="FILE", help="A TOML file with the prices of models and tools.")
]
DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="The folder that holds the suites' files.")
]


@app.command()
def demo() -> None:
    """Watch an agent work under a budget: each step, its price, what is left, and the end from the reserve.

    Needs no key and no network.
    """
    walk(DEMO, Console())


@app.command()
def run(
    question: Annotated[str, typer.Argument(help="What to ask.")],
    suite: Annotated[str, typer.Option("--suite", help="Whose passages to search.")] = "sample",
    data: DataOption = None,
    model: ModelOption = "offline",
    budget: BudgetOption = "tool_calls=5",
    prices: PricesOption = None,
    tracker: Annotated[bool, typer.Option(help="Tell the agent what is left.")] = True,
) -> None:
    """Ask one question, and see each step and its price."""
    made = Walk(question, budget, suite=suite, data=data, model=model, prices=_prices(prices), tracker=tracker)
    try:
        walk(made, Console())
    except ValueError as problem:
        raise _BadInput(str(problem)) from None


@app.command("eval")
def evaluate_suite(
    suite: Annotated[str, typer.Argument(help="sample, hotpotqa, 2wikimultihopqa, musique or bamboogle.")] = "sample",
    data: DataOption = None,
    agent: Annotated[str, typer.Option("--agent", help="The agent that answers.")] = "react",
    model: ModelOption = "offline",
    budget: BudgetOption = "tool_calls=5",
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Ask only so many questions.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the order of questions.")] = 0,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, help="Questions in flight.")] = 8,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The results file, a JSON line a question.")
    ] = None,
    prices: PricesOption = None,
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=1, help="Output tokens of one model call.")] = 256,
    tracker: Annotated[bool, typer.Option(help="Tell the agent what is left.")] = True,
) -> None:
    """Ask a suite's questions; print quality and spend side by side.

    Started again with the same arguments, it goes on where it stopped.
    """
    settings = EvalSettings(
        suite=suite,
        data=data,
        agent=agent,
        model=model,
        budget=budget,
        limit=limit,
        seed=seed,
        concurrency=concurrency,
        out=out,
        prices=_prices(prices),
        tracker=tracker,
        max_tokens=max_tokens,
    )
    try:
        run_with_progress(settings, Console())
    except KeyboardInterrupt:
        Console(stderr=True).print(
            f"\nStopped; what was done is in {settings.path}. The same command goes on from there."
        )
        sys.exit(_INTERRUPTED)
    except ValueError as problem:
        raise _BadInput(str(problem)) from None


@app.command("serve")
def serve_model(
    model: Annotated[
        str, typer.Argument(help="A model folder, a model's name, or 'small' (ships as a package).")
    ] = "small",
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option("--port", help="The port; a free one if left out.")] = None,
    python: Annotated[str | None, typer.Option("--python", help="The interpreter that has vLLM.")] = None,
    max_model_len: Annotated[int | None, typer.Option("--max-model-len", help="The longest prompt and answer.")] = None,
    tool_parser: Annotated[str, typer.Option("--tool-parser", help="How this model writes tool calls.")] = "hermes",
) -> None:
    """Start a local vLLM server with the flags that budgets need, until Ctrl-C."""
    console = Console()

    def ready(server: VllmServer) -> None:
        console.print(f"serving {model} at {server.url} (Ctrl-C stops it)", soft_wrap=True)
        console.print(f"try: budgetkit eval sample --model {server.url} --budget tool_calls=3", soft_wrap=True)

    console.print(f"starting {model} ...")
    serve(
        model, on_ready=ready, host=host, port=port, python=python, max_model_len=max_model_len, tool_parser=tool_parser
    )


@app.command()
def prices(
    name: Annotated[str, typer.Argument(help="Show the models and tools whose name contains this.")] = "",
    file: PricesOption = None,
) -> None:
    """List what models and tools cost, and where the price comes from."""
    book = _prices(file) or PriceBook()
    table = price_table(book, name)
    if not table.rows:
        raise _BadInput(f"no price is known for a name with {name!r} in it: {PriceUnknown(name)}")
    Console().print(table)
