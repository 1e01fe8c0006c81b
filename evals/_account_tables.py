"""Accounts as tables and lines: what `budgetkit ledger` shows and exports."""

from __future__ import annotations

import csv
import json
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from rich.table import Table
from rich.text import Text

from budgetkit import Spend, by_label

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from budgetkit import Account, AccountState, Ledger, Reservation

__all__ = ["account_from", "accounts_table", "charge_rows", "labels_table", "path_of", "state_table", "walk", "write"]


def path_of(account: Account) -> str:
    """An account as people type it: parts joined by ``/``, what would be misread in percent signs."""
    return "/".join("".join(c if c.isprintable() and c not in "/%" else _escaped(c) for c in part) for part in account)


def _escaped(char: str) -> str:
    return quote(char, safe="", errors="surrogatepass")


def account_from(path: str) -> Account:
    """The account of a path as `path_of` writes it."""
    return tuple(unquote(part, errors="surrogatepass") for part in path.split("/")) if path else ()


def walk(ledger: Ledger, account: Account, *, deep: bool) -> Iterator[Account]:
    """The accounts below this one, parents before their children; only the next ones unless ``deep``."""
    for child in ledger.children(account):
        yield child
        if deep:
            yield from walk(ledger, child, deep=True)


def accounts_table(states: Iterable[AccountState]) -> Table:
    """One line an account: what is spent of each limit."""
    table = Table("account", "spent of limit", "window", "", title_justify="left")
    for state in states:
        table.add_row(
            Text(path_of(state.account)),
            Text(", ".join(_of_limit(state, name) for name in state.limits) or _shown(state.spent) or "nothing"),
            "" if state.window is None else str(state.window),
            "frozen" if state.frozen else "",
        )
    return table


def _of_limit(state: AccountState, name: str) -> str:
    limit = Spend.from_units({name: state.limits[name]})[name]
    return f"{name} {state.spent[name] or 0}/{limit}"


def state_table(state: AccountState) -> Table:
    """One account: a line a resource."""
    frozen = ", frozen" if state.frozen else ""
    window = "" if state.window is None else f", per {state.window}"
    table = Table("resource", title=Text(f"{path_of(state.account)}{window}{frozen}"), title_justify="left")
    for column in ("limit", "spent", "reserved", "kept", "left"):
        table.add_column(column, justify="right")
    for name in dict.fromkeys((*state.limits, *state.spent, *state.reserved)):
        limit = "-" if name not in state.limits else str(Spend.from_units({name: state.limits[name]})[name])
        amounts = [str(spend[name] or 0) for spend in (state.spent, state.reserved, state.kept)]
        table.add_row(Text(name), limit, *amounts, str(state.remaining.get(name, "-")))
    return table


def labels_table(charges: Iterable[Reservation]) -> Table:
    """Who spent what."""
    table = Table("label", "spent", title="by label", title_justify="left")
    for label, spend in by_label(charges).items():
        table.add_row(Text(label or "-"), Text(_shown(spend)))
    return table


def _shown(spend: Spend) -> str:
    return ", ".join(f"{name} {spend[name]}" for name in spend)


# -- export -----------------------------------------------------------------------------------------------------------


def charge_rows(charges: Iterable[Reservation]) -> Iterator[dict[str, Any]]:
    """One row a charge; amounts as strings, so that no reader rounds them."""
    for call in charges:
        spend = call.spend or Spend()
        yield {
            "account": path_of(call.account),
            "id": call.id,
            "attempt": call.attempt,
            "label": call.label,
            "estimated": sorted(spend.estimated),
            "spend": {name: None if spend[name] is None else str(spend[name]) for name in spend},
            "overshoot": {name: str(call.overshoot[name]) for name in call.overshoot},
        }


def write(rows: Iterable[dict[str, Any]], out: IO[str], *, as_csv: bool) -> int:
    """Write rows as JSON lines, or as CSV with a column a resource; returns how many."""
    if not as_csv:
        return sum(1 for row in rows if out.write(json.dumps(row) + "\n"))
    flat = [_flat(row) for row in rows]
    writer = csv.DictWriter(out, list(dict.fromkeys(name for row in flat for name in row)), restval="0")
    writer.writeheader()
    writer.writerows(flat)
    return len(flat)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    same = {name: row[name] for name in ("account", "id", "attempt", "label")}
    return {**same, "estimated": " ".join(row["estimated"]), **row["spend"]}
