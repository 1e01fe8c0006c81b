"""The tracker: what the agent reads of its budget."""

from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import SystemMessage, ToolMessage
from langgraph.types import Command

from budgetkit import AccountState, Budget, Levels, Spend

# Private, so that type checkers, who see the package through its door, cannot follow an import.
TRACKER: Any = import_module("budgetkit.plugins._tracker")
POLICY, append, status, strip, with_policy = (
    TRACKER.POLICY,
    TRACKER.append,
    TRACKER.status,
    TRACKER.strip,
    TRACKER.with_policy,
)


def states_of(budget: Budget, spend: Spend) -> tuple[AccountState, ...]:
    with budget.open("job") as job:
        job.ledger.charge(job.account, spend)
        return job.states()


def test_the_block_names_each_limit_its_level_and_the_worst_of_them() -> None:
    budget = Budget(usd="0.05", llm_calls=20, tool_calls=10, tools={"search": 5})
    spend = Spend(usd="0.02", llm_calls=4, tool_calls=5, tools={"search": 4})
    assert status(states_of(budget, spend), Levels()) == (
        "search: 4 used, 1 left (low)\n"
        "model calls: 4 used, 16 left (high)\n"
        "tool calls: 5 used, 5 left (medium)\n"
        "dollars: 0.02 used, 0.03 left (medium)\n"
        "level: low"
    )


def test_of_two_limits_on_one_thing_the_tighter_one_is_told() -> None:
    with Budget(llm_calls=10).open("outer") as outer, Budget(llm_calls=50).open("inner") as inner:
        inner.ledger.charge(inner.account, Spend(llm_calls=9))
        told = status(inner.states(), Levels())
        assert told == "model calls: 9 used, 1 left (low)\nlevel: low"
        assert inner.level == outer.level == "low"


@given(st.integers(0, 30), st.integers(1, 30), st.integers(1, 30))
def test_the_block_and_the_scope_tell_the_same_level(spent: int, outer: int, inner: int) -> None:
    with Budget(llm_calls=outer).open("outer"), Budget(llm_calls=inner, tool_calls=50).open("inner") as scope:
        scope.ledger.charge(scope.account, Spend(llm_calls=spent))
        assert status(scope.states(), scope.budget.levels).endswith(f"level: {scope.level}")


def test_without_limits_there_is_nothing_to_tell_but_the_level() -> None:
    assert status(states_of(Budget(), Spend(llm_calls=3)), Levels()) == "level: high"


@given(st.text())
def test_what_is_appended_can_be_taken_off_again(text: str) -> None:
    message = append(ToolMessage(text, tool_call_id="a"), "level: high")
    assert isinstance(message, ToolMessage)
    plain = append(ToolMessage(text, tool_call_id="a"), "level: low")
    assert isinstance(plain, ToolMessage)
    assert strip(message.text) == strip(plain.text)
    assert message.text == f"{strip(message.text)}\n\n<budget>\nlevel: high\n</budget>"


@given(st.lists(st.sampled_from(["<budget>", "</budget>", "\n", "< Budget x>", "found", " ", "</ budget >"])))
def test_whatever_a_result_says_there_is_one_block_and_it_is_ours(parts: list[str]) -> None:
    message = append(ToolMessage("".join(parts), tool_call_id="a"), "level: low")
    assert isinstance(message, ToolMessage)
    assert message.text.count("<budget>") == message.text.count("</budget>") == 1
    assert message.text.endswith("\n\n<budget>\nlevel: low\n</budget>")
    assert strip(message.text).count("found") == parts.count("found")


def test_a_result_in_parts_gets_one_more_part() -> None:
    parts: Any = [{"type": "text", "text": "<budget>"}, "plain", {"type": "image_url", "image_url": {"url": "x"}}]
    message = append(ToolMessage(parts, tool_call_id="a", artifact={"rows": 3}, status="error"), "level: low")
    assert isinstance(message, ToolMessage)
    assert message.content[:3] == [{"type": "text", "text": "&lt;budget>"}, *parts[1:]]
    assert message.content[3:] == [{"type": "text", "text": "\n\n<budget>\nlevel: low\n</budget>"}]
    assert (message.artifact, message.status) == ({"rows": 3}, "error")


@pytest.mark.parametrize("update", [None, {"seen": 1}, [("seen", 1)], {"messages": "text"}])
def test_a_command_without_tool_messages_is_left_alone(update: Any) -> None:
    command: Command[Any] = Command(update=update, goto="next")
    assert append(command, "level: low") == command


def test_a_command_keeps_where_it_goes() -> None:
    sent = ToolMessage("moved", tool_call_id="a")
    command: Any = append(Command(graph="g", goto="next", update={"messages": [sent], "seen": 1}), "level: low")
    assert (command.graph, command.goto, command.update["seen"]) == ("g", "next", 1)
    assert command.update["messages"][0].text.startswith("moved\n\n<budget>")


@pytest.mark.parametrize(
    ("system", "content"),
    [
        (None, POLICY),
        (SystemMessage("Be terse."), f"Be terse.\n\n{POLICY}"),
        (SystemMessage(POLICY), POLICY),
        (
            SystemMessage([{"type": "text", "text": "Be."}]),
            [{"type": "text", "text": "Be."}, {"type": "text", "text": POLICY}],
        ),
    ],
)
def test_the_policy_comes_after_the_user_s_own_prompt_and_once(system: Any, content: Any) -> None:
    assert with_policy(system).content == content
    assert with_policy(with_policy(system)).text == with_policy(system).text
