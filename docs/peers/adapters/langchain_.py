"""LangChain's own limit middlewares, per run and per thread."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from guard import Cap, Guard, Row, openai_model


@contextmanager
def model_calls(url: str, cap: Cap) -> Iterator[Guard]:
    from langchain.agents.middleware import ModelCallLimitMiddleware

    limit = partial(ModelCallLimitMiddleware, run_limit=cap.calls, thread_limit=cap.calls, exit_behavior="end")
    yield Guard(url, partial(openai_model, url), middleware=lambda: [limit()])


@contextmanager
def tool_calls(url: str, cap: Cap) -> Iterator[Guard]:
    from langchain.agents.middleware import ToolCallLimitMiddleware

    tools = cap.calls - 1  # two tool results are three model calls
    limit = partial(ToolCallLimitMiddleware, run_limit=tools, thread_limit=tools, exit_behavior="end")
    yield Guard(url, partial(openai_model, url), middleware=lambda: [limit()])


ROWS = [
    Row(
        "langchain",
        '`ModelCallLimitMiddleware(run_limit=3, thread_limit=3, exit_behavior="end")`',
        "calls",
        model_calls,
    ),
    Row(
        "langchain", '`ToolCallLimitMiddleware(run_limit=2, thread_limit=2, exit_behavior="end")`', "calls", tool_calls
    ),
]
