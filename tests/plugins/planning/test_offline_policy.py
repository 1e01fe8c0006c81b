from collections.abc import Coroutine
from typing import Any

import pytest

from budgetkit.plugins import (
    Answer,
    Appraisal,
    Left,
    Move,
    Observation,
    OfflinePolicy,
    Option,
    Options,
    Plan,
    Policy,
    SearchTree,
    Task,
    ToolSpec,
    UniformTree,
    Valuation,
    Verdict,
    View,
)

QUESTION = "In what year was the town founded where the painter Ida Marlow was born?"
SEARCH = ToolSpec("search", "Search.", {"properties": {"query": {"type": "string"}}, "required": ["query"]})
CALCULATE = ToolSpec("calculate", "", {"properties": {"a": {"type": "number"}}, "required": ["a"]})
MARLOW = "[1] Ida Marlow\nIda Marlow was a painter, born in Brackwater.\n\n[2] Painting\nPainting is an art."
TOWN = "[1] Brackwater\nBrackwater is a town that was founded by Tobias Fenn in 1702."


async def never(*_: object, **__: object) -> Any:
    raise AssertionError("words cost nothing")


def done(thought: Coroutine[Any, Any, Any]) -> Any:
    with pytest.raises(StopIteration) as end:
        thought.send(None)
    return end.value.value


def view_of(*results: str, tools: tuple[ToolSpec, ...] = (CALCULATE, SEARCH), independent: bool = False) -> View:
    """A chain of searches that found these results, seen from its newest node."""
    tree = SearchTree(QUESTION, "test", Valuation(independent=independent))
    strategy, left = UniformTree(width=1), Left({}, {})
    for i, result in enumerate(results):
        node = tree.numbered(len(tree) - 1)
        propose = tree.mark([_move(node.id, node.rounds)])[0]
        tree.tell(propose.id, Options((Option("search", {"query": QUESTION if i == 0 else f"step {i}"}),)))
        act = tree.mark(strategy.ask(tree, left))[0]
        tree.tell(act.id, Observation(result))
    return View(Task(QUESTION, "", tools), tree, tree.numbered(len(tree) - 1), left)


def _move(node: str, rounds: int) -> Move:
    return Move(id=f"propose:{node}:{rounds}", kind="propose", node=node)


def test_it_is_a_policy_that_never_pays() -> None:
    policy, view = OfflinePolicy(), view_of(MARLOW)

    assert isinstance(policy, Policy)
    assert isinstance(done(policy.plan(view, never)), Plan)
    assert isinstance(done(policy.propose(view, 3, never)), Options)
    assert isinstance(done(policy.appraise(view, never)), Appraisal)
    assert isinstance(done(policy.verify(view, "Fenn", never)), Verdict)
    assert isinstance(done(policy.answer(view, never)), Answer)


def test_the_first_search_is_the_question_itself() -> None:
    offered = done(OfflinePolicy().propose(view_of(), 5, never))

    assert [(option.tool, option.args) for option in offered.options] == [("search", {"query": QUESTION})]


def test_attempts_that_do_not_see_each_other_begin_differently() -> None:
    offered = done(OfflinePolicy().propose(view_of(independent=True), 5, never))

    assert [option.args["query"] for option in offered.options][:2] == [QUESTION, "Ida Marlow"]


def test_a_name_in_what_was_found_is_followed() -> None:
    offered = done(OfflinePolicy().propose(view_of(MARLOW), 3, never))

    assert offered.options[0].args["query"].startswith("Brackwater")
    assert all(0 <= option.gain <= 1 for option in offered.options)


def test_no_call_is_proposed_that_was_made_already() -> None:
    view = view_of(MARLOW)
    first = done(OfflinePolicy().propose(view, 1, never)).options[0]
    view.tree.mark([_move(view.node.id, view.node.rounds)])
    view.tree.tell(f"propose:{view.node.id}:0", Options((first,)))

    again = done(OfflinePolicy().propose(view, 5, never))

    assert first.key not in {option.key for option in again.options}


def test_without_a_tool_that_takes_a_text_it_proposes_nothing() -> None:
    assert done(OfflinePolicy().propose(view_of(tools=(CALCULATE,)), 3, never)) == Options()


def test_a_result_that_resolves_a_hop_is_progress_and_the_same_again_is_none() -> None:
    policy = OfflinePolicy()

    new = done(policy.appraise(view_of(MARLOW, TOWN), never))
    again = done(policy.appraise(view_of(MARLOW, MARLOW), never))

    assert new.delta > 0 >= again.delta


def test_it_answers_from_the_passages_that_it_keeps() -> None:
    assert done(OfflinePolicy().answer(view_of(MARLOW, TOWN), never)).text == "1702"


def test_with_nothing_found_there_is_no_answer() -> None:
    assert done(OfflinePolicy().answer(view_of(), never)).text == ""


def test_an_answer_that_stands_nowhere_is_not_verified() -> None:
    policy, view = OfflinePolicy(), view_of(MARLOW, TOWN)

    assert done(policy.verify(view, "Somebody Else", never)).decision != "success"
    assert "Somebody Else" in done(policy.verify(view, "Somebody Else", never)).summary
