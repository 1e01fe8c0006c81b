"""What a planner tells whoever watches: every move, once, as plain data; and the answer, not the thoughts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver

from budgetkit import Budget
from budgetkit.plugins import Bats, Bavt, Majority, SearchTree, UniformTree, Voi, search_tree

from ._graphs import QUESTION, THREAD, Graph, Mind, Thorough, case

ASKED = {"type", "event", "strategy", "move", "kind", "node", "mode", "value", "worth", "action", "why", "left"}
TOLD = {"type", "event", "strategy", "move", "kind", "node", "value", "result"}


@pytest.fixture(params=["sync", "async"])
def stream(request: pytest.FixtureRequest) -> Any:
    """Both ways to stream a graph: all that comes, as a list."""

    async def streamed(graph: Graph, mode: Any, given: Any = QUESTION) -> list[Any]:
        asked = {"messages": [("user", given)]} if given else None
        if request.param == "sync":
            return list(graph.stream(asked, THREAD, stream_mode=mode))
        return [came async for came in graph.astream(asked, THREAD, stream_mode=mode)]

    return streamed


def tree_of(graph: Graph) -> SearchTree:
    tree = search_tree(graph.get_state(THREAD).values)
    assert tree is not None
    return tree


def by_kind(events: Sequence[Any], event: str) -> list[Any]:
    return [came for came in events if came["event"] == event]


@pytest.mark.parametrize("parallel", [1, 4])
@pytest.mark.parametrize(
    "strategy", [Thorough(), Bavt(), Bats(), Voi(), Majority(), UniformTree()], ids=lambda s: str(s.name)
)
async def test_every_move_is_announced_once_and_told_once(kit: Any, stream: Any, strategy: Any, parallel: int) -> None:
    graph = case(kit, strategy=strategy, parallel=parallel).graph(checkpointer=InMemorySaver())
    events = await stream(graph, "custom")
    tree = tree_of(graph)
    assert [event["move"] for event in by_kind(events, "asked")] == list(tree.moves)
    assert Counter(event["move"] for event in by_kind(events, "told")) == Counter(tree.moves.keys())
    for event in events:
        before = [other["event"] for other in events[: events.index(event)] if other["move"] == event["move"]]
        assert before == (["asked"] if event["event"] == "told" else [])


async def test_an_announcement_says_which_node_and_what_it_is_worth_and_why_and_what_is_left(
    kit: Any, stream: Any
) -> None:
    graph = case(kit, Budget(tool_calls=2)).graph(checkpointer=InMemorySaver())
    events = await stream(graph, "custom")
    assert json.loads(json.dumps(events)) == events
    assert {tuple(sorted(event)) for event in by_kind(events, "asked")} == {tuple(sorted(ASKED))}
    assert {tuple(sorted(event)) for event in by_kind(events, "told")} == {tuple(sorted(TOLD))}
    acts = [event for event in by_kind(events, "asked") if event["kind"] == "act"]
    assert acts[1] == {
        "type": "budgetkit_search",
        "event": "asked",
        "strategy": "thorough",
        "move": "act:0.1",
        "kind": "act",
        "node": "0.1",
        "mode": "deepen",
        "value": 0.3,
        "worth": 0.3,
        "action": "search(query=alpha 0 1 1)",
        "why": "every option is taken",
        "left": {"tool_calls": 1},
    }
    told = {event["move"]: event["result"] for event in by_kind(events, "told")}
    assert told == {
        "plan:0:0": "find Alpha",
        "propose:0:0": "search(query=alpha 0 1 0); search(query=alpha 0 1 1)",
        "act:0.0": "[1] Alpha\nAlpha was founded in 1987 by Jane Doe.",
        "appraise:0.0": "+1 a page on Alpha",
        "act:0.1": "[1] Alpha\nAlpha was founded in 1987 by Jane Doe.",
        "appraise:0.1": "+1 a page on Alpha",
        "answer:0:0": "1987",
        "verify:0:0": "success: 1987 stands there",
        "finish": "1987",
    }
    values = {event["move"]: event["value"] for event in by_kind(events, "told")}
    assert values["appraise:0.0"] == 0.4


async def test_what_is_told_is_cut_short(kit: Any, stream: Any) -> None:
    planned = case(kit, Budget(tool_calls=1))
    planned.tools.result = "long " * 10_000
    events = await stream(planned.graph(checkpointer=InMemorySaver()), "custom")
    (result,) = [event["result"] for event in by_kind(events, "told") if event["kind"] == "act"]
    assert result == ("long " * 40) + "…"


@pytest.mark.parametrize("at_end", ["answer", "stop"])
async def test_a_thought_that_the_budget_refuses_is_told_as_lost(kit: Any, stream: Any, at_end: Any) -> None:
    graph = case(kit, Budget(tool_calls=9, llm_calls=3), at_end=at_end).graph(checkpointer=InMemorySaver())
    events = await stream(graph, "custom")
    asked, told = by_kind(events, "asked"), by_kind(events, "told")
    assert [event["move"] for event in asked] == [event["move"] for event in told]
    assert told[-1]["result"] == "lost: the budget ended"


async def test_a_search_that_goes_on_later_announces_nothing_twice(kit: Any, stream: Any) -> None:
    planned, broken = case(kit), [True]

    def breaks(thought: str) -> None:
        if thought == "propose:0.0" and broken:
            broken.clear()
            raise RuntimeError(thought)

    planned.mind.before = breaks
    graph = planned.graph(checkpointer=InMemorySaver())
    with pytest.raises(RuntimeError, match=r"^propose:0\.0\n"):
        await stream(graph, "custom")
    events = await stream(graph, "custom", None)
    told = {event["move"] for event in by_kind(events, "told")}
    assert {"propose:0.0:0", "act:0.0.0", "finish"} <= told
    assert not {"plan:0:0", "propose:0:0", "act:0.0"} & {event["move"] for event in by_kind(events, "asked")}


async def test_tokens_of_thoughts_are_not_streamed_and_the_answer_is(kit: Any, stream: Any) -> None:
    planned = case(kit)
    said = [message for message, _ in await stream(planned.graph(checkpointer=InMemorySaver()), "messages")]
    assert len(planned.mind.model.requests) == 9
    assert [type(message) for message in said] == [AIMessage, ToolMessage] * 4 + [AIMessage]
    assert said[-1].text == "1987"
    assert not any("thought" in message.text for message in said)


async def test_an_answer_from_the_reserve_is_streamed_as_it_is_written_and_only_once(kit: Any, stream: Any) -> None:
    planned = case(kit, Budget(tool_calls=9, llm_calls=4), strategy=UniformTree(width=1))
    graph = planned.graph(checkpointer=InMemorySaver())
    pairs = await stream(graph, "messages")
    said = [message for message, _ in pairs if not isinstance(message, ToolMessage) and not message.tool_calls]
    answer = graph.get_state(THREAD).values["messages"][-1]
    assert len(planned.mind.model.requests) == 4
    assert kit.is_last_call(planned.mind.model.requests[-1].messages)
    assert len(said) > 1
    assert {message.id for message in said} == {answer.id}
    assert "".join(message.text for message in said) == answer.text == "It was 1987."


async def test_a_call_that_is_not_paid_for_is_told_as_lost(kit: Any, stream: Any) -> None:
    two = {"search": lambda _: 2}
    planned = case(kit, Budget(tools={"search": 3}), mind=Mind(), parallel=2, tool_units=two)
    events = await stream(planned.graph(checkpointer=InMemorySaver()), "custom")
    (lost,) = [event["result"] for event in by_kind(events, "told") if event["move"] == "act:0.1"]
    assert lost.startswith("lost: budget 'planner-")
    assert lost.endswith("is out of tool:search: limit 3, spent 0, reserved 2, asked 2")
    assert len(planned.tools.runs) == 1
