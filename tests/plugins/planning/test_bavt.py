"""BAVT: the value tree, and how greedily it is searched."""

from __future__ import annotations

import random
from collections import Counter
from importlib import import_module
from itertools import pairwise
from math import log
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgetkit.plugins import Bavt, Left, Move, Observation, Option, Options, SearchTree

from ._run import World, give, grow, scripted

SELECT: Any = import_module("budgetkit.plugins._planning._select")
exponent, freshest, pick, shares = SELECT.exponent, SELECT.freshest, SELECT.pick, SELECT.shares
ROWS = st.dictionaries(st.integers(100, 1000), st.integers(1, 50), min_size=1, max_size=20).map(
    lambda rows: sorted(rows.items(), reverse=True)
)
RATIOS = st.floats(0, 1)


def bavt_tree(**settings: object) -> SearchTree:
    """A tree whose plan was made."""
    strategy = Bavt(**settings)  # type: ignore[arg-type]  # whatever a test sets
    return SearchTree("Who was first?", strategy.name, strategy.valuation)


def full(calls: int = 5, tokens: int = 1000) -> Left:
    return Left({"tool_calls": calls, "output_tokens": tokens}, {"tool_calls": calls, "output_tokens": tokens})


# -- how greedily ---------------------------------------------------------------------------------------------------


def test_the_exponent_is_the_inverse_of_what_is_left_up_to_a_cap() -> None:
    assert [exponent(ratio, 10) for ratio in (1, 0.5, 0.25, 0.1, 0.05, 0)] == [1, 2, 4, 10, 10, 10]


@given(RATIOS, RATIOS)
def test_the_less_is_left_the_greedier_until_the_cap(one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert 1 <= exponent(more, 10) <= exponent(less, 10) <= 10
    assert exponent(less, 10) > exponent(more, 10) or less == more or more <= 0.1 or 1 / less == 1 / more


@pytest.mark.parametrize(("ratio", "first"), [(1, 0.666667), (0.5, 0.8), (0.25, 0.941176), (0.1, 0.999024)])
def test_two_nodes_are_drawn_as_the_paper_has_it(ratio: float, first: float) -> None:
    assert shares([(800, 1), (400, 1)], exponent(ratio, 10)) == pytest.approx([first, 1 - first], abs=5e-7)


@given(ROWS, st.floats(1, 1000))
def test_the_probabilities_of_all_rows_add_up_to_one(rows: list[tuple[int, int]], alpha: float) -> None:
    assert sum(shares(rows, alpha)) == pytest.approx(1)


@given(ROWS, st.floats(1, 10))
def test_rows_are_drawn_as_all_their_nodes_would_be(rows: list[tuple[int, int]], alpha: float) -> None:
    """Against brute force: a softmax over the nodes, one by one."""
    nodes = [worth / 1000 for worth, number in rows for _ in range(number)]
    total = sum(value**alpha for value in nodes)
    brute = [number * (worth / 1000) ** alpha / total for worth, number in rows]
    assert shares(rows, alpha) == pytest.approx(brute)


def test_the_lowest_value_neither_underflows_nor_raises() -> None:
    assert shares([(100, 1)], 10) == [1.0]
    assert shares([(100, 3)], 1e6) == [1.0]
    assert shares([(1000, 1), (100, 1)], 1e6) == [1.0, 0.0]


# -- drawing from a tree ---------------------------------------------------------------------------------------------


@given(st.lists(st.integers(-4, 4), max_size=12), st.sets(st.integers(0, 12)), st.floats(1, 10), st.integers())
def test_a_draw_is_that_of_a_softmax_over_the_open_nodes(
    deltas: list[int], held: set[int], alpha: float, seed: int
) -> None:
    tree = bavt_tree(progress_only=False)
    grow(tree, "0", *deltas)
    away = [node for node in tree if node.number in held]
    open_nodes = {n: tree.numbered(n).value for n in tree.frontier if n not in held}
    drawn = pick(tree.frontier, alpha, random.Random(seed), away)
    if drawn is None:
        assert not open_nodes
        return
    number, likely = drawn
    total = sum(value**alpha for value in open_nodes.values())
    assert likely == pytest.approx(open_nodes[number] ** alpha / total)


def test_draws_are_as_frequent_as_they_are_likely() -> None:
    tree = bavt_tree(progress_only=False)
    grow(tree, "0", 4, 1, 1, -2, 0)
    held = [tree.nodes["0.1"]]
    chance = random.Random(1)
    drawn = [pick(tree.frontier, 2.0, chance, held) for _ in range(20_000)]
    likely = dict(filter(None, drawn))
    assert sum(likely.values()) == pytest.approx(1)
    assert set(likely) == {0, 1, 3, 4, 5}
    seen = Counter(number for number, _ in filter(None, drawn))
    assert [seen[n] / 20_000 for n in likely] == pytest.approx(list(likely.values()), abs=0.01)


def test_nothing_is_drawn_where_nothing_is_open() -> None:
    tree = bavt_tree()
    assert pick(tree.frontier, 1.0, random.Random(0), [tree.root]) is None
    tree.mark([Move(id="plan:0:0", kind="plan", node="0")])
    assert pick(tree.frontier, 1.0, random.Random(0)) is None
    assert freshest(tree.frontier) is None


def test_the_freshest_of_the_best_is_the_newest() -> None:
    tree = bavt_tree()
    grow(tree, "0", 2, 4, 4, 1)
    number = freshest(tree.frontier)
    assert number is not None
    assert tree.numbered(number).id == "0.2"


def test_ten_thousand_nodes_are_drawn_from_as_a_few_are() -> None:
    chance = random.Random(3)
    tree = bavt_tree(progress_only=False)
    ids = ["0"]
    while len(tree) < 10_000:
        ids += grow(tree, chance.choice(ids), *(chance.randint(-4, 4) for _ in range(50)))
    numbers = list(tree.frontier)
    drawn = pick(tree.frontier, 3.0, random.Random(5))
    assert drawn is not None
    assert len(numbers) > 9_000
    total = sum(tree.numbered(n).value ** 3 for n in numbers)
    assert drawn[1] == pytest.approx(tree.numbered(drawn[0]).value ** 3 / total)
    moves = Bavt(plans=False).ask(tree, full(10**6, 10**6), 8)
    assert len(moves) == 8
    assert {move.kind for move in moves} <= {"propose", "answer"}


def test_the_same_seed_makes_the_same_choices_and_another_makes_others() -> None:
    def choices(seed: int) -> list[str]:
        deltas = {"0.0": 3, "0.1": 1, "0.0.0": 1, "0.1.0": 2}
        world = World(Bavt(seed=seed), scripted(deltas, gains=(0.5, 0.5)), calls=20, tokens=9000)
        world.go()
        return list(world.tree.moves)

    assert choices(1) == choices(1)
    assert len({tuple(choices(seed)) for seed in range(6)}) > 1


# -- what is left ----------------------------------------------------------------------------------------------------


def test_the_scarcest_resource_decides() -> None:
    tree = bavt_tree()
    left = Left({"tool_calls": 5, "output_tokens": 250}, {"tool_calls": 5, "output_tokens": 1000})
    assert left.ratio == 0.25
    (move,) = Bavt(plans=False).ask(tree, left)
    assert move.why == "deepen: worth 0.3, drawn with probability 1 at exponent 4"


def test_without_conditioning_the_exponent_is_always_one() -> None:
    left = Left({"tool_calls": 1, "output_tokens": 250}, {"tool_calls": 5, "output_tokens": 1000})
    (move,) = Bavt(plans=False, conditioned=False).ask(bavt_tree(), left)
    assert move.why == "deepen: worth 0.3, drawn with probability 1 at exponent 1"


@pytest.mark.parametrize(("tokens", "kind"), [(200, "propose"), (199, "answer")])
def test_the_backstop_is_below_a_fifth_of_the_tokens(tokens: int, kind: str) -> None:
    left = Left({"tool_calls": 5, "output_tokens": tokens}, {"tool_calls": 5, "output_tokens": 1000})
    assert [move.kind for move in Bavt(plans=False).ask(bavt_tree(), left)] == [kind]


def test_no_tool_call_left_triggers_it_as_well() -> None:
    left = Left({"tool_calls": 0, "output_tokens": 1000}, {"tool_calls": 5, "output_tokens": 1000})
    assert [move.kind for move in Bavt().ask(bavt_tree(), left)] == ["answer"]


def test_at_the_backstop_nothing_is_thought_about_but_the_answer() -> None:
    tree = bavt_tree()
    grow(tree, "0", 1)
    tree.mark([Move(id="propose:0:1", kind="propose", node="0")])
    tree.tell("propose:0:1", Options((Option("search", {"query": "new"}),)))
    tree.mark([Move(id="act:0.1", kind="act", node="0.1", option=1)])
    tree.tell("act:0.1", Observation("found"))
    left = Left({"output_tokens": 199}, {"output_tokens": 1000})
    assert [move.id for move in Bavt().ask(tree, left, 9)] == ["answer:0.0:0"]
    assert [move.id for move in Bavt(plans=False).ask(tree, full(0), 9)] == ["appraise:0.1"]


def test_the_last_answer_is_forced_at_the_open_leaf_of_the_highest_value() -> None:
    tree = bavt_tree()
    grow(tree, "0", 1, 4, 3)
    grow(tree, "0.1", -1)
    (move,) = Bavt().ask(tree, full(0))
    assert (move.kind, move.node) == ("answer", "0.1")
    assert move.why == "nothing further to try, or too little left: the best that there is"


def test_without_a_critic_the_last_answer_is_forced_at_the_newest_step() -> None:
    world = World(Bavt(appraises=False), scripted(), calls=4)
    world.go()
    assert "appraise" not in {move.kind for move in world.tree.moves.values()}
    (answer,) = (move for move in world.tree.moves.values() if move.kind == "answer")
    assert world.tree.nodes[answer.node].number == 4


def test_an_answer_that_comes_to_nothing_is_not_asked_for_again_on_the_same_evidence() -> None:
    tree = bavt_tree()
    tree.mark(Bavt().ask(tree, full(0)))
    tree.lose("answer:0:0", "refused")
    assert [(move.kind, move.text) for move in Bavt().ask(tree, full(0))] == [("finish", "")]


# -- values and what follows -----------------------------------------------------------------------------------------


def test_progress_adds_up_from_step_to_step() -> None:
    tree = bavt_tree()
    grow(tree, "0", 4, 9, 0, -4)
    assert [tree.nodes[f"0.{i}"].value for i in range(4)] == [0.7, 0.7, 0.3, 0.1]
    grow(tree, "0.0", 1)
    assert tree.nodes["0.0.0"].value == 0.8


def test_without_residuals_a_step_counts_from_the_root() -> None:
    tree = bavt_tree(residual=False)
    grow(tree, "0", 4)
    grow(tree, "0.0", 1)
    assert tree.nodes["0.0.0"].value == 0.4


@pytest.mark.parametrize("seed", range(6))
def test_a_step_forward_is_gone_on_from_and_one_of_no_use_is_not(seed: int) -> None:
    """Four calls: +4 deepens, 0 and -4 do not; whoever is drawn, nothing is asked for at those."""
    world = World(Bavt(seed=seed, plans=False), scripted({"0.0": 4, "0.0.0": 0, "0.0.1": -4, "0.1": 0}), calls=4)
    world.go()
    modes: dict[str, list[str]] = {}
    for move in world.tree.moves.values():
        if move.kind == "propose":
            modes.setdefault(move.node, []).append(move.mode)
    assert set(modes) <= {"0", "0.0"}
    assert all(asked == ["deepen", *["widen"] * (len(asked) - 1)] for asked in modes.values())
    assert sum(map(len, modes.values())) == 4


def test_where_a_step_brought_nothing_its_parent_widens() -> None:
    world = World(Bavt(plans=False), scripted({"0.0": 0}), calls=2)
    world.go()
    asked = [(m.kind, m.node, m.mode) for m in world.tree.moves.values() if m.kind in {"propose", "act"}]
    assert asked == [
        ("propose", "0", "deepen"),
        ("act", "0.0", "deepen"),
        ("propose", "0", "widen"),
        ("act", "0.1", "widen"),
    ]
    why = world.tree.moves["propose:0:1"].why
    assert why == "widen: the newest step from here brought nothing; worth 0.3, drawn with probability 1 at exponent 2"


def test_a_value_of_tau_is_answered_from_at_once_and_not_gone_on_from() -> None:
    world = World(Bavt(plans=False, seed=2), scripted({"0.0": 4, "0.0.0": 1}), calls=9)
    tree = world.tree
    grow(tree, "0", 4)
    grow(tree, "0.0", 1)
    moves = Bavt(plans=False).ask(tree, full(), 1)
    assert [(move.kind, move.node, move.why) for move in moves] == [("answer", "0.0.0", "its value of 0.8 reaches 0.8")]
    give(tree, "0.0.0", "1937")
    assert tree.nodes["0.0.0"].number not in tree.frontier


@pytest.mark.parametrize("said", ["", "None"])
def test_a_node_that_says_nothing_is_gone_on_from_and_not_asked_twice(said: str) -> None:
    tree = bavt_tree(root=7)
    grow(tree, "0", 3)
    give(tree, "0.0", said)
    assert tree.nodes["0.0"].number in tree.frontier
    assert "answer" not in {move.kind for move in Bavt(plans=False).ask(tree, full(), 9)}


def test_a_step_that_waits_for_its_critic_is_neither_answered_nor_gone_on_from() -> None:
    tree = bavt_tree(root=7)
    grow(tree, "0", 3)
    give(tree, "0.0", "")
    moves = Bavt(plans=False)
    tree.mark([Move(id="propose:0.0:0", kind="propose", node="0.0")])
    tree.tell("propose:0.0:0", Options((Option("search", {"query": "x"}),)))
    tree.mark([Move(id="act:0.0.0", kind="act", node="0.0.0", option=0)])
    tree.tell("act:0.0.0", Observation("found"))
    asked = moves.ask(tree, full(), 9)
    assert [move.id for move in asked if move.node.startswith("0.0.0")] == ["appraise:0.0.0"]
    tree.mark(asked)
    assert [move.id for move in moves.ask(tree, full(), 9) if move.node.startswith("0.0.0")] == []


def test_a_tool_that_fails_brings_nothing_and_needs_no_critic() -> None:
    tree = bavt_tree()
    tree.mark([Move(id="propose:0:0", kind="propose", node="0")])
    tree.tell("propose:0:0", Options((Option("search", {"query": "x"}),)))
    tree.mark([Move(id="act:0.0", kind="act", node="0.0", option=0)])
    tree.tell("act:0.0", Observation("503", error=True))
    assert [(move.kind, move.node) for move in Bavt(plans=False).ask(tree, full(), 9)] == [("propose", "0")]


def test_what_was_proposed_is_done_before_anybody_else_is_drawn() -> None:
    for seed in range(8):
        tree = bavt_tree()
        grow(tree, "0", 4, 3, 2)
        tree.mark([Move(id="propose:0.2:0", kind="propose", node="0.2")])
        tree.tell("propose:0.2:0", Options((Option("search", {"query": "a"}), Option("search", {"query": "b"}))))
        (move,) = Bavt(plans=False, seed=seed).ask(tree, full())
        assert (move.id, move.option) == ("act:0.2.0", 0)


def test_no_more_nodes_are_gone_on_from_than_tool_calls_are_left() -> None:
    tree = bavt_tree()
    grow(tree, "0", 4, 3, 2, 1)
    strategy = Bavt(plans=False)
    asked = strategy.ask(tree, full(2), 9)
    assert [move.kind for move in asked] == ["propose", "propose"]
    tree.mark(asked)
    assert strategy.ask(tree, full(2), 9) == []


def test_a_batch_goes_on_from_different_nodes() -> None:
    tree = bavt_tree()
    grow(tree, "0", 4, 4, 4, 4)
    asked = Bavt(plans=False).ask(tree, full(9), 5)
    assert len({move.node for move in asked}) == 5


# -- the plan --------------------------------------------------------------------------------------------------------


def test_a_plan_comes_first_and_once_even_if_it_is_lost() -> None:
    tree = bavt_tree()
    (plan,) = Bavt().ask(tree, full(), 9)
    tree.mark([plan])
    assert (plan.kind, plan.node) == ("plan", "0")
    assert Bavt().ask(tree, full(), 9) == []
    tree.lose(plan.id, "refused")
    assert [move.kind for move in Bavt().ask(tree, full(), 9)] == ["propose"]


# -- the end ---------------------------------------------------------------------------------------------------------


def test_the_search_goes_on_after_an_answer_until_the_budget_is_short() -> None:
    deltas = {"0.0": 4, "0.0.0": 4, "0.1": 4, "0.0.1": 4}
    whole = World(Bavt(plans=False), scripted(deltas), calls=6)
    first = World(Bavt(plans=False, stop_at_first=True), scripted(deltas), calls=6)
    assert (whole.go(), first.go()) == ("1937", "1937")
    assert whole.used["tool_calls"] == 6
    assert first.used["tool_calls"] < 6
    assert len(first.tree.answers) == 1


def test_where_nothing_is_ever_short_the_first_answer_ends_it() -> None:
    tree = bavt_tree()
    grow(tree, "0", 4)
    grow(tree, "0.0", 4)
    give(tree, "0.0.0", "1937")
    dollars = Left({"usd": 10**9}, {"usd": 10**9})
    assert [(move.kind, move.text) for move in Bavt().ask(tree, dollars)] == [("finish", "1937")]
    assert [move.kind for move in Bavt(plans=False).ask(tree, full())] == ["propose"]


def test_the_answer_is_that_of_the_node_that_is_worth_most() -> None:
    tree = bavt_tree()
    grow(tree, "0", 4, 4)
    grow(tree, "0.0", 1)
    grow(tree, "0.1", 3)
    give(tree, "0.0.0", "one")
    give(tree, "0.1.0", "two")
    (move,) = Bavt().ask(tree, full(0))
    assert (move.kind, move.text, move.node) == ("finish", "two", "0.1.0")
    assert move.why == "worth 1.0, the most of 2 answers"


def test_of_equals_it_is_the_one_that_most_agree_with_however_it_is_written() -> None:
    tree = bavt_tree()
    for child, said in zip(grow(tree, "0", 4, 4, 4), ("Paris", "Rome", "The rome."), strict=True):
        (leaf,) = grow(tree, child, 2)
        give(tree, leaf, said)
    (move,) = Bavt().ask(tree, full(0))
    assert (move.text, move.node) == ("Rome", "0.1.0")


@given(st.permutations([("0.0.0", "Paris"), ("0.1.0", "Rome"), ("0.2.0", "Oslo")]))
def test_in_whatever_order_answers_come_the_same_one_wins(order: list[tuple[str, str]]) -> None:
    tree = bavt_tree()
    for child in grow(tree, "0", 4, 4, 4):
        grow(tree, child, 2)
    for node, said in order:
        give(tree, node, said, 0.9 if said == "Oslo" else None)
    assert [move.text for move in Bavt().ask(tree, full(0))] == ["Oslo"]


def test_none_is_an_answer_only_where_there_is_no_other() -> None:
    tree = bavt_tree()
    grow(tree, "0", 4, 1)
    give(tree, "0.0", "None")
    assert [move.kind for move in Bavt().ask(tree, full(0))] == ["finish"]
    give(tree, "0.1", "1937")
    assert [move.text for move in Bavt().ask(tree, full(0))] == ["1937"]


def test_several_strong_answers_below_make_a_path_worth_more() -> None:
    """The back-up begins with the first answer: before it a node is worth its value."""
    tree = bavt_tree()
    grow(tree, "0", 1, 1)
    grow(tree, "0.0", 4, 4)
    assert tree.nodes["0.0"].worth == tree.nodes["0.1"].worth == 400
    give(tree, "0.0.0", "1937")
    assert tree.nodes["0.0"].worth == round(0.5 * 400 + 0.5 * 800)
    assert tree.nodes["0.1"].worth == 400


# -- every run -------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["0.0", "0.1", "0.0.0", "0.0.1", "0.1.0"]), st.integers(-4, 4)),
    st.sampled_from([(5, 1000), (5, 2000), (10, 2000), (1, 100), (0, 500)]),
    st.dictionaries(st.sampled_from(["plan", "propose", "appraise", "answer"]), st.integers(0, 512)),
    st.integers(1, 4),
    st.integers(0, 9),
)
def test_no_run_exceeds_a_cap_and_every_run_answers(
    deltas: dict[str, int], caps: tuple[int, int], costs: dict[str, int], batch: int, seed: int
) -> None:
    calls, tokens = caps
    reserve = min(tokens, costs.get("answer", 10))
    world = World(
        Bavt(seed=seed), scripted(deltas), calls=calls, tokens=tokens, reserve=reserve, costs=costs, seed=seed
    )
    answer = world.go(batch)
    assert world.used["tool_calls"] <= calls
    assert world.used["output_tokens"] <= tokens
    assert bool(answer) == (costs.get("answer", 10) <= tokens)


def test_what_the_critic_and_the_plan_cost_is_spent() -> None:
    costs = {"plan": 100, "appraise": 60, "propose": 40, "answer": 20}
    world = World(Bavt(), scripted({"0.0": 4}), calls=2, tokens=1000, costs=costs)
    world.go()
    asked = Counter[str](move.kind for move in world.tree.moves.values())
    assert (asked["plan"], asked["appraise"]) == (1, 2)
    assert world.used["output_tokens"] == sum(costs[kind] * asked[kind] for kind in costs)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"tau": 0.0}, "tau=0.0 is no value of a node: use more than 0 and at most 1"),
        ({"eta": 1.0}, "eta=1.0 is no share of the tokens to stop at: use 0 or more and less than 1"),
        ({"alpha_cap": 0.5}, "alpha_cap=0.5 is less than the exponent of a full budget: use 1 or more"),
        ({"children": 0}, "children=0 options cannot be asked for: use 1 or more"),
        ({"root": 0}, "root=0 is no score: use 1 to 10"),
        ({"blend": 1.5}, "blend=1.5 is no share: use 0 to 1"),
    ],
)
def test_a_setting_out_of_range_is_named(setting: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the whole message is compared
        Bavt(**setting)  # type: ignore[arg-type]  # what a user might set
    assert str(raised.value) == message


@given(ROWS)
def test_a_greedier_exponent_never_makes_the_best_row_less_likely(rows: list[tuple[int, int]]) -> None:
    likely = [shares(rows, alpha)[0] for alpha in (1, 2, 4, 10)]
    assert all(after >= before - 1e-12 for before, after in pairwise(likely))
    assert log(likely[0]) <= 0
