"""A planner in graphs that somebody else has: their state, their tools, their approval by a person."""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, RemoveMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph, add_messages  # pyright: ignore[reportMissingTypeStubs]  # it has types of its own
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command, interrupt
from pydantic import BaseModel

from budgetkit import Budget
from budgetkit.plugins import Bats, Bavt, PlannerNode, PlannerState, UniformTree, Voi, search_tree

from ._graphs import QUESTION, THREAD, Case, Mind, Tools, answered_calls, asked_calls, case, reserved, saver, spent


class Dict(MessagesState):
    topic: str


class Model(BaseModel):
    messages: Annotated[list[AnyMessage], add_messages]
    topic: str = ""


STATES = pytest.mark.parametrize("state", [Dict, Model])
PLAIN: Any = {"messages": [("user", QUESTION)]}


def new_search(kit: Any, **options: Any) -> Case:
    return case(kit, Budget(tool_calls=2), **options)


def ids(messages: list[Any]) -> list[str]:
    """The searches that tool calls and answers come from, each once."""
    found = [m.response_metadata["budgetkit_search"]["id"] for m in messages if isinstance(m, AIMessage)]
    return list(dict.fromkeys(found))


# -- the graph that everybody has -----------------------------------------------------------------------------------


@STATES
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_one_line_puts_a_planner_in_place_of_the_agent_s_model(
    kit: Any, run: Any, request: Any, tmp_path: Path, state: Any, kind: str
) -> None:
    kind += "-async" if kind == "sqlite" and request.node.callspec.params["run"] == "async" else ""
    planned = case(kit, mind=Mind(tools=["search", "lookup"]))
    async with saver(kind, tmp_path) as checkpointer:
        graph = planned.graph(state=state, checkpointer=checkpointer, interrupt_before=["tools"])
        result = await run(graph, {**PLAIN, "topic": "letters"}, THREAD)
        paused = 0
        while isinstance(result["messages"][-1], AIMessage) and result["messages"][-1].tool_calls:
            result, paused = await run(graph, None, THREAD), paused + 1
    assert result["messages"][-1].text == "1987"
    assert result["topic"] == "letters"
    assert set(result) == {"messages", "topic"}
    assert paused == 4
    assert [name for name, _ in planned.tools.runs] == ["search", "lookup", "search", "lookup"]
    assert asked_calls(result["messages"]) == answered_calls(result["messages"])


@STATES
def test_what_the_planner_keeps_is_in_no_schema_of_the_graph_and_in_its_state(kit: Any, state: Any) -> None:
    planned = case(kit)
    graph = planned.graph(state=state, checkpointer=InMemorySaver())
    for schema in (graph.get_input_jsonschema(), graph.get_output_jsonschema()):
        assert set(schema["properties"]) == {"messages", "topic"}
    graph.invoke(PLAIN, THREAD)
    tree = search_tree(graph.get_state(THREAD).values)
    assert tree is not None
    assert tree.finished is not None
    assert tree.finished.answer == "1987"
    assert [node.made.args for node in tree if node.made] == [{"query": text} for _, text in planned.tools.runs]


def test_a_state_without_a_search_has_no_tree() -> None:
    assert search_tree({}) is None
    assert search_tree({"budgetkit_search": {}}) is None


@pytest.mark.parametrize("strategy", [None, Bavt(), Bats(), Voi(), UniformTree()], ids=lambda s: s and s.name)
@pytest.mark.parametrize("parallel", [1, 3])
async def test_every_strategy_answers_in_such_a_graph(kit: Any, run: Any, strategy: Any, parallel: int) -> None:
    planned = case(kit, Budget(tool_calls=5, total_tokens=6_000), strategy=strategy, parallel=parallel)
    result = await run(planned.graph(checkpointer=InMemorySaver()), PLAIN, THREAD)
    assert result["messages"][-1].text == "1987"
    assert 1 <= len(planned.tools.runs) <= 5
    assert asked_calls(result["messages"]) == answered_calls(result["messages"])
    assert reserved(planned.node) == {}


async def test_it_runs_without_a_checkpointer_and_without_a_thread(kit: Any, run: Any) -> None:
    planned = case(kit)
    first, second = await run(planned.graph()), await run(planned.graph())
    assert first["messages"][-1].text == second["messages"][-1].text == "1987"
    assert len(planned.tools.runs) == 8
    assert planned.node.ledger.children() == ()  # the books of such a run end with it


def test_an_async_tool_of_a_graph_that_is_its_own_state_is_called_as_ever(kit: Any) -> None:
    class Own(TypedDict):
        messages: Annotated[list[Any], add_messages]
        budget_note: str

    planned = case(kit)
    result = planned.graph(state=Own).invoke({**PLAIN, "budget_note": "kept"})
    assert result["budget_note"] == "kept"
    assert set(result) == {"messages", "budget_note"}


# -- another key, another reducer -----------------------------------------------------------------------------------


async def test_messages_under_another_key_take_one_more_argument(run: Any) -> None:
    class Chat(TypedDict):
        chat: Annotated[list[AnyMessage], add_messages]

    tools = Tools()
    planner = PlannerNode(Mind(), tools.all, Budget(tool_calls=3), messages_key="chat", parallel=3)
    graph: Any = StateGraph(Chat)
    graph.add_node("agent", planner, input_schema=planner.state_schema)
    graph.add_node("tools", ToolNode(tools.all, messages_key="chat"))
    graph.add_edge(START, "agent")
    graph.add_conditional_edges("agent", lambda state: tools_condition(state, messages_key="chat"))
    graph.add_edge("tools", "agent")
    result = await run(graph.compile(checkpointer=InMemorySaver()), {"chat": [("user", QUESTION)]}, THREAD)
    assert set(result) == {"chat"}
    assert result["chat"][-1].text == "1987"
    assert len(tools.runs) == 3
    assert reserved(planner) == {}


def test_the_schema_of_the_usual_key_is_the_planner_s_own(kit: Any) -> None:
    assert case(kit).node.state_schema is PlannerState


async def test_messages_that_are_only_added_up_and_have_no_ids_are_searched_as_well(kit: Any, run: Any) -> None:
    class Plain(TypedDict):
        messages: Annotated[list[Any], operator.add]

    planned = case(kit)
    graph = planned.graph(state=Plain, checkpointer=InMemorySaver())
    result = await run(graph, {"messages": [HumanMessage(QUESTION)]}, THREAD)
    again = await run(graph, {"messages": [HumanMessage(QUESTION)]}, THREAD)
    assert all(m.id is None for m in again["messages"] if isinstance(m, HumanMessage))
    assert result["messages"][-1].text == again["messages"][-1].text == "1987"
    assert len(planned.tools.runs) == 8
    assert len(set(asked_calls(again["messages"]))) == 8


async def test_a_search_goes_on_when_what_was_asked_slides_out_of_view(kit: Any, run: Any) -> None:
    class Window(TypedDict):
        messages: Annotated[list[Any], lambda old, new: (old + new)[-4:]]

    planned = case(kit, Budget(tool_calls=3))
    earlier = [HumanMessage("Who are you?"), AIMessage("A planner."), HumanMessage("Good."), HumanMessage(QUESTION)]
    graph = planned.graph(state=Window, checkpointer=InMemorySaver())
    result = await run(graph, {"messages": earlier}, THREAD)
    assert len(planned.node.ledger.children()) == 1
    assert len(planned.tools.runs) == 3
    assert result["messages"][-1].text == "1987"
    tree = search_tree(graph.get_state(THREAD).values)
    assert tree is not None
    assert tree.question == QUESTION


# -- what others do to the messages ---------------------------------------------------------------------------------


async def test_a_history_that_is_trimmed_in_the_middle_changes_no_move(kit: Any, run: Any) -> None:
    async def moves(*, trims: bool) -> list[str]:
        planned = case(kit)

        def trim(state: MessagesState) -> Any:
            return {"messages": [RemoveMessage(str(m.id)) for m in state["messages"][1:-2]] if trims else []}

        graph: Any = StateGraph(MessagesState)
        graph.add_node("agent", planned.node)
        graph.add_node("tools", planned.tools.node)
        graph.add_node("trim", trim)
        graph.add_edge(START, "agent")
        graph.add_conditional_edges("agent", tools_condition)
        graph.add_edge("tools", "trim")
        graph.add_edge("trim", "agent")
        compiled = graph.compile(checkpointer=InMemorySaver())
        result = await run(compiled, PLAIN, THREAD)
        assert result["messages"][-1].text == "1987"
        assert (len(result["messages"]) == 4) == trims
        tree = search_tree(compiled.get_state(THREAD).values)
        assert tree is not None
        assert spent(planned.node)["tool_calls"] == len(planned.tools.runs)
        return list(tree.told)

    assert await moves(trims=True) == await moves(trims=False)


async def test_a_conversation_without_a_person_has_no_question(kit: Any, run: Any) -> None:
    with pytest.raises(ValueError, match=r"^'messages' holds no message of a person, so there is no question to sea"):
        await run(case(kit).graph(), {"messages": [AIMessage("hello")]})


async def test_a_second_question_on_the_thread_is_a_new_search_with_a_new_account(kit: Any, run: Any) -> None:
    planned = new_search(kit)
    graph = planned.graph(checkpointer=InMemorySaver())
    await run(graph, QUESTION, THREAD)
    result = await run(graph, "And who founded it?", THREAD)
    assert len(ids(result["messages"])) == 2
    assert len(set(asked_calls(result["messages"]))) == len(planned.tools.runs) == 4
    ledger = planned.node.ledger
    assert [ledger.states(account)[-1].spent["tool_calls"] for account in ledger.children()] == [2, 2]
    tree = search_tree(graph.get_state(THREAD).values)
    assert tree is not None
    assert tree.question == "And who founded it?"


async def test_an_evaluator_that_sends_an_answer_back_begins_a_new_search(kit: Any, run: Any) -> None:
    planned, sent_back = new_search(kit), []

    def judged(_: MessagesState) -> str:
        sent_back.append(1)
        return "agent" if len(sent_back) < 3 else END

    graph: Any = StateGraph(MessagesState)
    graph.add_node("agent", planned.node)
    graph.add_node("tools", planned.tools.node)
    graph.add_node("judge", lambda _: {})
    graph.add_edge(START, "agent")
    graph.add_conditional_edges("agent", tools_condition, {"tools": "tools", END: "judge"})
    graph.add_edge("tools", "agent")
    graph.add_conditional_edges("judge", judged)
    result = await run(graph.compile(checkpointer=InMemorySaver()), PLAIN, THREAD)
    answers = [m for m in result["messages"] if isinstance(m, AIMessage) and not m.tool_calls]
    assert len(ids(answers)) == len(answers) == 3
    assert len(planned.tools.runs) == 6
    assert len(planned.node.ledger.children()) == 3


async def test_per_thread_all_questions_share_one_account(kit: Any, run: Any) -> None:
    planned = case(kit, Budget(tool_calls=3), per="thread")
    graph = planned.graph(checkpointer=InMemorySaver())
    await run(graph, QUESTION, THREAD)
    await run(graph, "And who founded it?", THREAD)
    assert len(planned.tools.runs) == 3
    assert planned.node.ledger.children() == (("planner-t",),)


# -- a person in between --------------------------------------------------------------------------------------------


def approving(planned: Case) -> Any:
    """A graph in which a person sees every round of calls, and may change or turn down each."""

    def approve(state: MessagesState) -> Any:
        message = state["messages"][-1]
        assert isinstance(message, AIMessage)
        reply = interrupt({"calls": [call["args"] for call in message.tool_calls]})
        if reply == "no":
            said = [ToolMessage("No.", tool_call_id=call["id"], status="error") for call in message.tool_calls]
            return Command(goto="agent", update={"messages": said})
        calls = [{**call, "args": {**call["args"], **reply}} for call in message.tool_calls]
        return Command(goto="tools", update={"messages": [message.model_copy(update={"tool_calls": calls})]})

    graph: Any = StateGraph(MessagesState)
    graph.add_node("agent", planned.node)
    graph.add_node("tools", planned.tools.node)
    graph.add_node("approve", approve, destinations=("agent", "tools"))
    graph.add_edge(START, "agent")
    graph.add_conditional_edges("agent", tools_condition, {"tools": "approve", END: END})
    graph.add_edge("tools", "agent")
    return graph.compile(checkpointer=InMemorySaver())


async def test_a_person_may_edit_calls_and_the_search_goes_on_from_what_they_found(kit: Any, run: Any) -> None:
    planned = new_search(kit)
    graph, asked = approving(planned), 0
    result = await run(graph, PLAIN, THREAD)
    while "__interrupt__" in result:
        result, asked = await run(graph, Command(resume={"query": f"as edited {asked}"}), THREAD), asked + 1
    assert asked == 2
    assert planned.tools.runs == [("search", "as edited 0"), ("search", "as edited 1")]
    assert result["messages"][-1].text == "1987"
    assert spent(planned.node)["tool_calls"] == 2
    assert reserved(planned.node) == {}


async def test_a_call_that_a_person_turns_down_counts_and_the_search_goes_on_elsewhere(kit: Any, run: Any) -> None:
    planned = new_search(kit)
    graph = approving(planned)
    await run(graph, PLAIN, THREAD)
    await run(graph, Command(resume="no"), THREAD)
    result = await run(graph, Command(resume={"query": "alpha again"}), THREAD)
    assert "__interrupt__" not in result
    assert planned.tools.runs == [("search", "alpha again")]
    assert spent(planned.node)["tool_calls"] == 2  # nobody but the graph knows that it was not made
    tree = search_tree(graph.get_state(THREAD).values)
    assert tree is not None
    assert [node.seen.error for node in tree if node.seen] == [True, False]
    assert result["messages"][-1].text == "1987"


# -- what it is made of ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parallel": 0}, "parallel=0 must be at least 1"),
        ({"keep": 0}, "keep=0 must be at least 1"),
        ({"answer_tokens": -1}, "answer_tokens=-1 must be at least 1"),
        ({"at_end": "explode"}, "at_end='explode' is not an end: use one of 'answer', 'stop', 'raise', 'ask', 'drain'"),
        ({"per": "week"}, "per='week' is not what a budget can be for: use 'run' or 'thread'"),
    ],
)
def test_a_setting_that_is_none_is_refused(options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        PlannerNode(Mind(), [], Budget(tool_calls=1), **options)


def test_what_cannot_think_is_refused(kit: Any) -> None:
    bound: Any = kit.BillingModel(["x"]).bind(stop=["y"])
    with pytest.raises(TypeError, match=r" is neither a chat model nor a policy: a bound or wrapped model goes in ba"):
        PlannerNode(bound, [], Budget(tool_calls=1))
