"""What the state machine draws from: small amounts, short times and few names, so that they meet often."""

from typing import Final

from hypothesis import strategies as st

from budgetkit import Window

from ._ledger_recount import COUNTS

__all__ = ["EIGHTH", "accounts", "amounts", "ids", "keeps", "leases", "limits", "new_limits", "unknown", "windows"]

EIGHTH: Final = 125_000
"""Microseconds in an eighth of a second: what all times are multiples of, so that floats hold them exactly."""

_seconds = st.integers(0, 12).map(lambda n: n * 1000)

_amount = st.integers(0, 6)

amounts = st.fixed_dictionaries({"llm_calls": _amount}, optional=dict.fromkeys(COUNTS[1:], _amount))
limits = st.fixed_dictionaries({}, optional={**dict.fromkeys(COUNTS, st.integers(0, 12)), "seconds": _seconds})
new_limits = st.fixed_dictionaries(
    {}, optional={**dict.fromkeys(COUNTS, st.none() | st.integers(0, 12)), "seconds": st.none() | _seconds}
)
keeps = st.none() | st.fixed_dictionaries(
    {}, optional={**dict.fromkeys(("llm_calls", "usd"), st.integers(0, 4)), "seconds": _seconds}
)
ids = st.none() | st.sampled_from(["a", "b", "a@1"])
leases = st.integers(1, 80).map(lambda n: n * EIGHTH)
unknown = st.frozensets(st.sampled_from(COUNTS), max_size=2)
windows = st.none() | st.sampled_from([
    Window.hour(), Window.day("Europe/Berlin"), Window.week(), Window.month("Europe/Berlin"), Window.sliding(6),
    Window.sliding(7),
])  # fmt: skip
accounts = st.integers(0, 11)
"""Which of the accounts that are open, or of the calls that were made: its number, going round."""
