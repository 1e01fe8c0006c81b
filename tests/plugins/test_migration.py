"""What the page about coming from other limits shows is run, section by section, and comes out as it says."""

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import BaseMessage, ToolMessage

from budgetkit import Budget, BudgetExceeded, MemoryLedger, Spend, Window
from budgetkit.plugins import BudgetMiddleware
from budgetkit.testing import ScriptedChatModel, Turn, assert_spent, call

PAGE = (Path(__file__).parents[2] / "docs" / "migrating.md").read_text(encoding="utf-8")
QUESTION = "When was Alpha founded?"
ANSWER = "Alpha was founded in 1987."


def search(query: str) -> str:
    """Search the web."""
    return f"{query}: Alpha, 1987."


def looping(*calls: Any) -> ScriptedChatModel:
    """A model that calls tools for ever, and answers when it is asked for the final answer."""

    def turn(messages: Sequence[BaseMessage]) -> Turn:
        return ANSWER if messages[-1].text.startswith("Question: ") else list(calls)

    return ScriptedChatModel([turn], loop_last=True)


@pytest.fixture
def run_section() -> Callable[[str], dict[str, Any]]:
    """Runs the budgetkit blocks of a section in one namespace, and gives that back."""

    def run(title: str) -> dict[str, Any]:
        space: dict[str, Any] = {
            "__name__": "page",  # annotations are looked up in the module of that name
            "model": looping(call("search", query="alpha")),
            "boss": looping(call("task", description="find it", subagent_type="searcher")),
            "helper": looping(call("search", query="alpha")),
            "search": search,
            "question": QUESTION,
        }
        for block in blocks("python", section(title)):
            exec(compile(block, "docs/migrating.md", "exec", dont_inherit=True), space)  # noqa: S102 - our own page
        return space

    return run


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def blocks(language: str, text: str) -> list[str]:
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return found


def table(title: str) -> Mapping[str, str]:
    rows = [line.strip("|").split(" | ") for line in section(title).splitlines() if line.startswith("| `")]
    return {left.strip(): right.strip() for left, right in rows}


def test_every_section_has_a_block_that_is_run_and_every_link_leads_to_one() -> None:
    titles = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    links = re.findall(r"^- \[(.+)\]\(#(.+)\)$", PAGE, re.MULTILINE)
    assert [title for title, _ in links] == titles
    assert [anchor for _, anchor in links] == [re.sub(r"[^\w -]", "", t).lower().replace(" ", "-") for t in titles]
    assert all(blocks("python", section(title)) for title in titles)


def test_the_blocks_of_the_others_are_python() -> None:
    assert len([ast.parse(block) for block in blocks("py", PAGE)]) == 3


def test_langchains_limits_become_two_budgets(run_section: Any) -> None:
    space = run_section("LangChain's call limits")
    agent, config = space["agent"], {"configurable": {"thread_id": "1"}}
    assert space["answer"]["messages"][-1].text == ANSWER
    assert len(space["model"].requests) == 4  # three searches, then the answer
    later = [agent.invoke({"messages": [("user", QUESTION)]}, config)["messages"][-1] for _ in range(4)]
    assert 4 < len(space["model"].requests) <= 8  # the thread's limit, over all its runs
    assert "the budget ended, llm_calls: 8 of 8 used" in later[-1].text


@pytest.mark.parametrize(
    ("limit", "calls"), [(Budget(llm_calls=5), 5), (Budget(tool_calls=3), 4), (Budget(tools={"search": 3}), 4)]
)
def test_a_limit_of_langchains_stops_where_it_did_with_a_notice(limit: Budget, calls: int) -> None:
    model: Any = looping(call("search", query="alpha"))
    agent: Any = create_agent(model, [search], middleware=[BudgetMiddleware(limit, at_end="stop")])
    ended = agent.invoke({"messages": [("user", QUESTION)]})["messages"][-1]
    assert ended.text.startswith("Stopped: the budget for ")
    assert len(model.requests) == calls


def test_a_used_up_tool_is_answered_with_an_error_while_others_go_on() -> None:
    def look(query: str) -> str:
        """Look it up."""
        return f"{query}: 1987."

    turns: list[Turn] = [call("search", query="a"), [call("search", query="b"), call("look", query="c")], ANSWER]
    agent: Any = create_agent(
        ScriptedChatModel(turns), [search, look], middleware=[BudgetMiddleware(Budget(tools={"search": 1}))]
    )
    messages = agent.invoke({"messages": [("user", QUESTION)]})["messages"]
    refused, looked = [message for message in messages if isinstance(message, ToolMessage)][-2:]
    assert (refused.status, looked.status) == ("error", "success")
    assert messages[-1].text == ANSWER


def test_litellms_budgets_become_accounts_with_windows(run_section: Any) -> None:
    space = run_section("LiteLLM's budgets")
    assert space["answers"] == [ANSWER, ANSWER]
    research, ann = space["spent"]["research",], space["spent"]["research", "ann"]
    assert ann["llm_calls"] == 5
    assert research["llm_calls"] == len(space["model"].requests) == 10
    assert research["usd"] > ann["usd"] > 0


def test_spend_of_before_can_be_brought_along_once() -> None:
    ledger = MemoryLedger()
    budget = Budget(usd="100", window=Window.month())
    for _ in range(2):
        with budget.open("research", id="research", ledger=ledger) as team:
            team.charge(Spend.of({"usd": "3.20"}), id="import")
    assert_spent(ledger.states(("research",))[-1], usd=Decimal("3.20"))


def test_an_account_whose_window_is_spent_refuses_in_its_own_name() -> None:
    ledger, rate = MemoryLedger(), Budget(llm_calls=1, window=Window.sliding(60))
    with rate.open("rate", id="rate", ledger=ledger) as minute:
        minute.charge(Spend(llm_calls=1))
        with pytest.raises(BudgetExceeded, match=r"^budget 'rate' is out of llm_calls: limit 1, spent 1"):
            minute.reserve(Spend(llm_calls=1))


def test_usage_limits_become_one_budget_that_raises(run_section: Any) -> None:
    space = run_section("pydantic-ai's usage limits")
    assert space["ended"] == "tool_calls is used up: 3 of 3"
    assert len(space["model"].requests) == 4


def test_every_usage_limit_has_a_limit_of_the_same_worth(run_section: Any) -> None:
    before = ast.parse(blocks("py", section("pydantic-ai's usage limits"))[0]).body[0]
    assert isinstance(before, ast.Assign)
    assert isinstance(before.value, ast.Call)
    asked = {word.arg: ast.unparse(word.value) for word in before.value.keywords}
    limits = run_section("pydantic-ai's usage limits")["budget"].limits
    assert asked == {
        "request_limit": str(limits["llm_calls"]),
        "tool_calls_limit": str(limits["tool_calls"]),
        "input_tokens_limit": str(limits["input_tokens"]),
        "output_tokens_limit": str(limits["output_tokens"]),
        "total_tokens_limit": str(limits["total_tokens"]),
        "cost_limit": f"Decimal('{limits['usd']}')",
    }


def test_a_deep_agent_and_its_sub_agent_share_one_budget(run_section: Any) -> None:
    space = run_section("deepagents")
    assert space["answer"] == ANSWER
    assert_spent(space["run"], llm_calls=len(space["boss"].requests) + len(space["helper"].requests))
    assert_spent(space["run"], tools={"search": 3})
    assert space["run"].spent["llm_calls"] <= 12


def test_of_eight_branches_three_read_and_five_do_not(run_section: Any) -> None:
    space = run_section("A plain StateGraph")
    assert sorted(space["found"]) == [*[""] * 3, *["not read"] * 5]
    assert len(space["model"].requests) == 3
    assert_spent(space["run"], llm_calls=3)


def test_the_tool_node_of_a_plain_graph_refuses_what_is_not_paid(run_section: Any) -> None:
    space = run_section("A plain StateGraph")
    asked = ScriptedChatModel([[call("search", query=str(n)) for n in range(3)]]).invoke(QUESTION)
    with space["tool_budget"].open("tools") as run:
        results = space["loop"].compile().invoke({"messages": [asked]})["messages"][-3:]
    assert [result.status for result in results].count("error") == 1
    assert_spent(run, tools={"search": 2})


def test_no_line_of_the_tables_is_without_its_counterpart() -> None:
    for title in ("LangChain's call limits", "LiteLLM's budgets", "pydantic-ai's usage limits"):
        rows = table(title)
        assert rows
        assert all(rows.values())
