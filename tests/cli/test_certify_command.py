"""`budgetkit certify`: what it prints, and how it ends."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from budgetkit.evals import main

MODULE = '''
from langchain.agents import create_agent
from langchain_core.tools import tool

from budgetkit import Budget
from budgetkit.plugins import BudgetMiddleware
from budgetkit.testing import ScriptedChatModel


@tool
def search(query: str) -> str:
    """Search the corpus."""
    return query


def make():
    return create_agent(ScriptedChatModel([]), [search], middleware=[BudgetMiddleware(Budget(llm_calls=20))])


graph = make()
bare = create_agent(ScriptedChatModel([]), [])
'''


class Shown(NamedTuple):
    """What a command printed, and how it ended."""

    stdout: str
    stderr: str
    returncode: int


Command = Callable[..., Shown]


@pytest.fixture
def certify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs the command in this process, in a folder with a module of the user's."""
    (tmp_path / "users_graphs.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.delitem(sys.modules, "users_graphs", raising=False)

    def run(*arguments: str) -> Shown:
        monkeypatch.setattr(sys, "argv", ["budgetkit", "certify", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return Shown(out, err, int(ended.value.code or 0))

    return run


@pytest.mark.parametrize("name", ["graph", "make"])
def test_a_graph_that_is_bounded_ends_with_0(name: str, certify: Command) -> None:
    shown = certify(f"users_graphs:{name}", "--budget", "llm_calls=20", "--free", "tools/search")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("BOUNDED: one run costs no more than the budget allows.")
    assert "llm_calls        20  the budget's limit" in shown.stdout


def test_a_graph_that_is_not_bounded_ends_with_1(certify: Command) -> None:
    shown = certify("users_graphs:graph", "--budget", "llm_calls=20")
    assert shown.returncode == 1
    assert "tools/search (llm_calls): a tool is a function of its own" in shown.stdout


def test_limits_and_declarations_reach_the_proof(certify: Command) -> None:
    given = ("--budget", "llm_calls=2,output_tokens=100", "--recursion-limit", "9")
    shown = certify("users_graphs:bare", *given, "--at-most", "model:llm_calls=1,output_tokens=50")
    assert shown.returncode == 0, shown.stdout
    assert "output_tokens        50  50 that only the graph's structure bounds" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("users_graphs",), "'users_graphs' must read like 'my_module:graph'"),
        (("no_such_module:graph",), "there is no module 'no_such_module' here or installed"),
        (("users_graphs:grph",), "module 'users_graphs' has no 'grph': it has 'bare', 'graph'"),
        (("users_graphs:search",), "graph=StructuredTool is not a compiled graph"),
        (("users_graphs:graph", "--free", "serch"), "free names 'serch', which is no place"),
        (("users_graphs:graph", "--at-most", "search"), "'search' must read like 'summarize:llm_calls=1,usd=0.01'"),
        (("users_graphs:graph", "--budget", "llm_call=1"), "unknown resource 'llm_call': did you mean 'llm_calls'?"),
        (("users_graphs:graph", "--recursion-limit", "0"), "Invalid value for '--recursion-limit'"),
    ],
)
def test_a_slip_in_the_command_ends_with_2(arguments: tuple[str, ...], told: str, certify: Command) -> None:
    shown = certify(*(arguments if "--budget" in arguments else (*arguments, "--budget", "llm_calls=1")))
    assert shown.returncode == 2
    assert told in " ".join(shown.stderr.replace("│", " ").split())
    assert "Traceback" not in shown.stderr
