"""The suite for strategies finds what is wrong: strategies, each broken in one way, and the property that it breaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import pytest

from budgetkit.plugins import (
    Answer,
    Draft,
    Left,
    Lost,
    Move,
    Observation,
    Option,
    Options,
    React,
    SearchTree,
    Sequential,
    Strategy,
    UniformTree,
    Verdict,
)
from budgetkit.testing import (
    BROKEN_POLICIES,
    STRATEGY_PROPERTIES,
    Play,
    ScriptedPolicy,
    StrategyFinding,
    check_strategy,
    play,
)

MEMORY: Final[dict[str, int]] = {}
"""What strategies remember that should remember nothing."""


class ChangesItsMind(React):
    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        MEMORY["asked"] = MEMORY.get("asked", 0) + 1
        return [replace(move, why=f"question {MEMORY['asked']}") for move in super().ask(tree, left, n)]


class MarksItself(React):
    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        moves = list(super().ask(tree, left, n))
        return tree.mark(moves) or moves


class KnowsWhoItIs(React):
    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        return [replace(move, why=f"I am {id(self)}") for move in super().ask(tree, left, n)]


class RepeatsItsFirstMove(React):
    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        return [*super().ask(tree, left, n), *tree.moves.values()][: max(n, 2)]


class AsksForTooMuch(React):
    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        extra = Move(id=f"more:{len(tree.moves)}", kind="appraise", node="0")
        moves = super().ask(tree, left, n)
        return [*moves, *([extra] * n if moves else [])]


class Overspends(UniformTree):
    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        return super().ask(tree, Left({"tool_calls": 9}, left.caps) if len(tree) < 9 else left, n)


class TakesTheFirstOptionAlways(UniformTree):
    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        return [replace(move, option=0) if move.kind == "act" else move for move in super().ask(tree, left, n)]


class CannotWait(React):
    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        if tree.pending and not tree.finished:
            draft = Draft(tree, left, n)
            draft.propose(tree.root)
            return draft.moves
        return super().ask(tree, left, n)


class HasTheLastWord(React):
    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        return super().ask(tree, left, n) if not tree.finished else [Move(id="ps", kind="answer", node="0")]


class GoesByWhatCameLast(UniformTree):
    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        moves = list(super().ask(tree, left, n))
        last = next((tree.moves[key].node for key in reversed(tree.told)), "")
        return moves[:1] if last.endswith("0") else moves


class LosesCountWhenInterrupted(React):
    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        key = f"steps of {id(self)}"
        MEMORY[key] = MEMORY.get(key, 0) + 1
        return super().ask(tree, left if MEMORY[key] < 3 else Left({"tool_calls": 0}, left.caps), n)


class WaitsForWhatIsLost(React):
    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        return [] if any(isinstance(told, Lost) for told in tree.told.values()) else super().ask(tree, left, n)


class KeepsTrying(React):
    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        moves, draft = super().ask(tree, left, n), Draft(tree, left, n)
        if any(move.kind == "finish" and not move.text for move in moves):
            draft.answer(tree.root)
        return draft.moves or moves


class SpendsTheUnlimited(React):
    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        moves, draft = super().ask(tree, left, n), Draft(tree, left, n)
        if left.tools is None and any(move.kind == "answer" for move in moves):
            draft.propose(tree.root)
        return draft.moves or moves


class GivesUpWithoutTools(React):
    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        draft = Draft(tree, left, n)
        if not left.can_act() and not tree.pending and not tree.finished:
            draft.finish("")
        return draft.moves or super().ask(tree, left, n)


class ForgetsItsAnswers(Sequential):
    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        moves = super().ask(tree, left, n)
        return [replace(move, text="") if move.kind == "finish" else move for move in moves]


class TakesTheLastWord(Sequential):
    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        moves, last = super().ask(tree, left, n), tree.answers[-1].text if tree.answers else ""
        return [replace(move, text=last) if move.kind == "finish" else move for move in moves]


class StopsAtAnError(React):
    def ask(self, tree: SearchTree, left: Left, n: int = 1) -> Sequence[Move]:
        failed = any(node.seen is not None and node.seen.error for node in tree)
        return [] if failed else super().ask(tree, left, n)


BROKEN: Final[dict[type[Any], tuple[str, ...]]] = {
    ChangesItsMind: ("asking_twice_asks_for_the_same",),
    MarksItself: ("asking_changes_nothing",),
    KnowsWhoItIs: ("moves_follow_from_the_tree",),
    RepeatsItsFirstMove: ("every_move_has_an_id_of_its_own",),
    AsksForTooMuch: ("no_more_moves_than_wanted",),
    Overspends: ("no_more_acts_than_are_left", "no_call_too_many"),
    TakesTheFirstOptionAlways: ("moves_fit_the_tree",),
    CannotWait: ("it_waits_and_goes_on",),
    HasTheLastWord: ("nothing_after_the_end",),
    GoesByWhatCameLast: ("any_order_finds_the_same",),
    LosesCountWhenInterrupted: ("interruptions_change_nothing",),
    WaitsForWhatIsLost: ("what_is_lost_is_no_end", "half_of_it_is_enough"),
    KeepsTrying: ("it_ends",),
    SpendsTheUnlimited: ("it_ends_when_the_world_runs_dry",),
    GivesUpWithoutTools: ("no_calls_are_enough_for_an_answer", "it_ends_in_an_answer"),
    ForgetsItsAnswers: ("a_breakdown_is_an_end", "an_answer_is_kept"),
    TakesTheLastWord: ("none_is_no_answer",),
    StopsAtAnError: ("a_broken_tool_is_no_end",),
}
BY_NAME: Final = {prop.name: prop for prop in STRATEGY_PROPERTIES}


def found(make: Callable[[], Strategy], name: str) -> StrategyFinding:
    (finding,) = check_strategy(make, [BY_NAME[name]]).findings
    return finding


@pytest.mark.parametrize(("make", "name"), [(make, name) for make, names in BROKEN.items() for name in names])
def test_a_broken_strategy_is_caught_by_the_property_that_it_breaks(make: Any, name: str) -> None:
    finding = found(make, name)
    assert isinstance(finding.broken, AssertionError), str(finding)
    assert str(finding).startswith(f"BROKEN: {BY_NAME[name]}\n  AssertionError: ")


@pytest.mark.parametrize("name", [name for names in BROKEN.values() for name in names])
def test_the_sound_ones_that_they_are_made_of_keep_it(name: str) -> None:
    assert [str(found(make, name)) for make in (React, Sequential, UniformTree) if not found(make, name).held] == []


def test_every_property_but_one_is_broken_by_somebody() -> None:
    """That telling twice is telling once is the tree's doing: no strategy could break it alone."""
    assert set(BY_NAME) - {name for names in BROKEN.values() for name in names} == {"twice_is_once"}


def test_a_report_says_what_is_broken_and_how() -> None:
    report = check_strategy(ForgetsItsAnswers, [BY_NAME["it_ends"], BY_NAME["an_answer_is_kept"]])
    assert (report.held, len(report.broken)) == (False, 1)
    assert str(report) == (
        "sequential: 1 of 2 properties hold\n"
        "BROKEN: ending: it does not end without an answer where one was given\n"
        "  AssertionError: sequential, with ScriptedPolicy and {'tool_calls': 0} ends without an answer, "
        "given were ['answer 2']"
    )
    assert (
        str(report.findings[0]) == "held: ending: it ends with every model, good or bad, and every number of tool calls"
    )


def test_any_error_of_a_strategy_is_in_the_report() -> None:
    class Fails(React):
        def ask(self, *_: Any, **__: Any) -> Sequence[Move]:
            raise ZeroDivisionError("no reason")

    report = check_strategy(Fails, STRATEGY_PROPERTIES[:2])
    assert [str(found.broken) for found in report.findings] == ["no reason", "no reason"]


def test_every_property_is_a_sentence_of_its_own() -> None:
    assert len({str(prop) for prop in STRATEGY_PROPERTIES}) == len(BY_NAME) == len(STRATEGY_PROPERTIES)
    assert [prop.name for prop in STRATEGY_PROPERTIES if prop.sentence != prop.sentence.strip(" .")] == []


# -- the scripted policy --------------------------------------------------------------------------------------------


def test_a_script_is_said_in_order_and_then_the_made_up_world_goes_on() -> None:
    policy = ScriptedPolicy(proposals=[Options((Option("search", {"query": "one"}),))], hops=2)
    run = play(React(), policy, limits={"tool_calls": 9})
    assert [dict(node.made.args) for node in run.tree if node.made] == [{"query": "one"}, {"query": "0.0 1 0"}]
    assert run.answer == run.tree.answers[0].text
    assert [(asked.kind, asked.node, asked.path) for asked in policy.asked] == [
        ("propose", "0", ()),
        ("propose", "0.0", ("0.0",)),
        ("propose", "0.0.0", ("0.0", "0.0.0")),
    ]


def test_an_entry_of_a_script_may_be_an_error_or_a_function_of_the_view() -> None:
    policy = ScriptedPolicy(proposals=[lambda view: Options((Option(answer=view.task.question),))])
    assert play(React(), policy).answer == "Who was first?"
    with pytest.raises(OSError, match=r"^gone$"):
        play(React(), ScriptedPolicy(proposals=[OSError("gone")]))


def test_every_kind_of_thought_has_a_script() -> None:
    verdict = Verdict("success", summary="done")
    policy = ScriptedPolicy(verdicts=[verdict], answers=[Answer("so")])
    tree = SearchTree("q", "any")
    tree.mark([Move(id="v", kind="verify", node="0", text="so"), Move(id="a", kind="answer", node="0")])
    run = Play(React(), policy)
    run.tree = tree
    assert [run.carry_out(move) for move in tree.pending.values()] == [verdict, Answer("so")]
    assert [asked.text for asked in policy.of("verify")] == ["so"]


@pytest.mark.parametrize("policy", BROKEN_POLICIES)
def test_a_broken_policy_says_what_it_is_broken_in(policy: type[ScriptedPolicy]) -> None:
    assert (policy.__doc__ or "").endswith(".")
    assert play(UniformTree(), policy(), limits={"tool_calls": 3}).tree.finished


# -- the search in memory -------------------------------------------------------------------------------------------


def test_calls_are_charged_when_they_are_sent_and_thoughts_when_they_are_thought() -> None:
    run = Play(React(), limits={"tool_calls": 2, "llm_calls": 9, "tool:search": 5})
    assert dict(run.left) == {"tool_calls": 2, "llm_calls": 9, "tool:search": 5}
    (propose,) = run.ask()
    run.tell(propose, run.carry_out(propose))
    (act,) = run.ask()
    assert dict(run.left) == {"tool_calls": 1, "llm_calls": 8, "tool:search": 4}
    assert run.carry_out(act) == Observation("found by search(query=0 1 0)")


def test_a_thought_that_is_not_paid_for_is_lost() -> None:
    run = Play(React(), limits={"llm_calls": 0})
    (propose,) = run.ask()
    assert run.carry_out(propose) == Lost("llm_calls is exhausted")


def test_results_come_back_in_the_order_that_is_wanted() -> None:
    forwards, backwards = (play(UniformTree(), limits={"tool_calls": 5}, order=o, batch=9) for o in (list, reversed))
    assert list(forwards.tree.told)[1:6] == list(backwards.tree.told)[1:6][::-1]


def test_a_search_that_has_not_ended_has_no_answer() -> None:
    with pytest.raises(AssertionError, match=r"^react, with ScriptedPolicy and no limits has not ended$"):
        _ = Play(React()).answer


def test_a_policy_that_waits_is_refused() -> None:
    class Waits(ScriptedPolicy):
        async def propose(self, view: Any, n: int, pay: Any) -> Options:
            await Tick()
            return await super().propose(view, n, pay)

    class Tick:
        def __await__(self) -> Any:
            yield

    with pytest.raises(AssertionError, match=r"^a policy waited for something: "):
        play(React(), Waits())
