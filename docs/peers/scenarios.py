"""The six situations, each written once: what the server says, and how a LangChain agent is driven through it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import add
from typing import Annotated, Any, TypedDict, cast

from guard import Guard, Run

TOKENS = 500
"""Output tokens of every reply: also what the one peer that reserves takes for granted."""

LOOPS, DELEGATIONS, BRANCHES, TIMES = 9, 3, 8, 10
ASK = "please research this"
ANSWER = "ANSWER"


class Branches(TypedDict):
    """What the branches of a fan-out ended in."""

    ends: Annotated[list[str], add]


@dataclass(frozen=True)
class Scenario:
    """One situation.

    Attributes:
        name: Its name in the table.
        means: What happens in it.
        run: Drives a LangChain agent through it.
        switches: How the server misbehaves.
    """

    name: str
    means: str
    run: Run
    switches: Mapping[str, Any] = field(default_factory=dict[str, Any])


def reply(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the server says: another tool call until the script is over, else the answer; always `TOKENS` long."""
    tools = {tool["function"]["name"] for tool in body.get("tools") or ()}
    results = sum(message["role"] == "tool" for message in body["messages"])
    if "delegate" in tools and results < DELEGATIONS:
        return _calling("delegate", results)
    if "search" in tools and results < (2 if _is_sub_agent(body) else LOOPS):
        return _calling("search", results)
    return {"content": _text(ANSWER, TOKENS)}


def said(result: Mapping[str, Any]) -> str:
    """What a person reads at the end of an agent's run."""
    return what(result["messages"][-1].text)


def what(text: str) -> str:
    """Say whether a text is the model's answer, a part of it, or a canned notice."""
    if not text.startswith(ANSWER):
        return f"a notice ({' '.join(text.split()[:6])} …)"
    length = len(text.split())
    return "an answer" if length == TOKENS else f"an answer cut to {length} of {TOKENS} tokens"


def attempt(ask: Callable[[], str]) -> str:
    """What one request ends in: its result, or the exception's name."""
    try:
        return ask()
    except BaseException as error:  # noqa: BLE001 - whatever a peer raises is the finding
        return type(error).__name__


def tally(outcomes: Iterable[str]) -> str:
    """Write outcomes in a row as ``3 x this, then 7 x that``."""
    runs = ((outcome, len(list(same))) for outcome, same in groupby(outcomes))
    return ", then ".join(f"{times} x {outcome}" if times > 1 else outcome for outcome, times in runs)


def search(query: str) -> str:
    """Search the web."""
    return f"nothing yet about {query}"


def plain_loop(guard: Guard) -> str:
    """An agent that would loop ten times."""
    return said(_agent(guard).invoke(_ask(), guard.config))


def fan_out(guard: Guard) -> str:
    """Eight agents at once, of one call each."""
    from langgraph.graph import START, StateGraph  # noqa: PLC0415 # pyright: ignore[reportMissingTypeStubs]  # typed itself
    from langgraph.types import Send  # noqa: PLC0415 - loaded where it is driven

    agent = _agent(guard, tools=[])

    def branch(_: Branches) -> Branches:
        return {"ends": [said(agent.invoke(_ask(), guard.config))]}

    def split(_: Branches) -> list[Send]:
        return [Send("branch", {"ends": []}) for _ in range(BRANCHES)]

    graph: Any = StateGraph(Branches)
    graph.add_node("branch", branch)
    graph.add_conditional_edges(START, split)
    return tally(sorted(graph.compile().invoke({"ends": []}, guard.config)["ends"]))


def interrupts(guard: Guard) -> str:
    """The loop, stopped for a person before each tool call and resumed."""
    from langgraph.checkpoint.memory import InMemorySaver  # noqa: PLC0415 - as above

    agent = _agent(guard, checkpointer=InMemorySaver(), interrupt_before=["tools"])
    config = {**guard.config, "configurable": {"thread_id": "one"}}
    result = agent.invoke(_ask(), config)
    while agent.get_state(config).next:
        result = agent.invoke(None, config)
    return said(result)


def cut_streams(guard: Guard) -> str:
    """One thread, asked ten times; the connection breaks in the middle of each answer."""
    from langgraph.checkpoint.memory import InMemorySaver  # noqa: PLC0415 - as above

    agent = _agent(guard, tools=[], checkpointer=InMemorySaver())
    config = {**guard.config, "configurable": {"thread_id": "one"}}

    def ask() -> str:
        parts = [part[0].text for part in agent.stream(_ask(), config, stream_mode="messages")]
        return what("".join(parts))

    return tally(attempt(ask) for _ in range(TIMES))


def sub_agents(guard: Guard) -> str:
    """A supervisor whose tool is an agent; both are guarded."""
    sub = _agent(guard, system_prompt="you are the sub-agent")

    def delegate(task: str) -> str:
        """Hand a task over."""
        return str(sub.invoke({"messages": [("user", task)]}, guard.config)["messages"][-1].text)

    return said(_agent(guard, tools=[delegate]).invoke(_ask(), guard.config))


def retries(guard: Guard) -> str:
    """LangChain's retry middleware around calls whose replies are billed and lost."""
    from langchain.agents.middleware import ModelRetryMiddleware  # noqa: PLC0415 - as above

    again = ModelRetryMiddleware(max_retries=TIMES - 1, initial_delay=0, backoff_factor=0, on_failure="error")
    return said(_agent(guard, tools=[], outside=[again]).invoke(_ask(), guard.config))


def client_retries(guard: Guard) -> str:
    """The same losses, retried inside the client, below everything that LangChain can see."""
    return said(_agent(guard, tools=[], model=guard.model(max_retries=4)).invoke(_ask(), guard.config))


LISTED = (
    Scenario(
        "plain loop",
        "An agent calls a tool in a loop: ten model calls if nothing stops it.",
        plain_loop,
    ),
    Scenario(
        "8-way fan-out",
        "Eight branches start at once by `Send`, with an agent of one call in each.",
        fan_out,
        {"latency": 0.3},
    ),
    Scenario(
        "interrupt and resume",
        "The loop again, interrupted before each tool call and resumed.",
        interrupts,
    ),
    Scenario(
        "streaming cut off",
        "The user asks ten times; each time the connection breaks after 400 of 500 tokens, which are billed.",
        cut_streams,
        {"disconnect_after": 400},
    ),
    Scenario(
        "sub-agent",
        "A supervisor hands over three times to an agent of three calls: 13 calls in all.",
        sub_agents,
    ),
    Scenario(
        "retry",
        "`ModelRetryMiddleware`, ten attempts; every reply is billed and lost on the way.",
        retries,
        {"disconnect_after": 1},
    ),
    Scenario(
        "retry inside the client",
        "The same losses with `ChatOpenAI(max_retries=4)`: five attempts that no hook of LangChain sees.",
        client_retries,
        {"disconnect_after": 1},
    ),
)
SCENARIOS = {scenario.name: scenario for scenario in LISTED}


def _agent(guard: Guard, *, tools: Any = None, outside: Any = (), model: Any = None, **options: Any) -> Any:
    from langchain.agents import create_agent  # noqa: PLC0415 # pyright: ignore[reportUnknownVariableType]  # the host's

    make = cast("Any", create_agent)
    tools = [search] if tools is None else tools
    return make(model or guard.model(), tools, middleware=[*outside, *guard.middleware()], **options)


def _ask() -> dict[str, Any]:
    return {"messages": [("user", ASK)]}


def _calling(tool: str, number: int) -> Mapping[str, Any]:
    arguments = f'{{"{"task" if tool == "delegate" else "query"}": "word"}}'
    function = {"name": tool, "arguments": arguments}
    text = _text("looking", TOKENS - 1 - len(arguments.split()))
    return {"content": text, "tool_calls": [{"id": f"call_{tool}_{number}", "function": function}]}


def _is_sub_agent(body: Mapping[str, Any]) -> bool:
    return "sub-agent" in str(body["messages"][0].get("content"))


def _text(first: str, tokens: int) -> str:
    return " ".join([first, *["word"] * (tokens - 1)])
