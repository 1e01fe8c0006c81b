"""The selective finalizer: whether an answer read from the evidence replaces the one that was given.

Stage 2 of arXiv 2605.05701, as reported: among the same evidence, without any further call, an answer is replaced in
safe cases alone, and there if the gain outweighs the harm. What gain and harm are is unknown; the numbers are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from .._extract import AnswerKind, answer_kind, extract_answer, options_of
from .._same import normalise
from ._answers import same_answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._words import Passage

__all__ = ["Finalized", "FinalizerRule", "finalize", "refine"]

Case = Literal["polarity", "binary", "typed", "completion"]

_DIGITS: Final = 9
"""So that a sum of decimals is compared with the threshold as it is written."""
_POLAR: Final = frozenset({"yes", "no"})
_TYPED: Final = frozenset({AnswerKind.YEAR, AnswerKind.DATE, AnswerKind.NUMBER})


@dataclass(frozen=True, slots=True)
class Finalized:
    """What was decided.

    Attributes:
        answer: the answer.
        kept: whether it is the one that was given.
        reason: why.
    """

    answer: str
    kept: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalizerRule:
    """Replace if ``gain - eta * harm >= tau`` (reported); all numbers are design.

    Attributes:
        tau: the threshold.
        eta: what harm weighs.
        harm: of any replacement.
        present: harm on top where the given answer stands in the evidence; not for a completion, nor for a yes or no.
        polarity: gain of a yes or no.
        binary: gain of one of the two that the question names.
        typed: gain of a year, a date or a number.
        completion: gain where one answer contains the other.
    """

    tau: float = 0.0
    eta: float = 2.0
    harm: float = 0.2
    present: float = 0.3
    polarity: float = 0.6
    binary: float = 0.6
    typed: float = 0.7
    completion: float = 0.7

    def margin(self, case: Case, *, present: bool) -> float:
        """``F``: what a replacement gains, less what it risks."""
        gains: dict[Case, float] = {
            "polarity": self.polarity,
            "binary": self.binary,
            "typed": self.typed,
            "completion": self.completion,
        }
        return round(gains[case] - self.eta * (self.harm + self.present * present), _DIGITS)


def refine(question: str, passages: Sequence[Passage]) -> str:
    """A span read from the evidence, with words alone; empty if no more than a whole sentence fits."""
    answer = extract_answer(question, passages)
    return "" if any(answer in passage.sentences for passage in passages) else answer


def finalize(
    question: str,
    base: str,
    refined: str,
    evidence: Sequence[Passage],
    *,
    resolved: bool = True,
    ambiguous: bool = False,
    polarity_confirmed: bool = False,
    rule: FinalizerRule | None = None,
) -> Finalized:
    """Choose between the answer of a search and one that was read from what it found.

    Args:
        question: the question, in English.
        base: the answer of the search.
        refined: the other one; see `refine`.
        evidence: what both rest on.
        resolved: whether every fact on the way is there.
        ambiguous: whether it is open in which direction is compared.
        polarity_confirmed: whether somebody confirms that the evidence supports ``refined``, a yes or no: the words of
            an evidence never say so.
        rule: the numbers.

    Returns:
        The answer; ``base`` as it is wherever there is a doubt.
    """
    rule = rule or FinalizerRule()
    before, after = same_answer(base), same_answer(refined)
    case = _case(question, before, after)
    doubts = (
        (not before or not after, "there is nothing to compare"),
        (before == after, "both answers are the same"),
        (not resolved, "a fact on the way is missing"),
        (ambiguous, "the direction of the comparison is open"),
        (case != "polarity" and not _stands(after, evidence), "the other answer does not stand in the evidence"),
        (case == "polarity" and not polarity_confirmed, "nobody confirms the other answer"),
        (case is None, "the case is not a safe one"),
    )
    doubt = next((why for holds, why in doubts if holds), "")
    if doubt or case is None:
        return Finalized(base, kept=True, reason=doubt)
    present = case != "completion" and before not in _POLAR and _stands(before, evidence)
    margin = rule.margin(case, present=present)
    reason = f"{case}: gain less harm is {margin:.2g}, {rule.tau:.2g} is enough"
    return Finalized(base, True, reason) if margin < rule.tau else Finalized(refined, False, reason)


def _case(question: str, before: str, after: str) -> Case | None:
    """Which of the safe cases it is; None: none of them."""
    kind = answer_kind(question)
    if kind is AnswerKind.YES_NO and after in _POLAR:
        return "polarity"
    if kind is AnswerKind.CHOICE and after in map(same_answer, options_of(question) or ()):
        return "binary"
    if kind in _TYPED and any(char.isdigit() for char in after):
        return "typed"
    if before and after and (_within(before, after) or _within(after, before)):
        return "completion"
    return None


def _stands(answer: str, evidence: Sequence[Passage]) -> bool:
    """Whether an answer stands in a passage, word by word."""
    return any(_within(answer, normalise(f"{passage.title} {passage.text}")) for passage in evidence)


def _within(part: str, whole: str) -> bool:
    return f" {part} " in f" {whole} "
