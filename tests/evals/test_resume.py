"""Kill an eval at random moments, start it again, and see which questions were asked how often."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from budgetkit.evals import read_results

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import MakeSuite

CONCURRENCY = 3

# A process of its own: it logs each question as it begins and lingers a little, so that kills hit questions in flight.
EVAL = """
import sys, time
from pathlib import Path
from langchain_core.messages import AIMessage
from budgetkit import Budget
from budgetkit.evals import Suite, run_eval

folder, out, asked = map(Path, sys.argv[1:])

class Agent:
    def invoke(self, state, config=None):
        with asked.open("a") as log:
            log.write(state["messages"][-1][1] + "\\n")
        time.sleep(0.004)
        return {"messages": [AIMessage("x" * 3000)]}

suite = Suite("towns", "made up", folder / "towns.dev.jsonl", folder / "towns.corpus.jsonl")
run_eval(suite, lambda tools: Agent(), Budget(), out=out, concurrency=3)
"""


@pytest.mark.timeout(180)
def test_after_any_kill_no_question_that_has_a_line_is_asked_again(make_suite: MakeSuite, tmp_path: Path) -> None:
    suite, out, asked = make_suite(80), tmp_path / "run.jsonl", tmp_path / "asked.txt"
    command = [sys.executable, "-c", EVAL, str(tmp_path), str(out), str(asked)]
    text = {question.id: question.text for question in suite.read()}
    rng = random.Random(5)
    kills = 0

    while len(_answered(out)) < len(text):
        before = _asked(asked)
        answered = {text[name] for name in _answered(out)}
        kills += _run_and_kill(command, asked, after=rng.randint(5, 25), more_than=before.total())
        again = _asked(asked) - before
        assert not answered & set(again), "asked although it had a line"
        assert max(again.values()) == 1
        assert kills < 20

    times = _asked(asked)
    assert kills >= 3
    assert set(times) == set(text.values())
    assert times.total() - len(times) <= kills * CONCURRENCY  # only what was in flight at a kill
    assert sorted(_answered(out)) == sorted(text)


def _run_and_kill(command: list[str], asked: Path, *, after: int, more_than: int) -> bool:
    """Start an eval and kill it once ``after`` more questions were asked; whether it was still running then."""
    with subprocess.Popen(command) as process:  # noqa: S603 - this interpreter, on the script above
        while process.poll() is None and _asked(asked).total() < more_than + after:
            time.sleep(0.001)
        process.kill()
        code = process.wait()
    assert code in (0, -9), "the eval itself failed"
    return code != 0


def _asked(path: Path) -> Counter[str]:
    return Counter(path.read_text().splitlines()) if path.exists() else Counter()


def _answered(path: Path) -> list[str]:
    begun = path.exists() and b"\n" in path.read_bytes()
    return [record["id"] for record in read_results(path)] if begun else []
