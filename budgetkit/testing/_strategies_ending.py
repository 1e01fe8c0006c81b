"""How a strategy ends: always, soon, and with an answer that was given."""

from __future__ import annotations

from budgetkit.plugins import Observation, Option, Options, View

from ._strategies_play import Play
from ._strategies_policy import ScriptedPolicy
from ._strategies_property import BATCHES, CALLS, MakeStrategy, expect, holds, situations


class _RunsDry(ScriptedPolicy):
    """A world with twelve things to find."""

    def made_options(self, view: View, n: int) -> Options:
        """New queries, until twelve were proposed."""
        room = 12 - sum(len(node.options) for node in view.tree)
        return Options(tuple(self.query(view.node, i) for i in range(min(n, max(0, room)))))


@holds("ending", "it ends with every model, good or bad, and every number of tool calls")
def it_ends(make: MakeStrategy) -> None:
    for run, batch in situations(make):
        run.run(batch)


@holds("ending", "without a limit it ends when there is nothing new to find")
def it_ends_when_the_world_runs_dry(make: MakeStrategy) -> None:
    for batch in BATCHES:
        for limits in ({}, {"llm_calls": 500}):
            _answered(Play(make(), _RunsDry(), limits=limits).run(batch))


@holds("ending", "without a single tool call it ends in an answer")
def no_calls_are_enough_for_an_answer(make: MakeStrategy) -> None:
    _answered(Play(make(), limits={"tool_calls": 0}).run())


@holds("ending", "it ends in an answer, whatever number of tool calls there is")
def it_ends_in_an_answer(make: MakeStrategy) -> None:
    for calls in CALLS:
        for batch in BATCHES:
            _answered(Play(make(), limits={"tool_calls": calls}).run(batch))


@holds("ending", "it does not spend more tool calls than there are")
def no_call_too_many(make: MakeStrategy) -> None:
    for run, batch in situations(make):
        run.run(batch)
        over = {name: n - run.limits[name] for name, n in run.used.items() if "tool" in name and name in run.limits}
        expect(max(over.values(), default=0) <= 0, f"{run} is over its limits by {over}")


@holds("ending", "it does not end without an answer where one was given")
def an_answer_is_kept(make: MakeStrategy) -> None:
    for run, batch in situations(make):
        answer, given = run.run(batch).answer, [answer.text for answer in run.tree.answers]
        expect(bool(answer or not given), f"{run} ends without an answer, given were {given}")


@holds("ending", 'it does not end with "None" where another answer was given')
def none_is_no_answer(make: MakeStrategy) -> None:
    for run, batch in situations(make):
        answer, given = run.run(batch).answer, {answer.text for answer in run.tree.answers}
        expect(answer != "None" or given == {"None"}, f"{run} ends with {answer!r}, given were {given}")


@holds("ending", "a tool that only fails is no reason not to end in an answer")
def a_broken_tool_is_no_end(make: MakeStrategy) -> None:
    for calls in CALLS:
        _answered(Play(make(), tool=_fails, limits={"tool_calls": calls}).run(2))


def _answered(run: Play) -> None:
    expect(bool(run.answer), f"{run} ends without an answer, after {list(run.tree.moves)}")


def _fails(_: Option) -> Observation:
    return Observation("500: try again later", error=True)
