"""VOI: what an action is worth per unit of what is left."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgetkit.plugins import (
    Answer,
    Left,
    Lost,
    Move,
    Observation,
    Option,
    Options,
    Plan,
    SearchTree,
    TreeNode,
    Voi,
)

from ._run import Thought, World, give, grow, scripted

SCORE: Any = import_module("budgetkit.plugins._planning._voi_score")
FEATURES: Any = import_module("budgetkit.plugins._planning._voi_features")
ACTIONS, Situation, choose, penalty = SCORE.ACTIONS, SCORE.Situation, SCORE.choose, SCORE.penalty
relative_cost, score, structure = SCORE.relative_cost, SCORE.score, SCORE.structure
likeness, support_of = FEATURES.likeness, FEATURES.support_of
BY = Voi().coefficients
CHAIN = "When was the company that built Alpha founded?"
SIMPLE = "When was Alpha founded?"
SHARES = st.floats(0, 1)


def full(calls: int = 3, tokens: int = 500) -> Left:
    return Left({"tool_calls": calls, "output_tokens": tokens}, {"tool_calls": calls, "output_tokens": tokens})


def voi_tree(question: str = CHAIN) -> SearchTree:
    return SearchTree(question, "voi", Voi().valuation)


def kinds(world: World) -> list[str]:
    return [move.kind for move in world.tree.moves.values()]


# -- pressure and cost ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("calls", "tokens", "rho"), [(2, 300, 0.4), (3, 500, 0), (0, 500, 1), (3, 0, 1)])
def test_pressure_is_that_of_the_scarcest_resource(calls: int, tokens: int, rho: float) -> None:
    left = Left({"tool_calls": calls, "output_tokens": tokens}, {"tool_calls": 3, "output_tokens": 500})
    assert left.pressure == pytest.approx(rho)


@pytest.mark.parametrize(
    ("calls", "tokens", "rho", "d", "fined", "worth", "scored"),
    [
        (3, 500, 0, 0.2267, 0, 0.64, 2.8234),
        (2, 300, 0.4, 0.35, 0.098, 0.542, 1.5485),
        (1, 150, 0.7, 0.70, 0.343, 0.297, 0.4243),
    ],
)
def test_the_score_of_a_search_has_the_values_that_its_formula_gives(
    calls: int, tokens: int, rho: float, d: float, fined: float, worth: float, scored: float
) -> None:
    cost = relative_cost({"tool": 1, "output": 60}, {"tool": calls, "output": tokens})
    assert cost == pytest.approx(d, abs=5e-5)
    assert cost is not None
    at = Situation(rho=rho, costs={"search": cost}, gain=0.5, hops=2, open_hops=2)
    assert penalty(cost, rho, BY) == pytest.approx(fined, abs=5e-5)
    assert at.gain + structure("search", at, BY) - penalty(cost, rho, BY) == pytest.approx(worth, abs=5e-5)
    assert score("search", at, BY) == pytest.approx(scored, abs=5e-5)


def test_the_strategy_scores_its_first_search_by_the_same_numbers() -> None:
    (move,) = Voi().ask(voi_tree(), full())
    assert move.kind == "propose"
    assert move.why == "search: score 2.82 under pressure 0, support 0"


def test_what_is_not_limited_costs_nothing_and_what_is_not_paid_for_is_no_choice() -> None:
    assert relative_cost({"tool": 1, "output": 60}, {}) == 0
    assert relative_cost({"tool": 1}, {"tool": 0, "output": 100}) is None
    assert relative_cost({"output": 50}, {"tool": 0, "output": 100}) == 0.25


@given(SHARES, SHARES, SHARES)
def test_the_penalty_never_falls_as_pressure_rises(cost: float, one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert 0 <= penalty(cost, less, BY) <= penalty(cost, more, BY)


@given(st.sampled_from(ACTIONS), SHARES, SHARES, SHARES, SHARES, SHARES, st.integers(0, 4))
def test_a_dearer_action_never_scores_higher(
    action: str, rho: float, gain: float, support: float, one: float, other: float, open_hops: int
) -> None:
    at = [
        Situation(rho=rho, costs={action: d}, gain=gain, support=support, hops=2, open_hops=open_hops)
        for d in sorted((one, other))
    ]
    assert score(action, at[0], BY) >= score(action, at[1], BY)


@given(SHARES, SHARES, SHARES, SHARES)
def test_more_support_never_lowers_an_answer(rho: float, cost: float, one: float, other: float) -> None:
    less, more = (Situation(rho=rho, costs={"answer": cost}, support=s) for s in sorted((one, other)))
    assert score("answer", less, BY) <= score("answer", more, BY)


def test_what_is_worth_nothing_scores_nothing() -> None:
    at = Situation(rho=1, costs={"search": 1.0, "answer": 0.05}, gain=0.1, loop=1, support=0.2)
    assert [score(action, at, BY) for action in ("search", "answer")] == [0, 0]


def test_a_free_action_does_not_win_by_being_free() -> None:
    at = Situation(rho=0, costs={"answer": 0.0, "decompose": 0.05}, support=0.5, hops=2, open_hops=2)
    assert score("answer", at, BY) == pytest.approx(0.15 / 0.05001)


def test_a_search_that_repeats_one_is_worth_less() -> None:
    at = Situation(rho=0, costs={"search": 0.5}, gain=0.5)
    assert (
        score("search", replace(at, loop=1), BY) < score("search", replace(at, loop=0.5), BY) < score("search", at, BY)
    )


# -- guards ----------------------------------------------------------------------------------------------------------

EVERYTHING: dict[str, float] = {"search": 0.3, "decompose": 0.1, "answer": 0.05}


def situation(**how: object) -> Any:
    base: dict[str, object] = {"rho": 0.3, "costs": EVERYTHING, "gain": 0.5, "searches": 1, "hops": 2, "open_hops": 2}
    return Situation(**{**base, **how})


SITUATIONS = st.builds(
    situation,
    rho=SHARES,
    costs=st.dictionaries(st.sampled_from(ACTIONS), SHARES),
    gain=SHARES,
    loop=SHARES,
    hops=st.integers(1, 4),
    open_hops=st.integers(0, 4),
    support=SHARES,
    searches=st.integers(0, 3),
    idle=st.integers(0, 3),
    answerable=st.booleans(),
)


@given(SITUATIONS)
def test_a_choice_is_affordable_or_the_answer_that_is_kept_for(at: Any) -> None:
    action, scored = choose(at, BY)
    assert action in at.costs or action == "answer"
    assert scored == (score(action, at, BY) if action in at.costs and scored else 0)


@given(SITUATIONS)
def test_a_compositional_question_is_searched_once_at_least(at: Any) -> None:
    if at.compositional and not at.searches and "search" in at.costs:
        assert choose(at, BY)[0] == "search"


@given(SITUATIONS)
def test_a_simple_question_is_never_decomposed(at: Any) -> None:
    assert choose(replace(at, hops=1), BY)[0] != "decompose"


@given(SITUATIONS)
def test_two_idle_decompositions_are_the_last(at: Any) -> None:
    assert choose(replace(at, idle=2), BY)[0] != "decompose"


@given(SITUATIONS)
def test_weak_evidence_is_not_answered_from_while_a_search_is_affordable(at: Any) -> None:
    assert choose(replace(at, costs={**at.costs, "search": 0.5}, support=0.2), BY)[0] != "answer"
    assert choose(replace(at, costs={**at.costs, "search": 0.5}, answerable=False), BY)[0] != "answer"


@given(SITUATIONS)
def test_nothing_affordable_is_an_answer(at: Any) -> None:
    assert choose(replace(at, costs={}), BY) == ("answer", 0.0)


def test_nothing_of_worth_is_an_answer_unless_a_guard_is_against_it() -> None:
    assert choose(situation(gain=0, open_hops=0, loop=1, support=0.4), BY) == ("answer", 0.0)
    assert choose(situation(gain=0, open_hops=0, loop=1, support=0.2), BY) == ("search", 0.0)


def test_a_decomposition_is_chosen_where_no_search_promises_much() -> None:
    assert choose(situation(gain=0.1), BY)[0] == "decompose"
    assert choose(situation(gain=0.1, idle=1), BY)[0] == "search"
    assert choose(situation(gain=0.9), BY)[0] == "search"


def test_pressure_turns_a_search_into_an_answer() -> None:
    at = situation(gain=0.9, open_hops=1, support=0.6)
    assert [choose(replace(at, rho=rho), BY)[0] for rho in (0.0, 1.0)] == ["answer", "answer"]
    cheap = replace(at, costs={"search": 0.2, "answer": 0.05})
    assert [choose(replace(cheap, rho=rho), BY)[0] for rho in (0.0, 1.0)] == ["search", "search"]
    dear = replace(at, costs={"search": 0.28, "answer": 0.0})
    assert [choose(replace(dear, rho=rho), BY)[0] for rho in (0.0, 1.0)] == ["search", "answer"]
    assert choose(replace(dear, rho=1.0), replace(BY, cost=0.0))[0] == "search"


def test_where_nothing_is_limited_supported_evidence_is_enough() -> None:
    free = situation(costs=dict.fromkeys(ACTIONS, 0.0), rho=0, support=0.5)
    assert choose(free, BY)[0] == "answer"
    assert choose(replace(free, support=0.4), BY)[0] == "search"


# -- what is read off the tree ---------------------------------------------------------------------------------------


def test_support_is_told_or_follows_from_progress() -> None:
    tree = voi_tree()
    grow(tree, "0", 4, -4, 2)
    assert [round(support_of(node, 3), 2) for node in tree] == [0, 0.57, 0, 0.29]
    node = tree.nodes["0.0"]
    node.appraisal = replace(node.appraisal, support=1.7) if node.appraisal else None
    assert support_of(node, 3) == 1
    assert support_of(tree.root, 10) == 0


@given(st.text(max_size=40), st.text(max_size=40))
def test_likeness_is_a_share_and_that_of_the_same_call_is_one(one: str, other: str) -> None:
    tree = voi_tree()
    grow(tree, "0", 1)
    tree.root.children[0].made = Option("search", {"query": f"alpha {one}"})
    assert 0 <= likeness(Option("search", {"query": f"beta {other}"}), tree) <= 1
    assert likeness(Option("search", {"query": f"{one} Alpha"}), tree) == pytest.approx(1)
    assert likeness(Option("search", {"query": "x"}), voi_tree()) == 0


# -- the strategy ----------------------------------------------------------------------------------------------------


def test_a_supported_answer_ends_it_early() -> None:
    world = World(Voi(), scripted(supports={"0.0": 0.9}), calls=3, tokens=500)
    assert world.go() == "1937"
    assert kinds(world) == ["propose", "act", "appraise", "answer", "finish"]


def test_without_stopping_every_call_is_spent() -> None:
    world = World(Voi(stops=False), scripted({"0.0": 4, "0.0.0": 4}, supports={"0.0": 0.9}), calls=3, tokens=500)
    assert world.go() == "1937"
    assert world.used["tool_calls"] == 3


def test_the_last_call_is_not_appraised() -> None:
    world = World(Voi(), scripted(), calls=1, tokens=100)
    assert world.go() == "1937"
    assert kinds(world) == ["propose", "act", "answer", "finish"]


def test_no_call_at_all_is_an_answer() -> None:
    world = World(Voi(), scripted(), calls=0)
    assert world.go() == "1937"
    assert kinds(world) == ["answer", "finish"]


def test_searches_of_little_promise_make_it_decompose_and_ask_anew() -> None:
    world = World(Voi(), scripted({"0.0": 1}, gains=(0.1, 0.05), hops=3), calls=3, tokens=2000)
    world.go()
    assert kinds(world)[:5] == ["propose", "act", "appraise", "plan", "propose"]
    assert kinds(world).count("plan") == 1


def test_a_simple_question_is_never_planned_for() -> None:
    world = World(Voi(), scripted(gains=(0.05,)), calls=3, tokens=2000, question=SIMPLE)
    world.go()
    assert "plan" not in kinds(world)


def test_a_plan_that_is_lost_is_not_waited_for() -> None:
    def think(move: Move, node: TreeNode) -> Thought:
        return Lost("refused") if move.kind == "plan" else scripted({"0.0": 1}, gains=(0.1,))(move, node)

    world = World(Voi(), think, calls=4, tokens=5000)
    assert world.go() == "1937"


def test_of_all_options_the_one_that_promises_most_is_taken() -> None:
    world = World(Voi(), scripted(gains=(0.2, 0.9, 0.4)), calls=1, tokens=500)
    world.go()
    assert [move.option for move in world.tree.moves.values() if move.kind == "act"] == [1]


def test_it_goes_on_from_the_best_step_and_answers_at_the_best_supported() -> None:
    world = World(Voi(), scripted({"0.0": 2, "0.0.0": -4}, supports={"0.0": 0.45, "0.0.0": 0.1}), calls=3, tokens=500)
    world.go()
    assert [move.node for move in world.tree.moves.values() if move.kind == "act"] == ["0.0", "0.0.0", "0.0.1"]
    assert [move.node for move in world.tree.moves.values() if move.kind == "answer"] == ["0.0"]


@pytest.mark.parametrize("said", ["", "None"])
def test_an_answer_that_says_nothing_makes_it_search_on(said: str) -> None:
    def think(move: Move, node: TreeNode) -> Thought:
        if move.kind == "answer" and node.id == "0.0":
            return Answer(said)
        return scripted({"0.0": 1, "0.0.0": 4}, supports={"0.0": 0.9, "0.0.0": 1.0})(move, node)

    world = World(Voi(), think, calls=3, tokens=500)
    assert world.go() == "1937"
    assert world.used["tool_calls"] == 2


def test_an_answer_that_was_proposed_on_the_same_evidence_is_taken() -> None:
    def think(move: Move, node: TreeNode) -> Thought:
        if move.kind == "propose" and node.id != "0":
            return Options((Option(answer="in 1937"),))
        return scripted(supports={"0.0": 0.4})(move, node)

    world = World(Voi(finalizes=False), think, calls=1, tokens=500)
    tree = world.tree
    grow(tree, "0", 4)
    tree.mark([Move(id="propose:0.0:0", kind="propose", node="0.0")])
    tree.tell("propose:0.0:0", Options((Option(answer="in 1937"),)))
    (move,) = Voi(finalizes=False).ask(tree, full(0))
    assert (move.kind, move.text, move.why) == ("finish", "in 1937", "answered")


def test_while_anything_is_under_way_it_waits() -> None:
    tree = voi_tree()
    tree.mark(Voi().ask(tree, full(), 9))
    assert Voi().ask(tree, full(), 9) == []


def test_a_tool_that_fails_is_not_gone_on_from() -> None:
    world = World(Voi(), scripted(), calls=2, tokens=500, acts=lambda _: Observation("503", error=True))
    assert world.go() == "1937"
    assert {move.node for move in world.tree.moves.values() if move.kind == "propose"} == {"0"}


def test_without_the_penalty_it_searches_where_it_would_have_answered() -> None:
    left = Left({"tool_calls": 4}, {"tool_calls": 40})
    tree = voi_tree()
    grow(tree, "0", 4)
    tree.mark([Move(id="propose:0.0:0", kind="propose", node="0.0")])
    tree.tell("propose:0.0:0", Options((Option("search", {"query": "something else"}, gain=0.85),)))
    asked = [Voi(penalty=on).ask(tree, left)[0] for on in (True, False)]
    assert [(move.kind, move.why) for move in asked] == [
        ("answer", "answer: score 3.43 under pressure 0.9, support 0.57"),
        ("act", "search: score 3.96 under pressure 0.9, support 0.57"),
    ]


# -- the finalizer inside --------------------------------------------------------------------------------------------


def year(move: Move, node: TreeNode) -> Thought:
    if move.kind == "answer":
        return Answer("unknown")
    return scripted({"0.0": 4}, supports={"0.0": 0.9})(move, node)


def finding(_: Option) -> Observation:
    return Observation("[1] Alpha\nAlpha was founded in 1987 by Jane Doe.")


def test_the_finalizer_looks_over_the_answer_and_calls_nobody() -> None:
    question = "In which year was Alpha founded?"
    on, off = (World(Voi(finalizes=on), year, question=question, acts=finding) for on in (True, False))
    assert (on.go(), off.go()) == ("1987", "unknown")
    assert on.used == off.used
    assert list(on.tree.moves) == list(off.tree.moves)
    why = on.tree.moves["finish"].why
    assert why == "replaced by what the evidence has: typed: gain less harm is 0.3, 0 is enough"


def test_a_fact_that_is_missing_keeps_the_answer() -> None:
    def think(move: Move, node: TreeNode) -> Thought:
        return Plan(hops=3) if move.kind == "plan" else year(move, node)

    world = World(Voi(), think, question="In which year was the firm that built Alpha founded?", acts=finding, calls=1)
    assert world.go() == "unknown"
    assert world.tree.moves["finish"].why == "kept as it was given: a fact on the way is missing"


# -- every run -------------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from([(1, 100), (2, 200), (2, 300), (3, 500), (0, 100), (1, 0)]),
    st.dictionaries(st.sampled_from(["0.0", "0.1", "0.0.0", "0.0.1"]), st.integers(-4, 4)),
    st.dictionaries(st.sampled_from(["0.0", "0.1", "0.0.0"]), SHARES),
    st.lists(SHARES, max_size=4).map(tuple),
    st.dictionaries(st.sampled_from(["plan", "propose", "appraise", "answer"]), st.integers(0, 120)),
    st.sampled_from(["", "None", "1937"]),
    st.booleans(),
)
def test_no_run_exceeds_a_cap_at_any_level_of_the_paper(
    caps: tuple[int, int],
    deltas: dict[str, int],
    supports: dict[str, float],
    gains: tuple[float, ...],
    costs: dict[str, int],
    answer: str,
    stops: bool,
) -> None:
    calls, tokens = caps
    reserve = min(tokens, costs.get("answer", 10))
    thinks = scripted(deltas, supports=supports, gains=gains, answer=answer)
    world = World(Voi(stops=stops), thinks, calls=calls, tokens=tokens, reserve=reserve, costs=costs)
    said = world.go(2)
    assert world.used["tool_calls"] <= calls
    assert world.used["output_tokens"] <= tokens
    assert Counter(kinds(world))["plan"] <= 2 + calls
    assert bool(said) or not answer or costs.get("answer", 10) > tokens


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"children": 0}, "children=0 cannot be asked for: use 1 or more"),
        ({"evidence": 0}, "evidence=0 cannot be asked for: use 1 or more"),
        ({"plan_tokens": -1}, "plan_tokens=-1 is no number of tokens: use 0 or more"),
        ({"root": 11}, "root=11 is no score: use 1 to 10"),
    ],
)
def test_a_setting_out_of_range_is_named(setting: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the whole message is compared
        Voi(**setting)  # type: ignore[arg-type]  # what a user might set
    assert str(raised.value) == message


def test_a_given_answer_elsewhere_is_not_taken_for_the_evidence_of_another_step() -> None:
    tree = voi_tree()
    grow(tree, "0", 1, 4)
    give(tree, "0.0", "None")
    assert [(move.kind, move.node) for move in Voi().ask(tree, full(0))] == [("finish", "0.0")]
