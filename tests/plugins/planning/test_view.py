"""What a policy sees from a node: its way there, what was found, and the summary that stands for what came before."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from budgetkit.plugins import (
    Answer,
    Given,
    Left,
    Move,
    Observation,
    Option,
    Options,
    Plan,
    SearchTree,
    Task,
    TreeNode,
    Valuation,
    Verdict,
    View,
)

from ._random_search import Dice, played, steps, valuations


def new(**how: Any) -> SearchTree:
    return SearchTree("Who designed the bridge?", "test", Valuation(**how))


def seen_from(tree: SearchTree, node: str) -> View:
    return View(Task(tree.question), tree, tree.nodes[node], Left({}, {}))


def ask(tree: SearchTree, key: str, option: int = -1) -> str:
    kind, node, *_ = key.split(":")
    tree.mark([Move(id=key, kind=kind, node=node, option=option)])  # type: ignore[arg-type]  # a kind, read from an id
    return key


def step(tree: SearchTree, below: str, seen: Observation | None = Observation("a page")) -> str:  # noqa: B008 - frozen
    """A call below a node; returns the node that it makes."""
    node = tree.nodes[below]
    option = Option("search", {"query": f"{below} {len(node.options)}"})
    tree.tell(ask(tree, f"propose:{below}:{node.rounds}"), Options((option,)))
    child = f"{below}.{len(node.children)}"
    ask(tree, f"act:{child}", len(node.options) - 1)
    if seen:
        tree.tell(f"act:{child}", seen)
    return child


def chain(tree: SearchTree, length: int) -> list[str]:
    nodes = ["0"]
    for _ in range(length):
        nodes.append(step(tree, nodes[-1]))
    return nodes


def judge(tree: SearchTree, node: str, summary: str) -> Verdict:
    verdict = Verdict("continue", summary=summary)
    tree.tell(ask(tree, f"verify:{node}:{len(tree.nodes[node].verdicts)}"), verdict)
    return verdict


def ids(nodes: tuple[TreeNode, ...]) -> list[str]:
    return [node.id for node in nodes]


# -- the way here ---------------------------------------------------------------------------------------------------


def test_the_path_is_every_step_to_here_oldest_first_and_not_the_question() -> None:
    tree = new()
    nodes = chain(tree, 3)
    step(tree, "0")
    assert ids(seen_from(tree, nodes[2]).path) == nodes[1:3]
    assert ids(seen_from(tree, "0").path) == []


def test_a_step_without_a_result_is_not_on_the_path_and_one_that_failed_is() -> None:
    tree = new()
    failed = step(tree, "0", Observation("no such page", error=True))
    under_way = step(tree, failed, None)
    assert ids(seen_from(tree, under_way).path) == [failed]


def test_a_summary_takes_the_place_of_the_steps_before_it() -> None:
    tree = new()
    nodes = chain(tree, 4)
    judge(tree, nodes[1], "one")
    newest = judge(tree, nodes[3], "two")

    assert ids(seen_from(tree, nodes[4]).path) == [nodes[4]]
    assert ids(seen_from(tree, nodes[3]).path) == []
    assert ids(seen_from(tree, nodes[2]).path) == [nodes[2]]
    assert seen_from(tree, nodes[4]).verdict is newest


@given(valuations, steps())
@settings(max_examples=60)
def test_the_path_begins_after_the_last_step_that_was_judged(how: Valuation, thrown: list[Dice]) -> None:
    tree = played(how, thrown)
    for node in tree:
        way = node.path()
        judged = max((i for i, step in enumerate(way) if step.verdicts), default=0)
        assert seen_from(tree, node.id).path == tuple(step for step in way[judged + 1 :] if step.reached)


@pytest.mark.parametrize(("length", "kept"), [(9, 9), (10, 0)])
def test_a_summary_that_keeps_ten_iterations_replaces_them_at_the_eleventh(length: int, kept: int) -> None:
    """The K rule of arXiv 2511.17006: calls, and answers that were verified, since the last summary."""
    tree = new(keeps=10)
    nodes = chain(tree, length)
    judge(tree, nodes[-1], "so far")
    assert len(seen_from(tree, nodes[-1]).path) == kept


def test_iterations_are_counted_from_the_last_summary_that_replaced_something() -> None:
    tree = new(keeps=2)
    nodes = chain(tree, 5)
    for node in (nodes[2], nodes[3]):
        judge(tree, node, f"until {node}")
    assert ids(seen_from(tree, nodes[5]).path) == nodes[3:]  # the second summary came after one call only
    judge(tree, nodes[4], "once more")
    assert ids(seen_from(tree, nodes[5]).path) == nodes[5:]


# -- what was found -------------------------------------------------------------------------------------------------


def test_every_step_that_found_something_is_seen_from_everywhere() -> None:
    tree = new()
    one, other = step(tree, "0"), step(tree, "0")
    deep = step(tree, one)
    step(tree, one, Observation("no", error=True))
    step(tree, one, None)
    assert ids(seen_from(tree, other).seen) == [one, other, deep]


def test_an_independent_attempt_sees_what_itself_found_and_the_question_sees_all() -> None:
    tree = new(independent=True)
    one, other = step(tree, "0"), step(tree, "0")
    deep = step(tree, one)
    assert ids(seen_from(tree, other).seen) == [other]
    assert ids(seen_from(tree, deep).seen) == [one, deep]
    assert ids(seen_from(tree, "0").seen) == [one, other, deep]


@given(valuations, steps())
@settings(max_examples=60)
def test_what_is_seen_was_found(how: Valuation, thrown: list[Dice]) -> None:
    tree = played(how, thrown)
    for node in tree:
        seen = seen_from(tree, node.id).seen
        own = how.independent and node.parent is not None
        expected = [other for other in tree if other.seen and not other.seen.error]
        assert list(seen) == [other for other in expected if not own or other in node.path()]


# -- plans, verdicts and answers ------------------------------------------------------------------------------------


def test_the_plan_is_the_newest_one_on_the_way() -> None:
    tree = new()
    nodes, aside = chain(tree, 2), step(tree, "0")
    assert seen_from(tree, "0").plan is None
    for key, hops in (("plan:0:0", 1), ("plan:0:1", 2), (f"plan:{nodes[1]}:0", 3)):
        tree.tell(ask(tree, key), Plan(hops=hops))
    found = [seen_from(tree, node).plan for node in ("0", aside, nodes[1], nodes[2])]
    assert [plan.hops for plan in found if plan] == [2, 2, 3, 3]


def test_where_no_answer_was_judged_on_the_way_the_last_attempt_s_verdict_stands() -> None:
    tree = new()
    first = chain(tree, 2)
    nothing = seen_from(tree, "0").verdict
    told = judge(tree, first[2], "the first attempt failed")
    second = step(tree, "0")

    assert nothing is None
    assert seen_from(tree, "0").verdict is told
    assert seen_from(tree, second).verdict is told
    newest = judge(tree, second, "the second failed, too")
    assert [seen_from(tree, node).verdict for node in (first[2], second, "0")] == [told, newest, newest]


def test_answers_are_seen_from_everywhere_oldest_first() -> None:
    tree = new()
    node = step(tree, "0")
    for key, text in (("answer:0:0", "Alba"), (f"answer:{node}:0", "Oda Brenn")):
        tree.tell(ask(tree, key), Answer(text))
    assert seen_from(tree, "0").answers == (
        Given("0", "Alba", "answer:0:0"),
        Given(node, "Oda Brenn", f"answer:{node}:0"),
    )
