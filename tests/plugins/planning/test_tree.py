"""The search tree follows from what was asked and told, and from nothing else."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from budgetkit.plugins import (
    Answer,
    Appraisal,
    Finish,
    Given,
    Lost,
    Move,
    Observation,
    Option,
    Options,
    Plan,
    SearchTree,
    Valuation,
    Verdict,
)

from ._random_search import FromScratch, play, steps, valuations, what_follows

SEEN = Observation("a page")


def query(text: str) -> Option:
    return Option("search", {"query": text})


def new(**how: Any) -> SearchTree:
    return SearchTree("Who designed the bridge?", "test", Valuation(**how))


def ask(tree: SearchTree, key: str, option: int = -1) -> str:
    """Mark the move of that id: its kind and node can be read from it."""
    kind, node, *_ = key.split(":")
    tree.mark([Move(id=key, kind=kind, node=node, option=option)])  # type: ignore[arg-type]  # a kind, read from an id
    return key


def offer(tree: SearchTree, node: str, *queries: str) -> None:
    key = f"propose:{node}:{tree.nodes[node].rounds}"
    tree.tell(ask(tree, key), Options(tuple(map(query, queries))))


def act(tree: SearchTree, child: str, option: int, seen: Observation | None = SEEN) -> str:
    key = ask(tree, f"act:{child}", option)
    if seen:
        tree.tell(key, seen)
    return key


def open_nodes(tree: SearchTree) -> list[str]:
    return [tree.numbered(number).id for number in tree.frontier]


# -- by definition --------------------------------------------------------------------------------------------------


@given(valuations, steps())
@settings(max_examples=60)
def test_at_every_step_the_tree_is_what_its_moves_and_results_come_to(how: Valuation, thrown: list[Any]) -> None:
    tree = SearchTree("Who designed the bridge?", "random", how)
    FromScratch(tree).check()
    for _ in play(tree, thrown):
        FromScratch(tree).check()


def grown(how: Valuation, chance: random.Random) -> SearchTree:
    """A tree with one proposal at each node at most, no call twice, and most results there."""
    tree = SearchTree("Who designed the bridge?", "random", how)
    for _ in range(chance.randrange(1, 12)):
        untouched = [node for node in tree if not node.rounds]
        if not untouched:
            break
        node = chance.choice(untouched)
        offer(tree, node.id, *(f"{node.id} {i}" for i in range(chance.randrange(1, 4))))
        for option in chance.sample(node.untried, chance.randrange(len(node.untried) + 1)):
            child = f"{node.id}.{len(node.children)}"
            act(tree, child, option, chance.choice([SEEN, SEEN, SEEN, Observation("no", error=True), None]))
            if tree.nodes[child].seen and chance.random() < 0.8:
                tree.tell(ask(tree, f"appraise:{child}"), Appraisal(chance.randrange(-6, 7)))
        if chance.random() < 0.3:
            tree.tell(ask(tree, f"answer:{node.id}:{node.asked}"), Answer(chance.choice(["", "Oda Brenn"])))
    return tree


def retold(tree: SearchTree, chance: random.Random) -> SearchTree:
    """The same moves in the same order; results as early or late, and in whatever order, as moves allow for."""
    other = SearchTree(tree.question, tree.strategy, tree.valuation)
    waiting = list(tree.moves.values())
    while waiting or any(key in tree.told for key in other.pending):
        tellable = [key for key in other.pending if key in tree.told]
        if waiting and _can_be_asked(other, waiting[0]) and (not tellable or chance.random() < 0.7):
            other.mark([waiting.pop(0)])
        else:
            key = chance.choice(tellable)
            other.tell(key, tree.told[key])
    return other


def _can_be_asked(tree: SearchTree, move: Move) -> bool:
    if move.kind == "act":
        return move.parent in tree.nodes and move.option < len(tree.nodes[move.parent].options)
    return move.node in tree.nodes and (move.kind != "appraise" or tree.nodes[move.node].seen is not None)


@given(valuations, st.randoms(use_true_random=False))
@settings(max_examples=150)
def test_it_does_not_matter_in_which_order_results_come_in(how: Valuation, chance: random.Random) -> None:
    tree = grown(how, chance)
    again = retold(tree, chance)

    assert list(again.moves) == list(tree.moves)
    assert again.told == tree.told
    assert what_follows(again) == what_follows(tree)
    assert {given.move for given in again.answers} == {given.move for given in tree.answers}


@pytest.mark.parametrize("first", ["appraise:0.0", "appraise:0.0.0"])
def test_a_critic_of_a_parent_that_tells_after_its_child_s_scores_both(first: str) -> None:
    tree = new(root=3)
    offer(tree, "0", "a")
    act(tree, "0.0", 0)
    offer(tree, "0.0", "b")
    act(tree, "0.0.0", 0)
    offer(tree, "0.0.0", "c")
    act(tree, "0.0.0" + ".0", 0)
    deltas = {"appraise:0.0": 4, "appraise:0.0.0": 1}
    for key in deltas:
        ask(tree, key)
    for key in sorted(deltas, key=lambda key: key != first):
        tree.tell(key, Appraisal(deltas[key]))

    assert [node.score for node in tree] == [3, 7, 8, 8]
    assert tree.frontier.rows() == [(800, 2), (700, 1), (300, 1)]


def test_a_child_that_nobody_appraised_is_worth_what_its_parent_is() -> None:
    tree = new()
    offer(tree, "0", "a")
    act(tree, "0.0", 0)
    tree.tell(ask(tree, "appraise:0.0"), Appraisal(3))
    offer(tree, "0.0", "b")
    act(tree, "0.0.0", 0, None)

    assert (tree.nodes["0.0.0"].score, tree.nodes["0.0.0"].worth, tree.nodes["0.0.0"].value) == (6, 600, 0.6)


# -- values, as the paper reports them (arXiv 2603.12634) -----------------------------------------------------------


@pytest.mark.parametrize(
    ("parent", "delta", "score"),
    [(3, 4, 7), (7, 1, 8), (3, 9, 7), (3, 0, 3), (3, -4, 1), (3, -9, 1), (9, 4, 10), (10, -4, 6), (1, -1, 1)],
)
def test_progress_is_added_to_the_parent_s_score_and_both_are_clipped(parent: int, delta: int, score: int) -> None:
    assert Valuation().score(parent, delta) == score


def test_without_residual_values_progress_is_added_to_the_root_s_score() -> None:
    assert [Valuation(root=3, residual=False).score(parent, 2) for parent in (1, 3, 10)] == [5, 5, 5]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"root": 0}, "root=0 is no score: use 1 to 10"),
        ({"root": 11}, "root=11 is no score: use 1 to 10"),
        ({"blend": -0.1}, "blend=-0.1 is no share: use 0 to 1"),
        ({"blend": float("nan")}, "blend=nan is no share: use 0 to 1"),
    ],
)
def test_what_is_no_valuation_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}$"):
        Valuation(**wrong)


def test_the_first_answer_blends_what_a_node_is_worth_with_what_lies_below_it() -> None:
    tree = new(root=3, blend=0.5)
    offer(tree, "0", "a", "b")
    act(tree, "0.0", 0)
    act(tree, "0.1", 1)
    tree.tell(ask(tree, "appraise:0.0"), Appraisal(4))
    before = [node.worth for node in tree]
    tree.tell(ask(tree, "answer:0:0"), Answer(" "))
    without = [node.worth for node in tree]
    tree.tell(ask(tree, "answer:0:1"), Answer("Oda Brenn"))

    assert before == without == [300, 700, 300]
    assert [node.worth for node in tree] == [400, 700, 300]
    tree.tell(ask(tree, "appraise:0.1"), Appraisal(3))  # and from now on as it is told
    assert [node.worth for node in tree] == [475, 700, 600]


# -- telling --------------------------------------------------------------------------------------------------------


def test_a_move_that_nobody_asked_for_cannot_be_told() -> None:
    with pytest.raises(LookupError) as refused:
        new().tell("act:0.7", SEEN)
    assert str(refused.value) == "move 'act:0.7' was never asked for: mark it first"


@pytest.mark.parametrize(
    ("move", "result", "said"),
    [
        ("propose:0:0", Answer("x"), "move 'propose:0:0' was told Answer: a propose comes to Options, or is Lost"),
        ("plan:0:0", Options(), "move 'plan:0:0' was told Options: a plan comes to Plan, or is Lost"),
        ("answer:0:0", Finish("x"), "move 'answer:0:0' was told Finish: a answer comes to Answer, or is Lost"),
        ("verify:0:0", "yes", "move 'verify:0:0' was told str: a verify comes to Verdict, or is Lost"),
    ],
)
def test_a_result_of_another_kind_is_refused_and_changes_nothing(move: str, result: Any, said: str) -> None:
    tree = new()
    ask(tree, move)
    before = what_follows(tree)
    with pytest.raises(TypeError) as refused:
        tree.tell(move, result)
    assert str(refused.value) == said
    assert (what_follows(tree), list(tree.pending), tree.told) == (before, [move], {})


def test_telling_twice_is_telling_once_and_the_first_stays() -> None:
    tree = new()
    ask(tree, "answer:0:0")

    assert tree.tell("answer:0:0", Answer("Oda Brenn"))
    assert not tree.tell("answer:0:0", Answer("somebody else"))
    assert not tree.lose("answer:0:0", "too late")
    assert tree.answers == [Given("0", "Oda Brenn", "answer:0:0")]
    assert tree.told == {"answer:0:0": Answer("Oda Brenn")}


def test_a_lost_move_may_not_come_back_with_a_result() -> None:
    tree = new()
    offer(tree, "0", "a")
    act(tree, "0.0", 0, None)

    assert tree.lose("act:0.0", "the tool was refused")
    assert not tree.tell("act:0.0", SEEN)
    node = tree.nodes["0.0"]
    assert (node.lost, node.seen, node.reached, open_nodes(tree)) == ("the tool was refused", None, False, ["0"])


# -- asking ---------------------------------------------------------------------------------------------------------


def test_a_move_is_recorded_once_within_one_batch_too() -> None:
    tree, move = new(), Move(id="propose:0:0", kind="propose", node="0")

    assert tree.mark([move, move]) == [move]
    assert tree.mark([move]) == []
    tree.tell(move.id, Options((query("a"),)))
    assert (tree.root.rounds, tree.root.busy, open_nodes(tree)) == (1, 0, ["0"])


@pytest.mark.parametrize(
    ("move", "said"),
    [
        (
            Move(id="propose:0.3:0", kind="propose", node="0.3"),
            "move 'propose:0.3:0' is for node '0.3': there is no such place in the tree",
        ),
        (
            Move(id="act:0.3.0", kind="act", node="0.3.0", option=0),
            "move 'act:0.3.0' is for node '0.3.0': there is no such place in the tree",
        ),
        (Move(id="act:0.0", kind="act", node="0.0", option=1), "move 'act:0.0' takes option 1 of node '0': it has 1"),
        (Move(id="act:0.0", kind="act", node="0.0"), "move 'act:0.0' takes option -1 of node '0': it has 1"),
    ],
)
def test_a_move_for_what_is_not_there_is_refused_and_not_recorded(move: Move, said: str) -> None:
    tree = new()
    offer(tree, "0", "a")
    before = what_follows(tree)
    with pytest.raises(LookupError) as refused:
        tree.mark([move])
    assert str(refused.value) == said
    assert (what_follows(tree), move.id in tree.moves, tree.pending) == (before, False, {})


def test_a_finish_is_told_as_it_is_asked() -> None:
    tree = new()
    tree.mark([Move(id="finish", kind="finish", node="0", text="Oda Brenn")])

    assert tree.finished == Finish("Oda Brenn", "0")
    assert not tree.pending
    assert tree.told == {"finish": Finish("Oda Brenn", "0")}


# -- which nodes can be gone on from --------------------------------------------------------------------------------


def test_a_node_is_not_open_while_a_proposal_or_a_plan_is_under_way_there() -> None:
    tree = new()
    ask(tree, "propose:0:0")
    ask(tree, "plan:0:0")
    seen = [open_nodes(tree)]
    tree.tell("plan:0:0", Plan())
    seen.append(open_nodes(tree))
    tree.tell("propose:0:0", Options((query("a"),)))

    assert [*seen, open_nodes(tree)] == [[], [], ["0"]]


def test_a_node_with_nothing_new_to_propose_is_open_until_its_options_are_taken() -> None:
    tree = new()
    offer(tree, "0", "a")
    offer(tree, "0", "A ")
    assert (tree.root.dry, open_nodes(tree)) == (True, ["0"])
    act(tree, "0.0", 0, None)
    assert open_nodes(tree) == []


def test_a_lost_proposal_leaves_nothing_to_propose() -> None:
    tree = new()
    tree.lose(ask(tree, "propose:0:0"))
    assert (tree.root.dry, open_nodes(tree)) == (True, [])


@pytest.mark.parametrize(
    ("how", "told", "expected"),
    [
        ({}, Appraisal(0), ["0", "0.0"]),
        ({"progress_only": True}, Appraisal(1), ["0", "0.0"]),
        ({"progress_only": True}, Appraisal(0), ["0"]),
        ({"progress_only": True}, Lost(), ["0", "0.0"]),
    ],
)
def test_a_step_that_brought_nothing_is_not_gone_on_from_where_only_progress_counts(
    how: dict[str, Any], told: Any, expected: list[str]
) -> None:
    tree = new(**how)
    offer(tree, "0", "a")
    act(tree, "0.0", 0)
    tree.tell(ask(tree, "appraise:0.0"), told)
    assert open_nodes(tree) == expected


@pytest.mark.parametrize(("ends", "expected"), [(True, []), (False, ["0"])])
@pytest.mark.parametrize("order", [("", "Oda Brenn"), ("Oda Brenn", ""), ("None", "Oda Brenn")])
def test_a_node_is_over_with_its_answer_where_an_answer_ends_it(
    ends: bool, expected: list[str], order: tuple[str, str]
) -> None:
    tree = new(answer_ends=ends)
    for n, text in enumerate(order):
        tree.tell(ask(tree, f"answer:0:{n}"), Answer(text))
    assert open_nodes(tree) == expected


# -- options --------------------------------------------------------------------------------------------------------


def test_options_keep_the_order_in_which_they_were_proposed_and_the_first_of_those_that_are_alike() -> None:
    tree = new()
    again = Option("search", {"query": " A"}, why="again")
    tree.tell(ask(tree, "propose:0:0"), Options((query("a"), query("b"), again)))

    assert tree.root.options == [query("a"), query("b")]


def test_a_call_that_is_known_in_the_tree_is_no_option_anywhere_else() -> None:
    tree = new()
    offer(tree, "0", "a", "b")
    act(tree, "0.0", 0)
    offer(tree, "0.0", "A", "c", "b")

    assert tree.nodes["0.0"].options == [query("c")]
    assert [tree.knows(query(text), tree.root) for text in "abcd"] == [True, True, True, False]


def test_attempts_that_are_independent_know_nothing_of_each_other_s_calls() -> None:
    tree = new(independent=True)
    offer(tree, "0", "a", "b")
    act(tree, "0.0", 0)
    act(tree, "0.1", 1)
    offer(tree, "0.0", "a", "b", "c")
    act(tree, "0.0.0", 1)
    one, other = tree.nodes["0.0.0"], tree.nodes["0.1"]

    assert tree.nodes["0.0"].options == [query("b"), query("c")]
    assert [tree.knows(query(text), one) for text in "abc"] == [True, False, True]
    assert [tree.knows(query(text), other) for text in "abc"] == [False, True, False]
    assert not tree.knows(query("a"), tree.root)


def test_a_node_waits_for_one_of_its_newest_options_to_be_taken() -> None:
    tree = new()
    offer(tree, "0", "a", "b")
    assert tree.offered == {0}
    act(tree, "0.0", 0)
    assert tree.offered == set()
    offer(tree, "0", "c")
    act(tree, "0.1", 1)
    assert tree.offered == {0}  # an older one was taken
    act(tree, "0.2", 2)
    assert tree.offered == set()


def test_a_proposed_answer_is_an_answer_and_an_empty_one_is_none() -> None:
    tree = new()
    options = (Option(answer=" Oda Brenn "), query("a"), Option(answer="  "), Option(answer="Alba", gain=0.9))
    tree.tell(ask(tree, "propose:0:0"), Options(options))

    assert tree.root.options == [query("a")]
    assert tree.answers == [Given("0", "Oda Brenn", "propose:0:0", 0.5), Given("0", "Alba", "propose:0:0", 0.9)]


def test_what_is_said_of_a_node_is_kept_in_order() -> None:
    tree = new()
    told = [Verdict("continue", why="one"), Verdict("pivot", why="two")]
    for n, verdict in enumerate(told):
        tree.tell(ask(tree, f"plan:0:{n}"), Plan(hops=n + 1))
        tree.tell(ask(tree, f"verify:0:{n}"), verdict)

    assert (tree.root.verdicts, [plan.hops for plan in tree.root.plans]) == (told, [1, 2])


# -- depth ----------------------------------------------------------------------------------------------------------


@example(2_000)
@given(st.integers(1, 60))
@settings(max_examples=20)
def test_a_chain_may_be_deeper_than_python_s_stack(depth: int) -> None:
    tree, at = new(root=1), "0"
    for i in range(depth):
        offer(tree, at, f"step {i}")
        at += ".0"
        act(tree, at, 0)
    tree.tell(ask(tree, f"answer:{at}:0"), Answer("Oda Brenn"))
    tree.tell(ask(tree, "appraise:0.0"), Appraisal(4))

    assert [node.score for node in tree] == [1] + [5] * depth
    assert tree.root.worth == 300
    assert tree.nodes[at].path() == list(tree)
