"""What a planner keeps in the graph's state."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Final, TypedDict

from ._log import merge, read_tree
from ._tree import SearchTree

__all__ = ["SEARCH", "PlannerState", "search_tree", "state_with"]

SEARCH: Final = "budgetkit_search"
"""The state key of the search under way: JSON data; copies of a fan-out merge."""


class PlannerState(TypedDict, total=False):
    """What a `PlannerNode` reads and writes. A graph that adds the node gets these keys by itself.

    Attributes:
        messages: the conversation; its reducer is the graph's own.
        budgetkit_search: the search under way.
        budgetkit_run: the name of the run, so that a resumed run is the same run.
    """

    messages: list[Any]
    budgetkit_search: Annotated[dict[str, Any], merge]
    budgetkit_run: str


@cache
def state_with(messages_key: str) -> type[Any]:
    """The same for a graph that keeps its messages under another key."""
    hints = {messages_key: list[Any], SEARCH: Annotated[dict[str, Any], merge], "budgetkit_run": str}
    return TypedDict(f"PlannerState_{messages_key}", hints, total=False)  # type: ignore[operator, no-any-return]  # a class made of names that only the user knows


def search_tree(state: Mapping[str, Any]) -> SearchTree | None:
    """The search in a graph's state (``graph.get_state(config).values``); None if there is none."""
    log = state.get(SEARCH)
    return read_tree(log) if log and "question" in log else None
