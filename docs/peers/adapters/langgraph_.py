"""LangGraph's recursion limit: supersteps, of which a call and its tools are two."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from guard import Cap, Guard, Row, openai_model


@contextmanager
def recursion(url: str, cap: Cap) -> Iterator[Guard]:
    yield Guard(url, partial(openai_model, url), config={"recursion_limit": 2 * cap.calls})


ROWS = [Row("langgraph", "`recursion_limit=6`", "calls", recursion)]
