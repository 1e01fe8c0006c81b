"""shekel: a `with` block that patches the clients inside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from guard import Cap, Guard, Row, openai_model


@contextmanager
def of_calls(url: str, cap: Cap) -> Iterator[Guard]:
    yield from _guarded(url, max_llm_calls=cap.calls)


@contextmanager
def of_dollars(url: str, cap: Cap) -> Iterator[Guard]:
    yield from _guarded(url, max_usd=float(cap.usd))


def _guarded(url: str, **limits: Any) -> Iterator[Guard]:
    from shekel import budget

    with budget(**limits) as run:
        yield Guard(url, partial(openai_model, url), recorded=lambda: run.spent)


ROWS = [
    Row("shekel", "`with budget(max_llm_calls=3)`", "calls", of_calls),
    Row("shekel", "`with budget(max_usd=cap)`", "usd", of_dollars),
]
