"""`budgetkit certify`: what a graph can cost at most, without running it."""

from __future__ import annotations

import sys
from functools import reduce
from importlib import import_module
from inspect import isfunction
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from budgetkit import Budget
from budgetkit.plugins import certify

from ._cli_options import one_budget

__all__ = ["certify_graph"]

_UNBOUNDED = 1


def certify_graph(
    graph: Annotated[
        str,
        typer.Argument(metavar="MODULE:GRAPH", help="A compiled graph, or a function that makes one."),
    ],
    budget: Annotated[str, typer.Option("--budget", metavar="LIMITS", help="The limits of one run: usd=0.05 ...")],
    recursion_limit: Annotated[
        int | None, typer.Option("--recursion-limit", min=1, help="The one that the graph is invoked with.")
    ] = None,
    free: Annotated[
        list[str] | None,
        typer.Option("--free", metavar="PLACE", help="A node, tool or branch that calls no model and no tool; repeat."),
    ] = None,
    at_most: Annotated[
        list[str] | None,
        typer.Option("--at-most", metavar="PLACE:LIMITS", help="What one execution of a place costs at most; repeat."),
    ] = None,
) -> None:
    """Prove what one run of a graph can cost at most, or name what nothing bounds. Nothing is run.

    Exit status 0 if everything is bounded, 1 if not, 2 for a slip in the command.
    """
    declared = dict(map(_declared, at_most or []))
    try:
        certificate = certify(
            _load(graph), one_budget(budget), recursion_limit=recursion_limit, free=free or (), at_most=declared
        )
    except (TypeError, ValueError) as problem:
        raise typer.BadParameter(str(problem)) from None
    Console(soft_wrap=True, highlight=False).print(str(certificate), markup=False)
    if not certificate.bounded:
        raise typer.Exit(_UNBOUNDED)


def _declared(text: str) -> tuple[str, Budget]:
    place, colon, limits = text.partition(":")
    if not (place and colon):
        raise typer.BadParameter(f"{text!r} must read like 'summarize:llm_calls=1,usd=0.01'", param_hint="--at-most")
    return place, one_budget(limits)


def _load(target: str) -> Any:
    """The graph that ``module:name`` names, the current folder included."""
    module_name, colon, name = target.partition(":")
    if not (module_name and colon and name):
        raise typer.BadParameter(f"{target!r} must read like 'my_module:graph'", param_hint="MODULE:GRAPH")
    module = _module(module_name)
    try:
        found = reduce(getattr, name.split("."), module)
    except AttributeError:
        graphs = [key for key in dir(module) if hasattr(getattr(module, key), "builder")]
        hint = f"it has {', '.join(map(repr, graphs))}" if graphs else "and no compiled graph either"
        raise typer.BadParameter(f"module {module_name!r} has no {name!r}: {hint}", param_hint="MODULE:GRAPH") from None
    return found() if isfunction(found) else found


def _module(name: str) -> Any:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name is None or not f"{name}.".startswith(f"{missing.name}."):
            raise
        raise typer.BadParameter(f"there is no module {name!r} here or installed", param_hint="MODULE:GRAPH") from None
