"""The commands of `budgetkit ledger` that look at accounts and change them."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer
from rich.console import Console

from budgetkit import Ledger, Spend, verify

from ._account_tables import (
    account_from,
    accounts_table,
    charge_rows,
    labels_table,
    path_of,
    state_table,
    walk,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from budgetkit import Account

__all__ = ["accounts_app"]

accounts_app = typer.Typer(no_args_is_help=True)

UrlOption = Annotated[
    str,
    typer.Option(
        "--ledger",
        envvar="BUDGETKIT_LEDGER",
        metavar="URL",
        help="sqlite:///file.db, postgresql://… or redis://…; or set BUDGETKIT_LEDGER.",
    ),
]
PathArgument = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Its path, such as acme/ada; / in a name is %2F.")]
AmountsArgument = Annotated[str, typer.Argument(metavar="AMOUNTS", help="Such as usd=5,llm_calls=10.")]


@contextmanager
def _opened(url: str) -> Generator[Ledger]:
    try:
        ledger = Ledger.from_url(url)
    except (ValueError, ImportError) as problem:
        raise typer.BadParameter(str(problem), param_hint="--ledger") from None
    try:
        yield ledger
    finally:
        getattr(ledger, "disconnect", _nothing)()  # books in memory have no connections


def _nothing() -> None:
    """Nothing is left to do."""


def _account(path: str) -> Account:
    if not path:
        raise typer.BadParameter("an account has a name", param_hint="ACCOUNT")
    return account_from(path)


def _amounts(text: str, *, removable: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in text.split(","):
        name, equals, amount = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise typer.BadParameter(f"{part!r} is no amount: write it like usd=5", param_hint="AMOUNTS")
        if removable and amount == "none":
            found[name] = None
        else:
            found[name] = int(amount) if amount.isdecimal() else amount
    return found


def _units(amounts: dict[str, Any]) -> Spend:
    try:
        return Spend.of(amounts)
    except (ValueError, TypeError) as problem:
        raise typer.BadParameter(str(problem), param_hint="AMOUNTS") from None


@accounts_app.command("ls")
def list_accounts(
    url: UrlOption,
    account: Annotated[str, typer.Argument(metavar="[ACCOUNT]", help="Below which; all trees if left out.")] = "",
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="And all below those.")] = False,
) -> None:
    """List accounts with what is spent of their limits."""
    with _opened(url) as ledger:
        below = walk(ledger, account_from(account), deep=recursive)
        Console().print(accounts_table(ledger.states(path)[-1] for path in below))


@accounts_app.command("show")
def show_account(account: PathArgument, url: UrlOption) -> None:
    """Show one account, the accounts above it, and who spent what."""
    with _opened(url) as ledger:
        path = _account(account)
        for state in ledger.states(path):
            Console().print(state_table(state))
        Console().print(labels_table(ledger.charges(path)))


@accounts_app.command("top-up")
def top_up(
    account: PathArgument,
    amounts: AmountsArgument,
    url: UrlOption,
    name: Annotated[str | None, typer.Option("--id", help="The same id is applied once.")] = None,
) -> None:
    """Raise limits by so much."""
    with _opened(url) as ledger:
        path = _account(account)
        ledger.top_up(path, _units(_amounts(amounts)), id=name or uuid4().hex)
        Console().print(state_table(ledger.states(path)[-1]))


@accounts_app.command("limit")
def set_limits(account: PathArgument, amounts: AmountsArgument, url: UrlOption) -> None:
    """Set limits to so much, up or down; usd=none takes a limit away."""
    with _opened(url) as ledger:
        path, wanted = _account(account), _amounts(amounts, removable=True)
        units = _units({name: n for name, n in wanted.items() if n is not None})
        ledger.set_limits(path, {name: None if n is None else units.in_units(name) for name, n in wanted.items()})
        Console().print(state_table(ledger.states(path)[-1]))


@accounts_app.command("freeze")
def freeze(account: PathArgument, url: UrlOption) -> None:
    """Admit nothing more on an account and below it."""
    with _opened(url) as ledger:
        ledger.freeze(_account(account))
        Console().print(f"{path_of(_account(account))} is frozen", markup=False)


@accounts_app.command("unfreeze")
def unfreeze(account: PathArgument, url: UrlOption) -> None:
    """Undo freeze."""
    with _opened(url) as ledger:
        ledger.unfreeze(_account(account))
        Console().print(f"{path_of(_account(account))} is open again", markup=False)


@accounts_app.command("verify")
def verify_books(
    url: UrlOption, root: Annotated[str | None, typer.Argument(help="One tree; all if left out.")] = None
) -> None:
    """Rebuild the balances from the journal and compare; exit status 1 if they differ."""
    with _opened(url) as ledger:
        found = verify(ledger, root and account_from(root)[0])
    console = Console(soft_wrap=True, highlight=False)
    for difference in found.differences:
        console.print(difference, markup=False)
    verdict = "the balances are what the journal says" if found else f"{len(found.differences)} differences"
    console.print(f"{found.accounts} accounts, {found.calls} calls, {found.entries} entries of the journal: {verdict}")
    if not found:
        raise typer.Exit(1)


@accounts_app.command("export")
def export(
    url: UrlOption,
    account: Annotated[str, typer.Argument(metavar="[ACCOUNT]", help="Whose charges; all if left out.")] = "",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="A .csv or .jsonl file; else JSON lines on the screen.")
    ] = None,
) -> None:
    """Write every charge: account, id, label, what it cost, by how much it broke a limit."""
    with _opened(url) as ledger:
        paths = [account_from(account)] if account else list(ledger.children())
        rows = charge_rows(call for path in paths for call in ledger.charges(path))
        if out is None:
            write(rows, sys.stdout, as_csv=False)
            return
        with out.open("w", newline="", encoding="utf-8") as file:
            count = write(rows, file, as_csv=out.suffix == ".csv")
        Console().print(f"{count} charges written to {out}", markup=False)
