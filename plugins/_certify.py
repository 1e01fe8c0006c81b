"""`certify`: what a run of a compiled graph can cost at most, proven without running it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from langgraph.graph.state import CompiledStateGraph  # pyright: ignore[reportMissingTypeStubs]  # it has types of its own

from ._certify_amounts import FREE, Cost
from ._certify_proof import assumptions, caveats, proof, shown, source
from ._certify_shape import own_limit
from ._certify_sum import Sum
from ._certify_walk import At, Walk
from ._certify_words import Certificate, Unbounded

if TYPE_CHECKING:
    from budgetkit import Budget

__all__ = ["certify"]


def certify(
    graph: CompiledStateGraph[Any, Any, Any, Any],
    budget: Budget,
    *,
    recursion_limit: int | None = None,
    free: Iterable[str] = (),
    at_most: Mapping[str, Budget] | None = None,
) -> Certificate:
    """What one run of a compiled graph can cost at most under a budget, and why; or the nodes that nothing bounds.

    ```python
    certificate = certify(agent, Budget(usd="0.05", llm_calls=20, tool_calls=10), free=["tools/search"])
    certificate.bounded, certificate.worst["llm_calls"]
    print(certificate)
    ```

    Nothing is run. What `BudgetMiddleware`, `BudgetToolNode`, `tool_wrappers` and `budgeted` hold is bounded by the
    budget. What nothing holds is bounded by the graph's structure where that can be seen. A function of the user's own
    may call anything, so it counts as unbounded until it is declared.

    Args:
        graph: a compiled `StateGraph`, that of `create_agent` or of deepagents, too.
        budget: the limits of the run, as in ``with budget.open(): graph.invoke(...)``.
        recursion_limit: the one that the graph will be invoked with, in supersteps; None: the one bound to it, if any.
        free: places that call no model and no tool, take no time to speak of, and go only where their edges lead, by
            their path: a node ``"format"``, a node of a subgraph ``"outer/inner"``, a tool ``"tools/search"``, a
            conditional edge ``"plan/route"``, a middleware ``"model/Name"``.
        at_most: what one execution of a place costs at most; what is left out there has no limit, as in any budget.

    Raises:
        TypeError: ``graph`` is not a compiled graph.
        ValueError: a budget without limits, a recursion limit below 1, or a declared place that is none of the graph.
    """
    _check(graph, budget, recursion_limit)
    free, most = tuple(free), dict(at_most or {})
    walk = Walk(budget.limits_in_units, _declared(free, most))
    steps = tuple(walk.graph(graph, At(limit=recursion_limit or own_limit(graph))))
    _check_declared({"free": free, "at_most": tuple(most)}, tuple(walk.paths))
    total = Sum(steps, budget.limits_in_units)
    worst = {name: total.worst(name) for name in total.resources()}
    return Certificate(
        budget=budget,
        worst=MappingProxyType({name: None if n is None else shown(name, n) for name, n in worst.items()}),
        sources=MappingProxyType({name: source(total, name) for name, n in worst.items() if n is not None}),
        unbounded=_unbounded(total),
        proof=tuple(proof(steps, budget)),
        assumptions=tuple(assumptions(total, free, most)),
        caveats=tuple(caveats(total, steps, tuple(walk.provider_tools))),
    )


def _check(graph: object, budget: Budget, recursion_limit: int | None) -> None:
    if not isinstance(graph, CompiledStateGraph):
        hint = "call .compile() on it" if hasattr(graph, "compile") else "give the graph that .compile() returns"
        raise TypeError(f"graph={type(graph).__name__} is not a compiled graph: {hint}")
    if not budget.limits:
        raise ValueError(f"budget={budget!r} limits nothing, so there is nothing to certify: give it a limit")
    if recursion_limit is not None and recursion_limit < 1:
        raise ValueError(f"recursion_limit={recursion_limit!r} must be 1 or more")


def _declared(free: Iterable[str], at_most: Mapping[str, Budget]) -> dict[str, Cost]:
    costs = {path: Cost(most.limits_in_units, None) for path, most in at_most.items()}
    if twice := next((path for path in free if path in costs), None):
        raise ValueError(f"{twice!r} is in free= and in at_most=: leave it in one of them")
    return costs | dict.fromkeys(free, FREE)


def _check_declared(declared: Mapping[str, tuple[str, ...]], known: tuple[str, ...]) -> None:
    """A slip of the pen would leave a place undeclared: say which was meant."""
    for argument, paths in declared.items():
        if (path := next((path for path in paths if path not in known), None)) is not None:
            raise ValueError(
                f"{argument} names {path!r}, which is no place that can be declared here: {_hint(path, known)}"
            )


def _hint(path: str, known: tuple[str, ...]) -> str:
    ending = [name for name in known if name.endswith(f"/{path}")]
    near = ending or get_close_matches(path, known, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(map(repr, known)) or 'none'}"


def _unbounded(total: Sum) -> tuple[Unbounded, ...]:
    resources: dict[str, list[str]] = {}
    whys: dict[str, dict[str, None]] = {}
    for resource in total.limits:
        for blame in total.blamed(resource):
            resources.setdefault(blame.path, []).append(resource)
            whys.setdefault(blame.path, {})[blame.why] = None
    return tuple(
        Unbounded(path, tuple(dict.fromkeys(names)), _reason(tuple(whys[path]))) for path, names in resources.items()
    )


def _reason(whys: Iterable[str]) -> str:
    """All reasons, without those that another one says in full."""
    return "; ".join(why for why in whys if not any(other != why and other.startswith(why) for other in whys))
