"""An eval runs in constant memory beyond its corpus: peak memory at 100 and at 10,000 questions."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

FEW, MANY, PASSAGES = 100, 10_000, 10_000

# In a process of its own, as peak memory never falls; the peak is what the system saw, in KiB.
EVAL = """
import resource, sys
from pathlib import Path
from langchain_core.messages import AIMessage
from budgetkit import Budget
from budgetkit.evals import Suite, run_eval, summarise

folder, n = Path(sys.argv[1]), int(sys.argv[2])

def factory(tools):
    class Agent:
        def invoke(self, state, config=None):
            found = tools[0].invoke({"query": state["messages"][-1][1]}, config)
            return {"messages": [AIMessage(found.split()[1])]}
    return Agent()

suite = Suite("towns", "made up", folder / "towns.dev.jsonl", folder / "towns.corpus.jsonl")
run = run_eval(suite, factory, Budget(tool_calls=5), out=folder / f"{n}.jsonl", limit=n)
assert run.asked == n and summarise(run.path).scores["em"].mean == 1
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.benchmark
@pytest.mark.timeout(600)
def test_a_hundred_times_the_questions_take_the_same_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _write_suite(tmp_path)
    few, many = _peak(tmp_path, FEW), _peak(tmp_path, MANY)
    with capsys.disabled():
        print(  # noqa: T201 - a benchmark's result
            f"\npeak memory over {PASSAGES:,} passages: {few / 1024:.0f} MiB at {FEW} questions, "
            f"{many / 1024:.0f} MiB at {MANY:,}: ratio {many / few:.2f}"
        )

    assert many / few < 1.5


def _write_suite(folder: Path) -> None:
    """Questions carry 5 kB of context each, as the real ones do: holding them all would take 50 MB."""
    context = [{"title": f"T{i}", "text": "word " * 100} for i in range(10)]
    with (folder / "towns.corpus.jsonl").open("w") as passages, (folder / "towns.dev.jsonl").open("w") as questions:
        for i in range(PASSAGES):
            passages.write(
                json.dumps({"title": f"Town{i}", "text": f"The mayor is Person{i}. " + "Rain. " * 50}) + "\n"
            )
        for i in range(MANY):
            question = {"id": f"q{i}", "question": f"Who is the mayor of Town{i}?", "context": context}
            questions.write(json.dumps(question | {"answers": [f"Town{i}"], "supporting_titles": [f"Town{i}"]}) + "\n")


def _peak(folder: Path, n: int) -> int:
    command = [sys.executable, "-c", EVAL, str(folder), str(n)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603 - the script above
