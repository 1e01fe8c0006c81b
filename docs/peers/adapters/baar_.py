"""baar-core: a callback on the model that reserves before each call."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from guard import Cap, Guard, Row, openai_model


@contextmanager
def callback(url: str, cap: Cap) -> Iterator[Guard]:
    from baar import BAARRouter
    from baar.integrations.langchain import BaarCallbackHandler

    router = BAARRouter(budget=float(cap.usd))
    handler = BaarCallbackHandler(router)
    yield Guard(url, partial(openai_model, url, callbacks=[handler]), recorded=lambda: router.spent)


ROWS = [Row("baar-core", "`ChatOpenAI(callbacks=[BaarCallbackHandler(BAARRouter(budget=cap))])`", "usd", callback)]
