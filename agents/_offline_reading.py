"""What the offline model makes of a conversation: the question, what was searched and found, a tool to search with."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from budgetkit.plugins import (
    Passage,
    SearchTool,
    extract_answer,
    next_queries,
    pick_search_tool,
    read_passages,
    uncovered_terms,
)

__all__ = ["Conversation", "answer", "find_search_tool", "next_search", "read_conversation"]

MAX_SEARCHES: Final = 6
"""After so many searches the model answers: its own weak judgement, whatever the budget."""

_NOTHING: Final = "Nothing that was found answers this."
_FINDINGS: Final = re.compile(r"^Question:(?P<question>.*?)^Findings:(?P<found>.*)", re.MULTILINE | re.DOTALL)
_NOT_FOUND: Final = re.compile(r"^(?:[\w.-]+ \{.*\}:|(?:user|assistant): .*|Answer:|\(none\))[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Conversation:
    """A conversation as the offline model understands it."""

    question: str
    passages: tuple[Passage, ...] = ()
    searched: tuple[str, ...] = ()
    failures: int = 0
    must_answer: bool = False


def read_conversation(messages: Sequence[BaseMessage]) -> Conversation:
    """Read the last question of a person and all that was searched and found since.

    A message with ``Question:`` and ``Findings:`` asks for the final answer, and holds all that it rests on.
    """
    start = _question_at(messages)
    text = messages[start].text if messages else ""
    asked_to_end = _FINDINGS.search(text)
    if asked_to_end:
        found = read_passages(_NOT_FOUND.sub("", asked_to_end["found"]))
        return Conversation(asked_to_end["question"].strip(), _distinct(found), must_answer=True)
    since = messages[start:]
    results = [message for message in since if isinstance(message, ToolMessage)]
    found = [passage for m in results if m.status != "error" for passage in read_passages(m.text)]
    calls = [call for message in since if isinstance(message, AIMessage) for call in message.tool_calls]
    return Conversation(
        question=text,
        passages=_distinct(found),
        searched=tuple(query for call in calls for query in _texts(call["args"])),
        failures=sum(message.status == "error" for message in results),
    )


def next_search(conversation: Conversation) -> str | None:
    """What to search for next; None when it is time to answer."""
    enough = len(conversation.searched) > 1 and not uncovered_terms(conversation.question, conversation.passages)
    spent = len(conversation.searched) >= MAX_SEARCHES or conversation.failures > 1
    if enough or spent or conversation.must_answer:
        return None
    queries = next_queries(conversation.question, conversation.passages, conversation.searched)
    return queries[0] if queries else None


def answer(conversation: Conversation) -> str:
    """The short answer that the passages give, in one line."""
    text = extract_answer(conversation.question, conversation.passages)
    return " ".join(text.split()) or _NOTHING


def find_search_tool(schemas: Sequence[Mapping[str, Any]]) -> SearchTool | None:
    """The tool to search with, among schemas as they are bound to a model."""
    functions: list[Mapping[str, Any]] = [schema.get("function", {}) for schema in schemas]
    return pick_search_tool({str(f["name"]): f.get("parameters", {}) for f in functions if "name" in f})


def _question_at(messages: Sequence[BaseMessage]) -> int:
    """Where the question stands: the last message of a person that asks, else the last before any tool's result."""
    people = [i for i, message in enumerate(messages) if isinstance(message, HumanMessage)]
    asking = [i for i in people if "?" in messages[i].text or _FINDINGS.search(messages[i].text)]
    result = next((i for i, message in enumerate(messages) if isinstance(message, ToolMessage)), len(messages))
    before = [i for i in people if i < result]
    return (asking or before or people or [0])[-1]


def _texts(args: Mapping[str, Any]) -> list[str]:
    """The texts among a call's arguments, and in lists among them."""
    lists: list[list[object]] = [value if isinstance(value, list) else [value] for value in args.values()]
    return [value for values in lists for value in values if isinstance(value, str)]


def _distinct(passages: Sequence[Passage]) -> tuple[Passage, ...]:
    return tuple(dict.fromkeys(passages))
