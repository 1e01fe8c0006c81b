"""A search tree as JSON data: what a checkpointer keeps, and what copies of it merge by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final, TypedDict

from ._moves import Move
from ._node_of import Valuation
from ._results import dump, load
from ._tree import SearchTree

__all__ = ["SearchLog", "merge", "read_tree", "write_tree"]

_GROWING: Final = ("moves", "told", "calls")


class SearchLog(TypedDict, total=False):
    """A search as JSON data.

    Attributes:
        id: the name of the search; another name is another search.
        asked: what tells the question from another one on the same thread.
        run: the run that it spends from.
        caps: how large its budget was at the beginning, in whole units.
        question: what is searched for.
        strategy: the name of who searches.
        valuation: how nodes are valued.
        moves: what was asked for, by id, in order.
        told: what it came to, by id, in order.
        calls: the ids of its tool calls, by move.
    """

    id: str
    asked: str
    run: str
    caps: dict[str, int]
    question: str
    strategy: str
    valuation: dict[str, Any]
    moves: dict[str, dict[str, Any]]
    told: dict[str, dict[str, Any]]
    calls: dict[str, str]


def write_tree(tree: SearchTree, name: str, *, since: Mapping[str, Any] | None = None) -> SearchLog:
    """Write a tree; only what is not in ``since`` yet, an earlier log of the same search."""
    known: Mapping[str, Any] = since if since and since.get("id") == name else {}
    asked, told = known.get("moves", {}), known.get("told", {})
    return SearchLog(
        id=name,
        question=tree.question,
        strategy=tree.strategy,
        valuation=asdict(tree.valuation),
        moves={key: move.to_json() for key, move in tree.moves.items() if key not in asked},
        told={key: dump(tree.moves[key].kind, result) for key, result in tree.told.items() if key not in told},
    )


def read_tree(log: Mapping[str, Any]) -> SearchTree:
    """The tree of a log: moves and results come in the order in which they came before."""
    tree = SearchTree(log["question"], log["strategy"], Valuation(**log.get("valuation", {})))
    asked = iter([Move.from_json(move) for move in log.get("moves", {}).values()])
    for key, data in log.get("told", {}).items():
        while key not in tree.moves:
            tree.mark([next(asked)])
        tree.tell(key, load(tree.moves[key].kind, data))
    tree.mark(asked)
    return tree


def merge(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Put two logs of one search together: what is in either is in both, and what came first stays.

    Another search's log takes the place of the old one.
    """
    if not new or not old or old.get("id") != new.get("id"):
        return new or old or {}
    return {**new, **old, **{part: _both(old, new, part) for part in _GROWING if part in {*old, *new}}}


def _both(old: Mapping[str, Any], new: Mapping[str, Any], part: str) -> dict[str, Any]:
    known = old.get(part, {})
    return {**known, **{key: value for key, value in new.get(part, {}).items() if key not in known}}
