"""agentbudget: a LangChain callback, or a patch of the OpenAI client."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from guard import Cap, Guard, Row, openai_model


@contextmanager
def callback(url: str, cap: Cap) -> Iterator[Guard]:
    from agentbudget.integrations.langchain import LangChainBudgetCallback

    with LangChainBudgetCallback(budget=float(cap.usd)) as handler:
        config = {"callbacks": [handler]}
        yield Guard(url, partial(openai_model, url), config=config, recorded=lambda: handler.session.spent)


@contextmanager
def drop_in(url: str, cap: Cap) -> Iterator[Guard]:
    import agentbudget

    agentbudget.init(float(cap.usd))
    try:
        yield Guard(url, partial(openai_model, url), recorded=agentbudget.spent)
    finally:
        agentbudget.teardown()


ROWS = [
    Row("agentbudget", "`LangChainBudgetCallback(budget=cap)`", "usd", callback),
    Row("agentbudget", "`agentbudget.init(cap)`", "usd", drop_in),
]
