"""Tools that answer with a `Command`: what it writes into the state, and the same command with another update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from langgraph.types import Command

__all__ = ["update_of", "with_update"]


def update_of(command: Command[Any]) -> dict[str, Any]:
    """The update by state key; empty where it is written in another form."""
    update: object = command.update
    return dict(cast("Mapping[str, Any]", update)) if isinstance(update, Mapping) else {}


def with_update(command: Command[Any], update: dict[str, Any]) -> Command[Any]:
    """The command with another update."""
    return Command(graph=command.graph, update=update, resume=command.resume, goto=command.goto)
