import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from budgetkit.testing import ManualClock


def test_the_clock_stands_still_until_it_is_advanced() -> None:
    clock = ManualClock(start=2.0)
    assert (clock(), clock.now(), clock.now_ms) == (2.0, 2.0, 2000)
    assert clock.advance(0.25) == 2.25
    assert clock.now_ms == 2250


def test_the_clock_does_not_run_backwards() -> None:
    message = "a clock only moves forward: advance(seconds=-1) must be >= 0"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ManualClock().advance(-1)


def test_no_advance_is_lost_between_threads() -> None:
    clock = ManualClock()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(clock.advance, [1.0] * 400))
    assert clock() == 400.0
