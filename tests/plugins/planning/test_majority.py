"""Parallel chains, and which of their answers counts."""

from __future__ import annotations

from collections import Counter

import pytest

from budgetkit.plugins import Answer, Appraisal, BestOfN, Majority, Move, Option, Options, TreeNode, View
from budgetkit.testing import Play, ScriptedPolicy, play


class Chains(ScriptedPolicy):
    """Never answers by itself; answers of chains are told by the chain's number."""

    def __init__(self, *answers: Answer, distinct: int = 99) -> None:
        super().__init__(hops=99)
        self.told, self.distinct = answers, distinct

    def made_answer(self, view: View) -> Answer:
        chain = int(view.node.id.split(".")[1]) if view.node.depth else 0
        return self.told[chain] if chain < len(self.told) else super().made_answer(view)

    def query(self, node: TreeNode, place: int, *, gain: float = 0.5) -> Option:
        return Option("search", {"query": f"{node.id} {place % self.distinct if not node.depth else place}"}, gain=gain)


def depths(run: Play) -> list[int]:
    """Calls of each chain."""
    return sorted(Counter(node.id.split(".")[1] for node in run.tree if node.parent).values())


@pytest.mark.parametrize("batch", [1, 3, 16])
@pytest.mark.parametrize(
    ("calls", "chains"),
    [(1, [1]), (2, [1, 1]), (3, [1, 2]), (4, [2, 2]), (6, [3, 3]), (7, [2, 2, 3]), (20, [2, *[3] * 6])],
)
def test_the_number_of_chains_follows_from_the_tool_calls(calls: int, chains: list[int], batch: int) -> None:
    run = play(Majority(), Chains(), limits={"tool_calls": calls}, batch=batch)
    assert depths(run) == chains
    assert run.tree.moves["propose:0:0"].n == len(chains)
    assert sum(move.kind == "answer" for move in run.tree.moves.values()) == len(chains)


def test_without_a_limit_there_are_eight_and_a_number_of_one_s_own_is_kept() -> None:
    assert depths(play(Majority(), Chains())) == [3] * 8
    assert depths(play(Majority(chains=2, depth=4), Chains(), limits={"tool_calls": 20})) == [4, 4]


def test_chains_advance_side_by_side() -> None:
    run = Play(Majority(), Chains(), limits={"tool_calls": 9})
    batches = list[list[str]]()
    while not run.tree.finished:
        moves = run.ask(16)
        batches.append(sorted(move.id for move in moves))
        for move in moves:
            run.tell(move, run.carry_out(move))
    assert batches[:5] == [
        ["propose:0:0"],
        ["act:0.0", "act:0.1", "act:0.2"],
        ["propose:0.0:0", "propose:0.1:0", "propose:0.2:0"],
        ["act:0.0.0", "act:0.1.0", "act:0.2.0"],
        ["propose:0.0.0:0", "propose:0.1.0:0", "propose:0.2.0:0"],
    ]


def test_the_first_steps_are_samples_of_one_prompt_and_asked_for_once_more_if_they_are_alike() -> None:
    policy = Chains(distinct=2)
    run = play(Majority(), policy, limits={"tool_calls": 9})
    assert [(asked.n, asked.mode) for asked in policy.of("propose")[:2]] == [(3, "deepen"), (1, "widen")]
    assert depths(run) == [4, 5]


def test_chains_see_nothing_of_each_other() -> None:
    policy = Chains()
    play(Majority(), policy, limits={"tool_calls": 6}, batch=4)
    below = [asked for asked in policy.asked if asked.node != "0"]
    assert below
    assert all(step.split(".")[1] == asked.node.split(".")[1] for asked in below for step in asked.seen)


def test_the_majority_is_that_of_the_normalised_answers() -> None:
    policy = Chains(Answer("Paris"), Answer("The Seine."), Answer("seine"))
    assert play(Majority(), policy, limits={"tool_calls": 9}).answer == "The Seine."


def test_of_equals_the_first_given_counts() -> None:
    policy = Chains(Answer("b"), Answer("c"), Answer("c"), Answer("b"))
    assert play(Majority(chains=4, depth=1), policy, limits={"tool_calls": 4}).answer == "b"


def test_none_is_no_vote() -> None:
    policy = Chains(Answer("None"), Answer("none."), Answer("Oslo"))
    assert play(Majority(), policy, limits={"tool_calls": 9}).answer == "Oslo"


def test_a_sample_that_answers_at_once_is_a_chain_without_a_call() -> None:
    first = Options((Option(answer="x"), Option(answer="y"), Option("search", {"query": "q"})))
    policy = ScriptedPolicy(proposals=[first], answers=[Answer("y")], hops=9)
    run = play(Majority(), policy, limits={"tool_calls": 9})
    assert (depths(run), run.answer) == ([3], "y")
    assert len(policy.of("propose")) == 3


def test_every_chain_answers_though_all_tool_calls_are_used() -> None:
    run = play(Majority(), Chains(), limits={"tool_calls": 5}, batch=16)
    assert run.used["tool_calls"] == 5
    assert {given.node.split(".")[1] for given in run.tree.answers} == {"0", "1"}


def test_no_proposal_is_made_that_no_tool_call_is_left_for() -> None:
    run = play(Majority(), Chains(), limits={"tool_calls": 7}, batch=16)
    proposals = [move for move in run.tree.moves.values() if move.kind == "propose" and move.parent]
    assert len(proposals) + 3 == 7


def lost_first_steps(move: Move) -> bool:
    return move.kind == "act" and move.node.count(".") == 1


def test_chains_whose_first_steps_are_lost_leave_an_answer_without_any() -> None:
    run = play(Majority(), Chains(), limits={"tool_calls": 3}, loses=lost_first_steps)
    assert run.tree.answers[0].node == "0"


def test_the_best_of_n_is_the_most_confident() -> None:
    policy = Chains(Answer("a", 0.4), Answer("b", 0.9), Answer("c"))
    assert play(BestOfN(), policy, limits={"tool_calls": 9}).answer == "b"


def test_without_any_confidence_the_first_given_is_best() -> None:
    policy = Chains(Answer("a"), Answer("b"), Answer("c"))
    assert play(BestOfN(), policy, limits={"tool_calls": 9}).answer == "a"


class Judged(Chains):
    def __init__(self, *answers: Answer, deltas: dict[str, int], support: dict[str, float]) -> None:
        super().__init__(*answers)
        self.deltas, self.support = deltas, support

    def made_appraisal(self, view: View) -> Appraisal:
        chain = view.node.id.split(".")[1]
        return Appraisal(self.deltas.get(chain, 0), self.support.get(chain))


@pytest.mark.parametrize(
    ("deltas", "support", "best"), [({"1": 3, "2": 2}, {}, "b"), ({"1": 3}, {"1": 0.1, "2": 0.9}, "c")]
)
def test_the_best_by_value_is_that_of_the_chain_whose_last_step_is_worth_most(
    deltas: dict[str, int], support: dict[str, float], best: str
) -> None:
    policy = Judged(Answer("a", 1.0), Answer("b"), Answer("c"), deltas=deltas, support=support)
    run = play(BestOfN(by="value"), policy, limits={"tool_calls": 9})
    assert run.answer == best
    assert sorted(asked.node for asked in policy.of("appraise")) == [f"0.{chain}.0.0" for chain in range(3)]


@pytest.mark.parametrize("make", [Majority, BestOfN])
def test_settings_that_make_no_chain_are_refused(make: type[Majority | BestOfN]) -> None:
    with pytest.raises(ValueError, match=r"^depth=0 is no chain: use 1 or more tool calls$"):
        make(depth=0)
    with pytest.raises(ValueError, match=r"^chains=0 is no number of chains: use 1 or more, or None for what the bud"):
        make(chains=0)
