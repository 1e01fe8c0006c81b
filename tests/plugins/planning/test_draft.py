"""Moves in the making: never more calls than are left, never more than are wanted, never the same twice."""

from __future__ import annotations

import random
from functools import partial
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgetkit.plugins import Left, Move, Option, Options, SearchTree, Valuation

from ._random_search import Dice, all_of, played, steps

Draft: Any = import_module("budgetkit.plugins._planning._draft").Draft
FREE = Left({}, {})


def calls(n: int) -> Left:
    return Left({"tool_calls": n}, {"tool_calls": 9})


def offered(width: int) -> SearchTree:
    tree = SearchTree("Who designed the bridge?", "test")
    tree.mark([Move(id="propose:0:0", kind="propose", node="0")])
    tree.tell("propose:0:0", Options(tuple(Option("search", {"query": f"bridge {i}"}) for i in range(width))))
    return tree


def wish(draft: Any, tree: SearchTree, chance: random.Random) -> bool:
    """Ask for anything, anywhere."""
    node = chance.choice(list(tree))
    if chance.random() < 0.05:
        return bool(draft.finish("Oda Brenn"))
    if chance.random() < 0.6 and node.options:
        return bool(draft.act(node, chance.randrange(len(node.options))))
    thoughts = [draft.plan, draft.propose, draft.appraise, draft.answer, partial(draft.verify, answer="Oda Brenn")]
    return bool(chance.choice(thoughts)(node))


@given(steps(60), st.integers(1, 6), st.none() | st.integers(0, 4), st.integers())
@settings(max_examples=150)
def test_whatever_is_wished_for_can_be_carried_out_and_is_paid_for(
    thrown: list[Dice], n: int, tools: int | None, seed: int
) -> None:
    tree = played(Valuation(), thrown)
    before, chance = all_of(tree), random.Random(seed)
    draft = Draft(tree, FREE if tools is None else calls(tools), n)
    for _ in range(20):
        had, full = list(draft.moves), draft.full
        added = wish(draft, tree, chance)
        assert draft.moves == had + draft.moves[len(had) :]
        assert len(draft.moves) == len(had) + added
        assert not (full and added)
    acts = [move for move in draft.moves if move.kind == "act"]

    assert len(draft.moves) <= n
    assert tools is None or len(acts) <= tools
    assert draft.can_act == (tools is None or len(acts) < tools)
    assert len({move.id for move in draft.moves}) == len(draft.moves)
    assert not any(move.id in tree.moves for move in draft.moves)
    assert len({(move.parent, move.option) for move in acts}) == len(acts)
    assert not any(move.option in tree.nodes[move.parent].taken for move in acts)
    assert all_of(tree) == before  # it only reads
    assert tree.mark(draft.moves) == draft.moves


@given(steps(60), st.integers())
@settings(max_examples=50)
def test_the_same_wishes_on_the_same_tree_are_the_same_moves(thrown: list[Dice], seed: int) -> None:
    def moves() -> list[Move]:
        tree, chance = played(Valuation(), thrown), random.Random(seed)
        draft = Draft(tree, calls(3), 6)
        for _ in range(20):
            wish(draft, tree, chance)
        return list(draft.moves)

    assert moves() == moves()


def test_each_move_is_named_after_what_it_is_and_where() -> None:
    tree = offered(3)
    draft = Draft(tree, FREE, 10)
    added = [
        draft.plan(tree.root, "a plan"),
        draft.propose(tree.root, 3, mode="widen", why="more"),
        draft.act(tree.root, 2, why="the last"),
        draft.act(tree.root, 0),
        draft.appraise(tree.root),
        draft.verify(tree.root, "Oda Brenn"),
        draft.answer(tree.root),
        draft.finish("Oda Brenn"),
    ]

    assert all(added)
    assert draft.moves == [
        Move(id="plan:0:0", kind="plan", node="0", why="a plan"),
        Move(id="propose:0:1", kind="propose", node="0", mode="widen", n=3, why="more"),
        Move(id="act:0.0", kind="act", node="0.0", option=2, why="the last"),
        Move(id="act:0.1", kind="act", node="0.1", option=0),
        Move(id="appraise:0", kind="appraise", node="0"),
        Move(id="verify:0:0", kind="verify", node="0", text="Oda Brenn"),
        Move(id="answer:0:0", kind="answer", node="0"),
        Move(id="finish", kind="finish", node="0", text="Oda Brenn"),
    ]


@pytest.mark.parametrize(("left", "acts"), [(calls(0), 0), (calls(2), 2), (calls(9), 3), (FREE, 3)])
def test_no_more_calls_are_asked_for_than_are_left(left: Left, acts: int) -> None:
    tree = offered(3)
    draft = Draft(tree, left, 9)
    assert [draft.act(tree.root, option) for option in range(3)] == [True] * acts + [False] * (3 - acts)
    assert draft.propose(tree.root)  # a thought is no call


def test_no_more_is_asked_for_than_is_wanted() -> None:
    tree = offered(3)
    draft = Draft(tree, FREE, 2)
    assert [draft.act(tree.root, option) for option in range(3)] == [True, True, False]
    assert draft.full
    assert not draft.finish("Oda Brenn")


def test_an_option_is_taken_once_in_this_draft_and_in_the_tree() -> None:
    tree = offered(2)
    draft = Draft(tree, FREE, 9)
    assert [draft.act(tree.root, 0), draft.act(tree.root, 0), draft.untried(tree.root)] == [True, False, [1]]
    tree.mark(draft.moves)
    later = Draft(tree, FREE, 9)
    assert [later.act(tree.root, 0), later.act(tree.root, 1), later.moves[0].id] == [False, True, "act:0.1"]


def test_what_is_under_way_is_not_asked_for_again() -> None:
    tree = offered(1)
    first = Draft(tree, FREE, 9)
    assert first.appraise(tree.root)
    assert not first.appraise(tree.root)
    tree.mark(first.moves)
    assert not Draft(tree, FREE, 9).appraise(tree.root)


def test_a_lost_plan_is_not_asked_for_over_and_over() -> None:
    tree = offered(1)
    draft = Draft(tree, FREE, 9)
    draft.plan(tree.root)
    tree.mark(draft.moves)
    tree.lose("plan:0:0")
    assert not Draft(tree, FREE, 9).plan(tree.root)


def test_another_answer_may_be_asked_for_where_one_was_given() -> None:
    tree = offered(1)
    for n in range(3):
        draft = Draft(tree, FREE, 1)
        assert draft.answer(tree.root)
        assert [move.id for move in draft.moves] == [f"answer:0:{n}"]
        tree.mark(draft.moves)


@pytest.mark.parametrize("n", [0, -1])
def test_no_moves_at_all_cannot_be_asked_for(n: int) -> None:
    with pytest.raises(ValueError, match=rf"^n={n} moves cannot be asked for: use 1 or more$"):
        Draft(offered(1), FREE, n)
