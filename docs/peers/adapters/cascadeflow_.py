"""cascadeflow: a LangChain callback, or a patch of the OpenAI client, both in enforce mode."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from guard import Cap, Guard, Row, openai_model


@contextmanager
def callback(url: str, cap: Cap) -> Iterator[Guard]:
    import cascadeflow
    from cascadeflow.integrations.langchain import get_harness_callback

    cascadeflow.init(mode="enforce", budget=float(cap.usd))
    with cascadeflow.run(budget=float(cap.usd)) as run, get_harness_callback(fail_open=False) as handler:
        config = {"callbacks": [handler]}
        yield Guard(url, partial(openai_model, url), config=config, recorded=lambda: run.cost)


@contextmanager
def patched(url: str, cap: Cap) -> Iterator[Guard]:
    import cascadeflow

    cascadeflow.init(mode="enforce")
    with cascadeflow.run(budget=float(cap.usd)) as run:
        yield Guard(url, partial(openai_model, url), recorded=lambda: run.cost)


ROWS = [
    Row(
        "cascadeflow",
        '`init(mode="enforce")`, `run(budget=cap)`, `get_harness_callback(fail_open=False)`',
        "usd",
        callback,
    ),
    Row("cascadeflow", '`init(mode="enforce")`, `run(budget=cap)`', "usd", patched),
]
