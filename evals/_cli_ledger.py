"""The commands of `budgetkit ledger`."""

from __future__ import annotations

import typer

from ._cli_accounts import accounts_app
from ._cli_conform import conform

__all__ = ["ledger_app"]

ledger_app = typer.Typer(help="Look at the books, change them, and see whether they hold.", no_args_is_help=True)
ledger_app.add_typer(accounts_app)
ledger_app.command()(conform)
