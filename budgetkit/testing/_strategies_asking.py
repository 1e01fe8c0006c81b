"""What a strategy asks for: the same for the same tree, no more than is wanted, and nothing while all waits."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from budgetkit.plugins import Left, Move, SearchTree, Strategy, read_tree, write_tree

from ._strategies_play import Play
from ._strategies_property import MakeStrategy, at_every_ask, expect, holds, same, situations

_PATIENCE = 300


@holds("asking", "asking twice asks for the same")
def asking_twice_asks_for_the_same(make: MakeStrategy) -> None:
    def check(strategy: Strategy, tree: SearchTree, left: Left, n: int) -> None:
        _same(strategy, tree, strategy.ask(tree, left, n), strategy.ask(tree, left, n), "asked again")

    at_every_ask(make, check)


@holds("asking", "asking changes nothing in the tree")
def asking_changes_nothing(make: MakeStrategy) -> None:
    def check(strategy: Strategy, tree: SearchTree, left: Left, n: int) -> None:
        before = _all_of(tree)
        strategy.ask(tree, left, n)
        same(f"{strategy.name} changed the tree by asking, after {len(tree.moves)} moves", before, _all_of(tree))

    at_every_ask(make, check)


@holds("asking", "what it asks for follows from the tree, and not from what it remembers or how the tree came about")
def moves_follow_from_the_tree(make: MakeStrategy) -> None:
    def check(strategy: Strategy, tree: SearchTree, left: Left, n: int) -> None:
        read = read_tree(json.loads(json.dumps(write_tree(tree, "again"))))
        other = Play(make(), limits=left.caps).strategy
        _same(strategy, tree, strategy.ask(tree, left, n), other.ask(read, left, n), "a new one, from JSON")

    at_every_ask(make, check)


@holds("asking", "every move has an id of its own, which was not asked for before")
def every_move_has_an_id_of_its_own(make: MakeStrategy) -> None:
    def found(tree: SearchTree, _left: Left, moves: list[Move], _n: int) -> str:
        ids = [move.id for move in moves]
        known = [key for key in ids if key in tree.moves]
        return f"ids {ids} of one batch" if len(set(ids)) < len(ids) else f"{known} again" if known else ""

    _never(make, found)


@holds("asking", "it asks for no more moves than are wanted")
def no_more_moves_than_wanted(make: MakeStrategy) -> None:
    def found(_tree: SearchTree, _left: Left, moves: list[Move], n: int) -> str:
        return f"{len(moves)} moves where {n} are wanted" if len(moves) > n else ""

    _never(make, found)


@holds("asking", "it asks for no more tool calls than are left")
def no_more_acts_than_are_left(make: MakeStrategy) -> None:
    def found(_tree: SearchTree, left: Left, moves: list[Move], _n: int) -> str:
        acts = sum(move.kind == "act" for move in moves)
        return f"{acts} tool calls where {left.tools} are left" if acts > (left.tools or 0) else ""

    _never(make, found)


@holds("asking", "a move is about a node that is there, and a tool call takes an option that nobody took")
def moves_fit_the_tree(make: MakeStrategy) -> None:
    def found(tree: SearchTree, _left: Left, moves: list[Move], _n: int) -> str:
        acts = [move for move in moves if move.kind == "act"]
        if lost := [move.id for move in moves if move.kind != "act" and move.node not in tree.nodes]:
            return f"{lost} about nodes that are not there"
        if not all(_takes_a_free_option(tree, move) for move in acts):
            return f"{[move.id for move in acts]} with options that are not there, or taken"
        if len({(move.parent, move.option) for move in acts}) < len(acts):
            return f"{[move.id for move in acts]}, two of which take one option"
        return ""

    _never(make, found)


@holds("asking", "it asks for nothing while all that there is to do waits, and goes on once that is lost")
def it_waits_and_goes_on(make: MakeStrategy) -> None:
    for run, batch in situations(make):
        for _ in range(12):
            _wait(run.again(), batch)
            if not run.step(batch):
                break


@holds("asking", "after the end it asks for nothing")
def nothing_after_the_end(make: MakeStrategy) -> None:
    for run, batch in situations(make):
        run.run(batch)
        moves = run.strategy.ask(run.tree, run.left, batch)
        same(f"{run} asks for more after its end", [move.id for move in moves], [])


def _wait(run: Play, n: int) -> None:
    for _ in range(_PATIENCE):
        if not run.ask(n):
            break
    else:
        raise AssertionError(
            f"{run} asks for more and more while nothing comes back: {len(run.tree.pending)} under way"
        )
    again = [move.id for move in run.strategy.ask(run.tree, run.left, n)]
    same(f"{run} asks for more though it asked for nothing in the same tree", again, [])
    run.lose_all()
    run.run(n)


def _never(make: MakeStrategy, found: Callable[[SearchTree, Left, list[Move], int], str]) -> None:
    """Check that a fault is found in no answer to any question."""

    def check(strategy: Strategy, tree: SearchTree, left: Left, n: int) -> None:
        limited = Left({"tool_calls": 0, **left}, {"tool_calls": 0, **left.caps})
        for wanted in (1, n, 16):
            fault = found(tree, limited, list(strategy.ask(tree, left, wanted)), wanted)
            expect(not fault, f"{strategy.name} asks for {fault}, after {len(tree.moves)} moves with {dict(left)} left")

    at_every_ask(make, check)


def _takes_a_free_option(tree: SearchTree, move: Move) -> bool:
    parent = tree.nodes.get(move.parent)
    free = parent is not None and 0 <= move.option < len(parent.options) and move.option not in parent.taken
    return free and move.node not in tree.nodes


def _same(strategy: Strategy, tree: SearchTree, first: Any, second: Any, how: str) -> None:
    one, two = ([move.to_json() for move in moves] for moves in (first, second))
    same(f"{strategy.name} asks for other moves after {len(tree.moves)}, {how}", one, two)


def _all_of(tree: SearchTree) -> tuple[Any, ...]:
    nodes = [(node.id, node.score, node.worth, sorted(node.taken), node.rounds, node.busy, node.dry) for node in tree]
    return write_tree(tree, "now"), nodes, list(tree.frontier), list(tree.pending)
