"""The command `budgetkit`: demo, run, eval, serve, prices."""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from budgetkit import BudgetTooSmall, LedgerError, PriceBook, PriceUnknown
from budgetkit.agents import ModelError, ServerError, VllmServer, serve

from ._cli_certify import certify_graph
from ._cli_eval import evaluate_suites
from ._cli_ledger import ledger_app
from ._cli_options import PRESET_LINES, BadInput, BudgetOption, DataOption, ModelOption, PricesOption, price_book
from ._cli_prices import price_table
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
app.command("eval", epilog=PRESET_LINES)(evaluate_suites)

app.add_typer(ledger_app, name="ledger")

_BAD_INPUT = 2


def run_command() -> None:
    """Run the command; bad input is one clear line and exit status 2."""
    try:
        app()
    except (DataError, LedgerError, ModelError, ServerError, PriceUnknown, BudgetTooSmall, BadInput) as problem:
        _fail(str(problem))


def _fail(message: str) -> NoReturn:
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"budgetkit: {message}", markup=False)
    sys.exit(_BAD_INPUT)


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
    made = Walk(question, budget, suite=suite, data=data, model=model, prices=price_book(prices), tracker=tracker)
    try:
        walk(made, Console())
    except ValueError as problem:
        raise BadInput(str(problem)) from None


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
    book = price_book(file) or PriceBook()
    table = price_table(book, name)
    if not table.rows:
        raise BadInput(f"no price is known for a name with {name!r} in it: {PriceUnknown(name)}")
    Console().print(table)
