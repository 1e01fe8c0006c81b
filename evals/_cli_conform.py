"""`budgetkit ledger conform`: every property of the books against every home of them, as a table."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from budgetkit import testing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from budgetkit.testing import LedgerFinding, LedgerHome, LedgerProperty

__all__ = ["conform"]

_ANY_ORDER: Final = "any operations in any order give what a brute-force recount gives"

Row = tuple["LedgerProperty", list["LedgerFinding"]]


def conform(
    urls: Annotated[
        list[str] | None,
        typer.Argument(metavar="[URL]...", help="memory://, sqlite:///file.db, postgresql://… or redis://…"),
    ] = None,
    examples: Annotated[
        int, typer.Option("--examples", min=0, help="Histories of random operations per home; 0: none.")
    ] = 50,
    only: Annotated[str, typer.Option("--only", help="Check the properties whose sentence contains this.")] = "",
) -> None:
    """Check that each home keeps the books right; print a table of homes and properties.

    Without a URL: memory, SQLite, and PostgreSQL and Redis on servers that are started for it (or those that
    BUDGETKIT_TEST_POSTGRES and BUDGETKIT_TEST_REDIS name). Every check has a file, a schema or a prefix of its own,
    which is deleted; what else is there stays untouched. Exit status 1 if anything is broken.
    """
    console = Console()
    with ExitStack() as servers:
        try:
            with console.status("starting servers ..."):
                homes = [_home(url) for url in urls or _own_homes(servers)]
            properties = _properties(examples)
        except ImportError as missing:
            raise typer.BadParameter(_what_to_install(missing)) from None
        rows = [_row(prop, homes, console) for prop in properties if only.lower() in str(prop).lower()]
    if not rows:
        raise typer.BadParameter(f"no property has {only!r} in its sentence", param_hint="--only")
    console.print(_table(rows, homes))
    told = [(home, found) for _, findings in rows for home, found in zip(homes, findings, strict=True)]
    broken = [(home, found) for home, found in told if not found.held]
    for home, found in broken:
        console.print(f"\n{home}: {found}", markup=False, highlight=False, soft_wrap=True)
    console.print(_summary(rows, len(broken)), highlight=False)
    raise typer.Exit(1 if broken else 0)


def _what_to_install(missing: ImportError) -> str:
    said = str(missing)
    return said if "pip install" in said else f"{said}: pip install 'budgetkit[testing]'"


def _own_homes(servers: ExitStack) -> list[str]:
    """One of each kind; servers are started where none is named."""
    postgres, redis = servers.enter_context(testing.postgres_server()), servers.enter_context(testing.redis_server())
    return ["memory://", "sqlite:///conform.db", postgres.url, redis.url]


def _home(url: str) -> LedgerHome:
    try:
        return testing.home_at(url)
    except ValueError as problem:
        raise typer.BadParameter(str(problem), param_hint="URL") from None


def _properties(examples: int) -> list[LedgerProperty]:
    """Those of the suite, and the state machine as one more."""
    if not examples:
        return [*testing.LEDGER_PROPERTIES]
    check_machine = testing.check_machine  # needs Hypothesis: said before anything is checked

    def any_order(home: LedgerHome) -> None:
        check_machine(lambda: home, examples=examples)

    return [*testing.LEDGER_PROPERTIES, testing.LedgerProperty("recount", _ANY_ORDER, any_order)]


def _row(prop: LedgerProperty, homes: Sequence[LedgerHome], console: Console) -> Row:
    with console.status(Text(f"{prop.group}: {prop.sentence}")):
        return prop, [testing.check_property(prop, home) for home in homes]


def _table(rows: list[Row], homes: Sequence[LedgerHome]) -> Table:
    made = Table("", "property", pad_edge=False)
    for home in homes:
        made.add_column(str(home), justify="center")
    before = ""
    for prop, findings in rows:
        if before and prop.group != before:
            made.add_section()
        made.add_row("" if prop.group == before else prop.group, prop.sentence, *map(_mark, findings))
        before = prop.group
    return made


def _mark(found: LedgerFinding) -> Text:
    if found.skipped is not None:
        return Text("-", style="dim")
    return Text("✓", style="green") if found.held else Text("✗", style="bold red")


def _summary(rows: list[Row], broken: int) -> str:
    checked = sum(found.skipped is None for _, findings in rows for found in findings)
    return f"\n{checked - broken} of {checked} hold (-: does not apply)."
