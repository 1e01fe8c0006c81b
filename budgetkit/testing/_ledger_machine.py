"""Any operations in any order: after each, a ledger says what the brute-force recount says."""

from collections.abc import Callable
from typing import Final
from unittest import TestCase

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from budgetkit import verify

from ._ledger_checks import same
from ._ledger_compare import compare
from ._ledger_home import LedgerHome
from ._ledger_moves_accounts import AccountMoves
from ._ledger_moves_calls import CallMoves

__all__ = ["check_machine", "ledger_machine"]


_SLOW: Final = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
"""What Hypothesis may not complain of: a store is slower than a list."""


class LedgerMachine(AccountMoves, CallMoves):
    """Every move, and what holds after it."""

    @invariant()
    def the_books_are_the_recount(self) -> None:
        """Every balance, every mark, and every charge once."""
        if self.recount.accounts:
            compare(self.ledger, self.recount)

    def teardown(self) -> None:
        """Replay the journal of the whole history, where there is one."""
        try:
            if self.home.journal:
                same("where the journal and the balances differ", verify(self.callers[0]).differences, ())
        finally:
            super().teardown()


def ledger_machine(
    home: Callable[[], LedgerHome], *, examples: int = 50, steps: int = 30, shortest: bool = True
) -> type[TestCase]:
    """A test case that does anything in any order, and compares a ledger with a brute-force recount after each step.

    ```python
    TestMyLedger = ledger_machine(MyHome)
    ```

    Args:
        home: makes a home; called once an example.
        examples: how many histories are tried. What else Hypothesis can be told is taken from the loaded profile.
        steps: operations in a history, at most.
        shortest: of a history that shows a difference, look for the shortest, which takes a while.
    """
    case: type[TestCase] = _machine(home).TestCase
    case.settings = _settings(examples, steps, shortest=shortest)  # type: ignore[attr-defined]  # hypothesis gives it
    return case


def check_machine(
    home: Callable[[], LedgerHome], *, examples: int = 50, steps: int = 30, shortest: bool = True
) -> None:
    """Run what `ledger_machine` makes, without a test runner.

    Raises:
        AssertionError: the ledger and the recount differ; the notes have a history that shows it.
    """
    run_state_machine_as_test(_machine(home), settings=_settings(examples, steps, shortest=shortest))


def _machine(home: Callable[[], LedgerHome]) -> type[LedgerMachine]:
    return type("LedgerMachine", (LedgerMachine,), {"make_home": staticmethod(home)})


def _settings(examples: int, steps: int, *, shortest: bool) -> settings:
    chosen = settings(max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=_SLOW)
    return chosen if shortest else settings(chosen, phases=[Phase.generate], database=None)
