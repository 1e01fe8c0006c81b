import threading
from contextvars import ContextVar
from importlib import import_module
from typing import Any

import pytest

# Private, so that type checkers, who see the package through its door, cannot follow an import.
HANDS: Any = import_module("budgetkit.plugins._hands")
WHO: ContextVar[str] = ContextVar("who")


def test_a_call_is_made_on_another_thread_in_the_callers_context() -> None:
    WHO.set("the caller")
    thread, who = HANDS.Hands().do(10, lambda: (threading.get_ident(), WHO.get()))
    assert thread != threading.get_ident()
    assert who == "the caller"


def test_a_thread_is_used_again() -> None:
    hands = HANDS.Hands()
    assert len({hands.do(10, threading.get_ident) for _ in range(5)}) == 1


def test_what_a_call_raises_is_raised_to_the_caller() -> None:
    hands = HANDS.Hands()
    with pytest.raises(ZeroDivisionError):
        hands.do(10, lambda: 1 / 0)
    assert hands.do(10, lambda: "well") == "well"


def test_a_call_inside_a_call_has_a_thread_of_its_own() -> None:
    hands = HANDS.Hands()
    outer, inner = hands.do(10, lambda: (threading.get_ident(), hands.do(10, threading.get_ident)))
    assert outer != inner


@pytest.mark.parametrize("seconds", [0.01, 0, -1])
def test_a_call_that_is_late_is_left_behind_and_its_thread_ends(seconds: float) -> None:
    hands, began, go = HANDS.Hands(), threading.Event(), threading.Event()
    late: list[threading.Thread] = []

    def wait() -> None:
        late.append(threading.current_thread())
        began.set()
        go.wait(10)

    with pytest.raises(HANDS.OutOfTime):
        hands.do(seconds, wait)
    assert hands.do(10, lambda: "another") == "another"
    assert began.wait(10)
    go.set()
    late[0].join(10)
    assert not late[0].is_alive()


def test_a_thread_that_waits_too_long_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HANDS, "_IDLE_SECONDS", 0.01)
    hands = HANDS.Hands()
    thread = hands.do(10, threading.current_thread)
    thread.join(10)
    assert not thread.is_alive()
    assert hands.do(10, lambda: "another") == "another"


def test_a_time_beyond_what_a_lock_can_wait_is_no_error() -> None:
    assert HANDS.Hands().do(1e30, lambda: "soon") == "soon"
