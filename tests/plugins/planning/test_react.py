"""One chain of steps, and the one that is told to keep going."""

from __future__ import annotations

import pytest

from budgetkit.plugins import Lost, Move, Option, Options, React, Sequential
from budgetkit.testing import Play, ScriptedPolicy, play


def query(text: str) -> Options:
    return Options((Option("search", {"query": text}),))


def says(text: str) -> Options:
    return Options((Option(answer=text),))


def trace(run: Play) -> list[str]:
    return list(run.tree.moves)


def test_react_proposes_acts_and_answers_in_one_chain() -> None:
    run = play(React(), ScriptedPolicy(proposals=[query("a"), query("b"), says("so")]), limits={"tool_calls": 9})
    assert trace(run) == ["propose:0:0", "act:0.0", "propose:0.0:0", "act:0.0.0", "propose:0.0.0:0", "finish"]
    assert run.answer == "so"


def test_react_answers_from_the_newest_step_when_the_tool_calls_are_used_up() -> None:
    run = play(React(), ScriptedPolicy(), limits={"tool_calls": 1})
    assert trace(run) == ["propose:0:0", "act:0.0", "answer:0.0:0", "finish"]


def test_react_answers_when_it_knows_nothing_new() -> None:
    run = play(React(), ScriptedPolicy(proposals=[query("a"), query("A ")]), limits={"tool_calls": 9})
    assert trace(run) == ["propose:0:0", "act:0.0", "propose:0.0:0", "answer:0.0:0", "finish"]


def test_react_takes_a_step_that_was_lost_for_none_and_tries_another() -> None:
    run = play(React(), limits={"tool_calls": 2}, loses=lambda move: move.id == "act:0.0")
    assert trace(run) == ["propose:0:0", "act:0.0", "propose:0:1", "act:0.1", "answer:0.1:0", "finish"]
    assert run.tree.moves["propose:0:1"].mode == "widen"


@pytest.mark.parametrize(("tracker", "name", "told"), [(False, "react", ""), (True, "react+tracker", "tool_calls 3")])
def test_the_tracker_is_shown_where_it_is_wanted_and_changes_nothing_else(tracker: bool, name: str, told: str) -> None:
    policy = ScriptedPolicy()
    strategy = React(tracker=tracker)
    run = play(strategy, policy, limits={"tool_calls": 3})
    assert strategy.name == run.tree.strategy == name
    assert told in policy.asked[0].status
    assert bool(policy.asked[0].status) is tracker
    assert trace(run) == trace(play(React(), limits={"tool_calls": 3}))


def test_sequential_is_nudged_at_its_answer_and_its_last_answer_counts() -> None:
    policy = ScriptedPolicy(proposals=[query("a"), says("first"), query("b"), says("second")])
    run = play(Sequential(), policy, limits={"tool_calls": 2})
    assert trace(run) == [
        "propose:0:0", "act:0.0", "propose:0.0:0", "propose:0.0:1", "act:0.0.0", "answer:0.0.0:0", "finish"
    ]  # fmt: skip
    assert [asked.mode for asked in policy.of("propose")] == ["deepen", "deepen", "widen"]
    assert [given.text for given in run.tree.answers] == ["first", run.answer]


def test_sequential_stops_after_five_proposals_in_a_row_without_a_tool_call() -> None:
    policy = ScriptedPolicy(proposals=[query("a"), *(says(f"guess {i}") for i in range(9))])
    run = play(Sequential(), policy, limits={"tool_calls": 9})
    assert [asked.node for asked in policy.of("propose")] == ["0", *["0.0"] * 5]
    assert run.answer == "guess 4"


def test_a_tool_call_begins_the_count_anew() -> None:
    script = [query("a"), *[says("guess")] * 4, query("b"), *[says("guess")] * 5]
    policy = ScriptedPolicy(proposals=script)
    play(Sequential(), policy, limits={"tool_calls": 9})
    assert [asked.node for asked in policy.of("propose")] == ["0", *["0.0"] * 5, *["0.0.0"] * 5]


def test_sequential_asks_for_an_answer_where_the_budget_ended_after_the_last_one() -> None:
    policy = ScriptedPolicy(proposals=[says("early"), query("a")])
    run = play(Sequential(), policy, limits={"tool_calls": 1})
    assert trace(run)[-2:] == ["answer:0.0:0", "finish"]
    assert run.answer == run.tree.answers[-1].text != "early"


def test_sequential_keeps_its_answer_when_the_last_question_is_lost() -> None:
    policy = ScriptedPolicy(proposals=[says("early"), query("a")])
    assert play(Sequential(), policy, limits={"tool_calls": 1}, loses=lambda m: m.kind == "answer").answer == "early"


@pytest.mark.parametrize("patience", [0, -1])
def test_patience_is_one_or_more(patience: int) -> None:
    with pytest.raises(ValueError, match=f"^patience={patience} never proposes anything: use 1 or more$"):
        Sequential(patience=patience)


@pytest.mark.parametrize("strategy", [React(), Sequential()])
def test_one_move_at_a_time_however_many_are_wanted(strategy: React | Sequential) -> None:
    run = Play(strategy, limits={"tool_calls": 5})
    assert [move.id for move in run.ask(8)] == ["propose:0:0"]
    assert run.ask(8) == []
    run.tree.tell("propose:0:0", Lost())
    assert [type(move) for move in run.ask(8)] == [Move]
