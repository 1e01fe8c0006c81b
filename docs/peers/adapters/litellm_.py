"""LiteLLM's two budgets of the Python library, under LangChain's own wrapper of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from guard import MODEL, Cap, Guard, Row


@contextmanager
def max_budget(url: str, cap: Cap) -> Iterator[Guard]:
    import litellm

    litellm.max_budget = float(cap.usd)
    yield Guard(url, partial(_model, url), recorded=lambda: litellm._current_cost)  # noqa: SLF001 - the only place of it


@contextmanager
def manager(url: str, cap: Cap) -> Iterator[Guard]:
    from litellm import BudgetManager

    books = BudgetManager(project_name="comparison")
    books.create_budget(total_budget=float(cap.usd), user="one")
    yield Guard(
        url,
        partial(_model, url),
        middleware=lambda: [_checked(books)],
        recorded=lambda: books.get_current_cost("one"),
    )


def _model(url: str, max_retries: int = 0) -> Any:
    from langchain_litellm import ChatLiteLLM

    given = {"api_base": url, "api_key": "EMPTY", "model": MODEL, "custom_llm_provider": "openai"}
    return ChatLiteLLM(
        **given,
        max_retries=max_retries,
        model_kwargs={"max_retries": max_retries, "stream_options": {"include_usage": True}},
    )


def _checked(books: Any) -> Any:
    """The documented pattern (check, call, update) around each model call of an agent."""
    from langchain.agents.middleware import wrap_model_call

    @wrap_model_call(name="BudgetManager")
    def check_call_update(request: Any, handler: Callable[[Any], Any]) -> Any:
        if books.get_current_cost("one") > books.get_total_budget("one"):
            raise BudgetSpentError
        response = handler(request)
        asked = " ".join(message.text for message in request.messages)
        books.update_cost("one", model=MODEL, input_text=asked, output_text=response.result[0].text)
        return response

    return check_call_update


class BudgetSpentError(Exception):
    """The caller's own: the manager only keeps count."""


ROWS = [
    Row("litellm", "`BudgetManager`, checked and updated around each call of `ChatLiteLLM`", "usd", manager),
    Row("litellm", "`litellm.max_budget = cap`, `ChatLiteLLM`", "usd", max_budget),
]
