from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING

import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata

from budgetkit.evals import Audit, Corpus, search_tool
from budgetkit.evals import Passage as CorpusPassage
from budgetkit.plugins import Found, Passage

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

USAGE = UsageMetadata(input_tokens=7, output_tokens=3, total_tokens=10)


def found(title: str) -> Found:
    return Found("?", (Passage(title, "A town."),))


def listening(audit: Audit) -> RunnableConfig:
    return {"callbacks": [audit]}


def test_model_calls_are_counted_with_the_usage_that_their_answers_bring() -> None:
    model = GenericFakeChatModel(messages=iter([AIMessage("a", usage_metadata=USAGE)] * 2))
    audit = Audit()
    model.invoke("?", listening(audit))
    model.invoke("?", listening(audit))

    assert audit.counts == {"input_tokens": 14, "llm_calls": 2, "output_tokens": 6, "total_tokens": 20}


def test_tokens_are_unknown_when_one_answer_came_without_usage() -> None:
    model = GenericFakeChatModel(messages=iter([AIMessage("a", usage_metadata=USAGE), AIMessage("b")]))
    audit = Audit()
    model.invoke("?", listening(audit))
    model.invoke("?", listening(audit))

    assert audit.counts == {"llm_calls": 2}


def test_a_call_that_failed_was_made_and_its_tokens_are_unknown() -> None:
    model = GenericFakeChatModel(messages=iter([AIMessage("a", usage_metadata=USAGE)]))
    audit = Audit()
    model.invoke("?", listening(audit))
    with pytest.raises(StopIteration):
        model.invoke("?", listening(audit))

    assert audit.counts == {"llm_calls": 2}


def test_tools_find_the_audit_in_threads_that_copy_the_context() -> None:
    search = search_tool(Corpus([CorpusPassage("Quell", "A town.")]))
    with Audit() as audit, ThreadPoolExecutor(4) as pool:
        for _ in range(8):
            pool.submit(copy_context().run, search.invoke, {"query": "town"}).result()

    assert audit.counts == {"tool:search": 8, "tool_calls": 8}


def test_parallel_tool_calls_are_all_counted() -> None:
    audit = Audit()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(audit.tool_called, ["search"] * 500, (found(f"T{i}") for i in range(500))))

    assert audit.counts["tool:search"] == 500
    assert len(audit.titles) == 500


def test_what_the_tools_showed_is_kept_in_order_with_the_query_that_brought_it() -> None:
    search = search_tool(Corpus([CorpusPassage("Quell", "A town."), CorpusPassage("Aun", "A river.")]))
    with Audit() as audit:
        for query in ("river", "town", "xylophone"):
            search.invoke({"query": query})

    assert audit.found == [
        Found("river", (Passage("Aun", "A river."),)),
        Found("town", (Passage("Quell", "A town."),)),
        Found("xylophone", ()),
    ]
    assert audit.titles == {"Aun", "Quell"}
