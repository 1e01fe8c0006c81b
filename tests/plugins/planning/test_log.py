"""A search as JSON data: read back it is the same, and copies of it merge."""

from __future__ import annotations

import json
import logging
import random
import sqlite3
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import reduce
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph  # pyright: ignore[reportMissingTypeStubs]  # it has types of its own
from langgraph.types import Send

from budgetkit.plugins import (
    Left,
    Move,
    Observation,
    Option,
    Options,
    PlannerState,
    SearchTree,
    UniformTree,
    Valuation,
    search_tree,
)

from ._random_search import Dice, all_of, as_json, play, played, result_of, steps, valuations, what_follows

LOG: Any = import_module("budgetkit.plugins._planning._log")
RESULTS: Any = import_module("budgetkit.plugins._planning._results")
Draft: Any = import_module("budgetkit.plugins._planning._draft").Draft
merge, read_tree, write_tree, SEARCH = LOG.merge, LOG.read_tree, LOG.write_tree, "budgetkit_search"

FREE = Left({}, {})
Log = Mapping[str, Any]


def through_json(log: Any) -> Any:
    return json.loads(json.dumps(log))


def logs_of(how: Valuation, thrown: list[Dice]) -> list[Log]:
    """The log after each step."""
    tree = SearchTree("Who designed the bridge?", "random", how)
    return [write_tree(tree, "s"), *(write_tree(step, "s") for step in play(tree, thrown))]


def changes_of(how: Valuation, thrown: list[Dice]) -> list[Log]:
    """What each step adds to the log before it."""
    tree = SearchTree("Who designed the bridge?", "random", how)
    log: Log = write_tree(tree, "s")
    changes = [write_tree(tree, "s")]
    for _ in play(tree, thrown):
        changes.append(write_tree(tree, "s", since=log))
        log = write_tree(tree, "s")
    return changes


# -- there and back -------------------------------------------------------------------------------------------------


@given(valuations, steps())
@settings(max_examples=60)
def test_at_every_step_a_tree_that_is_read_back_is_the_one_that_was_written(how: Valuation, thrown: list[Dice]) -> None:
    tree = SearchTree("Who designed the bridge?", "random", how)
    for _ in play(tree, thrown):
        log = through_json(write_tree(tree, "s"))
        again = read_tree(log)
        assert all_of(again) == all_of(tree)
        assert write_tree(again, "s") == log


@given(valuations, steps(), steps(20))
@settings(max_examples=60)
def test_a_search_goes_on_from_a_log_as_it_would_have(how: Valuation, before: list[Dice], after: list[Dice]) -> None:
    tree = played(how, before)
    again = read_tree(through_json(write_tree(tree, "s")))

    for here, there in zip(play(tree, after), play(again, after), strict=True):
        assert all_of(there) == all_of(here)


kinds: st.SearchStrategy[Any] = st.sampled_from(["plan", "propose", "act", "appraise", "verify", "answer", "finish"])
moves = st.builds(
    Move,
    id=st.text(min_size=1),
    kind=kinds,
    node=st.sampled_from(["0", "0.3.1"]),
    mode=st.sampled_from(["deepen", "widen"]),
    option=st.integers(-1, 5),
    text=st.text(),
    n=st.integers(1, 9),
    why=st.text(),
)


@given(moves)
def test_a_move_is_read_back_as_it_was_written(move: Move) -> None:
    data = through_json(move.to_json())
    assert as_json(Move.from_json(data)) == as_json(move)


def test_what_is_usual_is_not_written() -> None:
    assert Move(id="propose:0:0", kind="propose", node="0").to_json() == {
        "id": "propose:0:0",
        "kind": "propose",
        "node": "0",
    }


# -- changes --------------------------------------------------------------------------------------------------------


@given(valuations, steps(), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_changes_put_together_in_any_order_and_any_number_of_times_are_the_whole(
    how: Valuation, thrown: list[Dice], chance: random.Random
) -> None:
    changes = changes_of(how, thrown)
    whole = logs_of(how, thrown)[-1]
    shuffled = [*changes, *chance.choices(changes, k=5)]
    chance.shuffle(shuffled)

    assert reduce(merge, shuffled, {}) == whole


@given(valuations, steps(), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_changes_that_come_in_their_order_some_of_them_again_are_the_same_tree(
    how: Valuation, thrown: list[Dice], chance: random.Random
) -> None:
    changes = changes_of(how, thrown)
    whole: Log = {}
    for i, change in enumerate(changes):
        whole = merge(merge(whole, change), chance.choice(changes[: i + 1]))

    assert all_of(read_tree(through_json(whole))) == all_of(played(how, thrown))


def test_what_another_search_wrote_is_no_earlier_log_of_this_one() -> None:
    tree = asked_for(2)
    tree.tell("act:0.0", Observation("a page"))
    log = write_tree(tree, "s")

    assert write_tree(tree, "s", since=write_tree(tree, "other")) == log
    assert write_tree(tree, "s", since={}) == log
    assert write_tree(tree, "s", since=log) == {**log, "moves": {}, "told": {}}


# -- merging --------------------------------------------------------------------------------------------------------


@given(valuations, steps(30), st.data())
@settings(max_examples=60)
def test_merging_logs_of_one_search_does_not_depend_on_how_they_are_put_together(
    how: Valuation, thrown: list[Dice], data: st.DataObject
) -> None:
    part = st.sampled_from([*logs_of(how, thrown), *changes_of(how, thrown), {}, None])
    a, b, c = data.draw(part), data.draw(part), data.draw(part)

    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(a, b) == merge(b, a)
    assert merge(a, a) == (a or {})
    assert merge(merge(a, b), b) == merge(a, b)


def test_what_came_first_stays() -> None:
    one: Any = {"id": "s", "run": "r", "caps": {"usd": 5}, "moves": {"a": {"id": "a"}}, "told": {"a": {"text": "1"}}}
    other: Any = {"id": "s", "run": "q", "asked": "h", "moves": {"b": {"id": "b"}}, "told": {"a": {"text": "2"}}}

    assert merge(one, other) == {
        "id": "s",
        "run": "r",
        "asked": "h",
        "caps": {"usd": 5},
        "moves": {"a": {"id": "a"}, "b": {"id": "b"}},
        "told": {"a": {"text": "1"}},
    }


def test_another_search_takes_the_place_of_the_old_one() -> None:
    old, new = (write_tree(SearchTree(name, "uniform"), name) for name in ("old", "new"))
    assert (merge(old, new), merge(old, {}), merge(None, new), merge(None, None)) == (new, old, new, {})


def test_merging_leaves_both_logs_as_they_were() -> None:
    tree = played(Valuation(), [("propose", 0, 0)])
    old, new = write_tree(SearchTree(tree.question, tree.strategy), "s"), write_tree(tree, "s")
    before = through_json([old, new])
    merge(old, new)
    assert [old, new] == before


@given(st.integers(2, 6), st.randoms(use_true_random=False))
def test_branches_that_each_tell_some_of_what_was_asked_are_one_search_in_the_end(
    width: int, chance: random.Random
) -> None:
    tree = asked_for(width)
    base = write_tree(tree, "s")
    alone = [read_tree(base) for _ in range(width)]
    for branch, key in zip(alone, list(tree.pending), strict=True):
        branch.tell(key, result_of("act", chance.randrange(9)))
        tree.tell(key, branch.told[key])
    logs = [write_tree(branch, "s", since=base) for branch in alone]
    chance.shuffle(logs)

    assert what_follows(read_tree(reduce(merge, logs, base))) == what_follows(tree)


def asked_for(width: int) -> SearchTree:
    """A tree with calls under way."""
    tree = SearchTree("Who designed the bridge?", "uniform")
    tree.mark([Move(id="propose:0:0", kind="propose", node="0")])
    tree.tell("propose:0:0", Options(tuple(Option("search", {"query": f"bridge {i}"}) for i in range(width))))
    draft = Draft(tree, FREE, width)
    for option in range(width):
        draft.act(tree.root, option)
    tree.mark(draft.moves)
    return tree


# -- in a graph's state ---------------------------------------------------------------------------------------------


@given(valuations, steps())
@settings(max_examples=50)
def test_a_log_goes_through_the_serialiser_of_checkpoints(how: Valuation, thrown: list[Dice]) -> None:
    serde = JsonPlusSerializer(allowed_msgpack_modules=None)
    log = write_tree(played(how, thrown), "s")

    assert serde.loads_typed(serde.dumps_typed(log)) == log


def thinks(state: Any) -> Any:
    """Asks, and tells all but the calls."""
    tree = search_tree(state) or SearchTree("Who designed the bridge?", "uniform")
    for move in tree.mark(UniformTree(width=3).ask(tree, FREE, 3)):
        if move.kind != "act":
            tree.tell(move.id, Options(tuple(_option(move, i) for i in range(3))))
    return {SEARCH: write_tree(tree, "s", since=state.get(SEARCH))}


def _option(move: Move, i: int) -> Option:
    return Option("search", {"query": f"{move.node} {i}", "pages": [1, {"of": None}]}, gain=0.25)


def acts(state: Any) -> Any:
    """One call, in a branch of its own."""
    tree = read_tree(state[SEARCH])
    tree.tell(state["call"], Observation(f"[1] Alba\nTold of {state['call']}."))
    return {SEARCH: write_tree(tree, "s", since=state[SEARCH])}


def fans_out(state: Any) -> Any:
    tree = read_tree(state[SEARCH])
    if len(tree) > 12:
        return END
    return [Send("acts", {SEARCH: state[SEARCH], "call": key}) for key in tree.pending] or "thinks"


@pytest.fixture(params=["memory", "sqlite"])
def saver(request: pytest.FixtureRequest) -> Iterator[BaseCheckpointSaver[Any]]:
    if request.param == "memory":
        yield InMemorySaver()
        return
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as connection:
        yield SqliteSaver(connection)


def test_a_search_is_kept_and_fanned_out_in_a_graph_s_state(
    saver: BaseCheckpointSaver[Any], caplog: pytest.LogCaptureFixture
) -> None:
    builder = StateGraph(PlannerState)
    builder.add_node("thinks", thinks).add_node("acts", acts)
    builder.add_edge(START, "thinks").add_edge("acts", "thinks")
    builder.add_conditional_edges("thinks", fans_out, ["acts", "thinks", END])
    graph: Any = builder.compile(checkpointer=saver)
    config = {"configurable": {"thread_id": "t"}}

    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        graph.invoke({}, config)
        history = [state.values for state in graph.get_state_history(config)]
    trees = [tree for values in history if (tree := search_tree(values))]

    assert caplog.records == []
    assert len(trees[0]) == 13
    assert all(
        RESULTS.dump("act", RESULTS.load("act", told)) == told
        for told in history[0][SEARCH]["told"].values()
        if "text" in told
    )
    assert len(trees[0].told) == 4 + 9  # all but the last three calls
    assert [len(tree.moves) for tree in reversed(trees)] == sorted(len(tree.moves) for tree in trees)


def test_a_state_without_a_search_has_no_tree() -> None:
    assert search_tree({}) is None
    assert search_tree({SEARCH: {}}) is None
    assert search_tree({SEARCH: {"id": "s", "asked": "h"}}) is None


def test_a_log_that_does_not_hang_together_says_where() -> None:
    log = write_tree(asked_for(2), "s")
    del log["told"]["propose:0:0"]
    with pytest.raises(LookupError) as refused:
        read_tree(log)
    assert str(refused.value) == "move 'act:0.0' takes option 0 of node '0': it has 0"
