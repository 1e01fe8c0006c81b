"""Policies as bad models make them: each one says something that leads nowhere."""

from __future__ import annotations

from typing import Final

from budgetkit.plugins import Answer, Appraisal, Option, Options, Plan, Verdict, View

from ._strategies_policy import ScriptedPolicy

__all__ = ["BROKEN_POLICIES"]


class KnowsNothing(ScriptedPolicy):
    """Every output is empty."""

    def made_plan(self, view: View) -> Plan:  # noqa: ARG002 - whatever it sees
        """No step."""
        return Plan()

    def made_options(self, view: View, n: int) -> Options:  # noqa: ARG002 - whatever it sees
        """No option."""
        return Options()

    def made_verdict(self, view: View, answer: str) -> Verdict:  # noqa: ARG002 - whatever it sees
        """No reason, no summary."""
        return Verdict("pivot")

    def made_answer(self, view: View) -> Answer:  # noqa: ARG002 - whatever it sees
        """No answer."""
        return Answer("")


class RepeatsItself(ScriptedPolicy):
    """One query, for ever."""

    def made_options(self, view: View, n: int) -> Options:  # noqa: ARG002 - whatever it sees
        """As often as it is asked for options."""
        return Options((Option("search", {"query": "again"}),) * n)


class AnswersNone(ScriptedPolicy):
    """It never knows."""

    def made_options(self, view: View, n: int) -> Options:  # noqa: ARG002 - whatever it sees
        """At once."""
        return Options((Option(answer="None"),))

    def made_answer(self, view: View) -> Answer:  # noqa: ARG002 - whatever it sees
        """And at the end."""
        return Answer("None", 1.0)


class LosesHope(ScriptedPolicy):
    """It answers at the first steps, and with "None" ever after."""

    def made_options(self, view: View, n: int) -> Options:  # noqa: ARG002 - it is one answer
        """An answer and a query."""
        text = "found" if view.node.depth == 1 else "None"
        return Options((Option(answer=text), self.query(view.node, 0)))

    def made_answer(self, view: View) -> Answer:
        """The same."""
        return Answer("found" if view.node.depth == 1 else "None", 1.0)


class NeverAnswers(ScriptedPolicy):
    """It has one more query, always."""

    def made_options(self, view: View, n: int) -> Options:
        """Always new."""
        return Options(tuple(self.query(view.node, i) for i in range(n)))

    def made_answer(self, view: View) -> Answer:  # noqa: ARG002 - whatever it sees
        """Not even at the end."""
        return Answer("  ")


class AnswersAtOnce(ScriptedPolicy):
    """It looks nothing up, and its verifier has no end."""

    def made_options(self, view: View, n: int) -> Options:  # noqa: ARG002 - it is one answer
        """Always the same."""
        return Options((Option(answer="a guess"),))

    def made_verdict(self, view: View, answer: str) -> Verdict:  # noqa: ARG002 - whatever it sees
        """Go on."""
        return Verdict("continue", summary="nothing was tried")


class AlwaysPivots(ScriptedPolicy):
    """No answer is good enough for its verifier, no step for its critic."""

    def made_verdict(self, view: View, answer: str) -> Verdict:  # noqa: ARG002 - whatever it sees
        """Start anew."""
        return Verdict("pivot", summary="all wrong")

    def made_appraisal(self, view: View) -> Appraisal:  # noqa: ARG002 - whatever it sees
        """Misleading."""
        return Appraisal(-4)


class SaysTooMuch(ScriptedPolicy):
    """More options than were asked for, twice each, answers among them, and progress off the scale."""

    def made_options(self, view: View, n: int) -> Options:
        """Twice as many, and three answers."""
        queries = [self.query(view.node, i) for i in range(n + 3)]
        answers = [Option(answer=f"guess {i}") for i in range(3)] if view.node.depth > 1 else []
        return Options((*queries, *answers, *queries))

    def made_appraisal(self, view: View) -> Appraisal:  # noqa: ARG002 - whatever it sees
        """More than there is."""
        return Appraisal(99)


BROKEN_POLICIES: Final[tuple[type[ScriptedPolicy], ...]] = (
    KnowsNothing,
    RepeatsItself,
    AnswersNone,
    LosesHope,
    NeverAnswers,
    AnswersAtOnce,
    AlwaysPivots,
    SaysTooMuch,
)
"""What a search has to survive: bad output costs what it costs, and it goes on or ends."""
