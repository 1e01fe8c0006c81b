"""BATS: verify every answer, and take it, dig deeper or pivot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetkit.plugins import Answer, Bats, Constraint, Option, Options, Plan, PlanStep, Verdict
from budgetkit.testing import Play, ScriptedPolicy, play

Decision = Literal["success", "continue", "pivot"]


def query(text: str) -> Options:
    return Options((Option("search", {"query": text}),))


def says(text: str) -> Options:
    return Options((Option(answer=text),))


def verdict(decision: Decision, *statuses: Literal["satisfied", "contradicted", "unverifiable"]) -> Verdict:
    parts = tuple(Constraint(f"condition {i}", status) for i, status in enumerate(statuses))
    return Verdict(decision, parts, "because", f"summary of a {decision}", "look elsewhere")


def bats(
    proposals: list[Options], verdicts: list[Verdict], calls: int = 9, strategy: Bats | None = None, **how: Any
) -> tuple[Play, ScriptedPolicy]:
    policy = ScriptedPolicy(proposals=proposals, verdicts=verdicts, hops=99)
    return play(strategy or Bats(plans=False), policy, limits={"tool_calls": calls}, **how), policy


def trace(run: Play) -> list[str]:
    return list(run.tree.moves)


# -- take it --------------------------------------------------------------------------------------------------------


def test_a_success_ends_it_at_once() -> None:
    run, _ = bats([query("a"), says("so")], [verdict("success")])
    assert trace(run) == ["propose:0:0", "act:0.0", "propose:0.0:0", "verify:0.0:0", "finish"]
    assert run.answer == "so"
    assert run.tree.moves["finish"].why == "success: because"


def test_without_early_stop_a_success_begins_a_new_attempt() -> None:
    script = [query("a"), says("so"), query("b"), says("other")]
    run, policy = bats(script, [verdict("success"), verdict("pivot")], 2, Bats(plans=False, early_stop=False))
    assert trace(run)[3:6] == ["verify:0.0:0", "propose:0:1", "act:0.1"]
    assert policy.of("propose")[2].mode == "widen"
    assert run.answer == "so"


# -- dig deeper -----------------------------------------------------------------------------------------------------


def test_to_continue_is_to_go_on_from_where_the_answer_was_given() -> None:
    run, policy = bats([query("a"), says("so"), query("b"), says("sure")], [verdict("continue"), verdict("success")])
    assert trace(run)[3:] == [
        "verify:0.0:0", "propose:0.0:1", "act:0.0.0", "propose:0.0.0:0", "verify:0.0.0:0", "finish"
    ]  # fmt: skip
    assert policy.of("propose")[2].mode == "deepen"
    assert run.answer == "sure"


def test_after_continue_the_raw_trajectory_is_out_of_view_and_the_summary_in_its_place() -> None:
    _, policy = bats([query("a"), query("b"), says("so"), query("c")], [verdict("continue"), verdict("success")], 4)
    before, after, later = policy.of("propose")[2:5]
    assert (before.path, before.verdict) == (("0.0", "0.0.0"), None)
    assert (after.path, after.verdict) == ((), verdict("continue"))
    assert (later.path, later.verdict) == (("0.0.0.0",), verdict("continue"))  # noqa: S104 - a node, and no address


def test_the_newest_tool_result_alone_is_shown() -> None:
    assert (Bats().newest_only, Bats(newest_only=False).newest_only) == (True, False)
    assert Bats().tracker


@pytest.mark.parametrize("patience", [1, 3])
def test_a_verifier_that_goes_on_without_a_call_in_between_is_taken_for_a_pivot(patience: int) -> None:
    run, _ = bats(
        [query("a"), *[says("so")] * 9],
        [verdict("continue")] * 9,
        strategy=Bats(plans=False, patience=patience, attempts=2),
    )
    assert [move for move in trace(run) if "verify:0.0:" in move] == [f"verify:0.0:{i}" for i in range(patience)]
    assert run.tree.moves["propose:0:1"].why == f"to be continued, but {patience} answers were given here"


# -- pivot ----------------------------------------------------------------------------------------------------------


def test_a_pivot_is_a_new_attempt_at_the_root_with_a_new_plan() -> None:
    first, second = (Plan((PlanStep(text),)) for text in ("first", "second"))
    policy = ScriptedPolicy(
        plans=[first, second],
        proposals=[query("a"), says("so"), query("b"), says("sure")],
        verdicts=[verdict("pivot"), verdict("success")],
    )
    run = play(Bats(), policy, limits={"tool_calls": 9})
    assert trace(run) == [
        "plan:0:0", "propose:0:0", "act:0.0", "propose:0.0:0", "verify:0.0:0",
        "plan:0:1", "propose:0:1", "act:0.1", "propose:0.1:0", "verify:0.1:0", "finish",
    ]  # fmt: skip
    assert [(asked.mode, asked.plan) for asked in policy.of("propose")] == [
        ("deepen", first), ("deepen", first), ("widen", second), ("deepen", second)
    ]  # fmt: skip


def test_after_a_pivot_the_raw_trajectory_is_out_of_view_and_the_summary_stays() -> None:
    _, policy = bats([query("a"), says("so"), query("b"), query("c")], [verdict("pivot"), verdict("success")], 4)
    views = [(asked.path, asked.verdict) for asked in policy.of("propose")]
    assert views[:2] == [((), None), (("0.0",), None)]
    assert views[2:5] == [((), verdict("pivot")), (("0.1",), verdict("pivot")), (("0.1", "0.1.0"), verdict("pivot"))]


@pytest.mark.parametrize(("settings", "plans"), [({}, 2), ({"replans": False}, 1), ({"plans": False}, 0)])
def test_plans_are_made_as_often_as_is_wanted(settings: Mapping[str, bool], plans: int) -> None:
    strategy = Bats(plans=settings.get("plans", True), replans=settings.get("replans", True))
    _, policy = bats([query("a"), says("so"), query("b"), says("sure")], [verdict("pivot"), verdict("success")],
                     strategy=strategy)  # fmt: skip
    assert len(policy.of("plan")) == plans


def test_to_continue_on_an_exhausted_budget_is_a_pivot() -> None:
    policy = ScriptedPolicy(proposals=[query("a"), says("so")], verdicts=[verdict("continue")], hops=99)
    run = Play(Bats(plans=False), policy, limits={"tool_calls": 9, "usd": 1})
    while "verify:0.0:0" not in run.tree.told:
        run.step()
    run.used["usd"] = 1
    assert [(move.id, move.mode, move.why) for move in run.ask()] == [
        ("propose:0:1", "widen", "to be continued, but usd is exhausted")
    ]


def test_a_verifier_that_says_nothing_is_a_pivot_and_its_answer_is_kept() -> None:
    run, _ = bats([query("a"), says("so")], [], 2, loses=lambda move: move.kind == "verify")
    assert trace(run)[3:5] == ["verify:0.0:0", "propose:0:1"]
    assert run.tree.moves["propose:0:1"].why == "the verifier said nothing"
    assert "so" in {given.text for given in run.tree.answers}


def test_nothing_new_is_a_pivot_and_at_the_root_the_end() -> None:
    run, _ = bats([query("a"), Options(), query("b"), Options(), Options()], [])
    assert trace(run) == [
        "propose:0:0", "act:0.0", "propose:0.0:0", "propose:0:1", "act:0.1", "propose:0.1:0", "propose:0:2",
        "answer:0.1:0", "finish",
    ]  # fmt: skip


def test_a_lost_call_is_no_step() -> None:
    run, _ = bats([query("a"), query("b")], [], 2, loses=lambda move: move.id == "act:0.0.0")
    assert trace(run)[2:6] == ["propose:0.0:0", "act:0.0.0", "answer:0.0:0", "finish"]


def test_none_is_no_proposal() -> None:
    run, policy = bats([query("a"), says("None"), query("b"), says("so")], [verdict("success")])
    assert [asked.text for asked in policy.of("verify")] == ["so"]
    assert run.answer == "so"


# -- the K rule -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("calls", "kept"), [(8, True), (9, True), (10, False), (11, False)])
def test_the_k_rule_fires_at_eleven_iterations_since_the_last_summary_and_not_at_ten(calls: int, kept: bool) -> None:
    """Each call is an iteration, and so is the answer that is verified."""
    script = [*(query(f"q{i}") for i in range(calls)), says("so"), query("more")]
    _, policy = bats(script, [verdict("continue")], 12, Bats(plans=False, replaces=False))
    after = policy.of("propose")[calls + 1]
    assert len(after.path) == (calls if kept else 0)


def test_the_k_rule_counts_from_the_last_summary() -> None:
    script = [
        *(query(f"q{i}") for i in range(3)),
        says("a"),
        *(query(f"r{i}") for i in range(2)),
        says("b"),
        query("c"),
    ]
    strategy = Bats(plans=False, replaces=False, reset=3)
    _, policy = bats(script, [verdict("continue")] * 2, 12, strategy)
    assert [len(asked.path) for asked in policy.of("propose")] == [0, 1, 2, 3, 0, 1, 2, 2, *range(3, 9)]


def test_by_itself_every_summary_replaces_what_came_before() -> None:
    assert Bats().valuation.keeps == 0
    assert Bats(replaces=False).valuation.keeps == 10


# -- the end --------------------------------------------------------------------------------------------------------


@given(st.integers(1, 6), st.integers(0, 6), st.lists(st.sampled_from(["success", "continue", "pivot"]), max_size=8))
def test_it_ends_when_any_tool_budget_is_used_up_and_none_is_overdrawn(
    searches: int, calls: int, decisions: list[Decision]
) -> None:
    policy = ScriptedPolicy(verdicts=[verdict(decision) for decision in decisions], hops=2)
    limits = {"tool:search": searches, "tool_calls": calls, "tool:browse": 4}
    run = play(Bats(early_stop=False), policy, limits=limits)
    assert run.used["tool_calls"] <= min(searches, calls)
    assert run.answer
    late = [asked for asked in policy.asked if asked.kind in {"plan", "propose"}]
    assert min(searches, calls) > 0 or late == []


def test_a_browse_budget_at_zero_ends_it_though_searches_are_left() -> None:
    run = Play(Bats(plans=False), limits={"tool:search": 5, "tool:browse": 2})
    assert run.step()
    run.used["tool:browse"] = 2
    assert trace(run.run()) == ["propose:0:0", "answer:0:0", "finish"]


def test_where_the_budget_ends_before_an_answer_it_answers_from_the_progress_so_far() -> None:
    run, policy = bats([], [], 3)
    assert trace(run)[-2:] == ["answer:0.0.0.0:0", "finish"]
    assert policy.of("answer")[0].path == ("0.0", "0.0.0", "0.0.0.0")  # noqa: S104 - a node, and no address


def test_an_attempt_that_the_budget_cut_off_is_answered_from_as_well() -> None:
    run, _ = bats([query("a"), says("wrong")], [verdict("pivot", "contradicted")], 2)
    assert trace(run)[-2:] == ["answer:0.1:0", "finish"]
    assert run.answer == run.tree.answers[-1].text != "wrong"


@pytest.mark.parametrize(
    ("answers", "best"),
    [
        ([("a", verdict("success")), ("b", verdict("pivot")), ("b", verdict("pivot"))], "a"),
        ([("a", verdict("success", "contradicted")), ("b", verdict("pivot"))], "a"),
        ([("a", verdict("pivot", "contradicted", "contradicted")), ("b", verdict("pivot", "contradicted"))], "b"),
        ([("The Bell", verdict("pivot")), ("c", verdict("pivot")), ("bell.", verdict("pivot"))], "bell."),
        ([("a", verdict("pivot")), ("b", verdict("pivot"))], "b"),
        ([("a", verdict("pivot", "contradicted")), ("None", verdict("pivot"))], "a"),
    ],
)
def test_the_end_chooses_success_then_fewest_contradicted_then_the_majority_then_the_latest(
    answers: list[tuple[str, Verdict]], best: str
) -> None:
    script = [part for i, (text, _) in enumerate(answers) for part in (query(f"q{i}"), says(text))]
    verdicts = [said for text, said in answers if text != "None"]
    policy = ScriptedPolicy(proposals=script, verdicts=verdicts, answers=[Answer("None")] * 9, hops=99)
    strategy = Bats(plans=False, early_stop=False, attempts=len(answers))
    assert play(strategy, policy, limits={"tool_calls": 9}).answer == best


@given(st.lists(st.sampled_from(["None", "none.", "Oslo", "Bergen", ""]), max_size=6), st.integers(1, 8))
def test_none_is_never_chosen_while_there_is_a_candidate(texts: list[str], calls: int) -> None:
    script = [part for i, text in enumerate(texts) for part in (query(f"q{i}"), says(text))]
    policy = ScriptedPolicy(proposals=script, verdicts=[verdict("pivot")] * 9, answers=[Answer("None")] * 9, hops=99)
    run = play(Bats(), policy, limits={"tool_calls": calls})
    candidates = {given.text for given in run.tree.answers} - {"None", "none."}
    assert run.answer in (candidates or {"None", "none."})


def test_without_a_verifier_the_first_answer_is_taken() -> None:
    run, policy = bats([query("a"), says("so")], [], strategy=Bats(plans=False, verifies=False))
    assert trace(run) == ["propose:0:0", "act:0.0", "propose:0.0:0", "finish"]
    assert policy.of("verify") == []


def test_without_a_verifier_and_without_early_stop_the_attempts_vote() -> None:
    script = [query("a"), says("x"), query("b"), says("y"), query("c"), says("x.")]
    run, _ = bats(script, [], strategy=Bats(plans=False, verifies=False, early_stop=False, attempts=3))
    assert run.answer == "x."


@pytest.mark.parametrize("attempts", [1, 3])
def test_there_are_no_more_attempts_than_are_wanted(attempts: int) -> None:
    script = [part for i in range(9) for part in (query(f"q{i}"), says(f"a{i}"))]
    run, _ = bats(script, [verdict("pivot")] * 9, 20, Bats(attempts=attempts))
    assert run.used["tool_calls"] == attempts


def test_there_are_no_more_proposals_than_are_wanted() -> None:
    run, policy = bats([], [], 20, Bats(iterations=4))
    assert (len(policy.of("propose")), run.used["tool_calls"]) == (4, 4)


@pytest.mark.parametrize(("name", "least"), [("reset", 0), ("patience", 1), ("attempts", 1), ("iterations", 1)])
def test_settings_that_let_nothing_through_are_refused(name: str, least: int) -> None:
    settings: dict[str, int] = {name: least - 1}
    with pytest.raises(ValueError, match=f"^{name}={least - 1} is too small: use {least} or more$"):
        Bats(**settings)  # type: ignore[arg-type]  # one of the whole numbers
