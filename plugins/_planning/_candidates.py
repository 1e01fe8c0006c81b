"""Which of many verified answers is taken."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ._answers import same_answer, told_answers
from ._results import Verdict

if TYPE_CHECKING:
    from ._tree import Given, SearchTree

__all__ = ["select"]


def select(tree: SearchTree) -> tuple[Given, Verdict | None] | None:
    """The best of all answers that were given, and what the verifier said of it; None if there is none.

    A success comes first, then what fewest conditions contradict, then what most answers agree with, then the latest
    (design: in the source a model chooses). "None" is never taken where there is another.
    """
    given = told_answers(tree.answers)
    if not given:
        return None
    said = _verdicts(tree)
    votes = Counter(same_answer(answer.text) for answer in given)

    def rank(place: int) -> tuple[bool, int, int, int]:
        verdict = said.get((given[place].node, given[place].text))
        return _succeeded(verdict), -_contradicted(verdict), votes[same_answer(given[place].text)], place

    best = given[max(range(len(given)), key=rank)]
    return best, said.get((best.node, best.text))


def _verdicts(tree: SearchTree) -> dict[tuple[str, str], Verdict]:
    """What was said of each answer, by where it was given and what it is."""
    told = ((move, tree.told.get(key)) for key, move in tree.moves.items() if move.kind == "verify")
    return {(move.node, move.text): verdict for move, verdict in told if isinstance(verdict, Verdict)}


def _succeeded(verdict: Verdict | None) -> bool:
    return verdict is not None and verdict.decision == "success"


def _contradicted(verdict: Verdict | None) -> int:
    return sum(part.status == "contradicted" for part in verdict.constraints) if verdict else 0
