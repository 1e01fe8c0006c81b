"""`LedgerProperty`: one thing that every ledger does, as a sentence and as a check."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from unittest import SkipTest

from ._ledger_home import LedgerHome

__all__ = ["LedgerProperty", "Needs", "holds"]

Needs = Literal["shared", "store_clock", "durable", "journal", "crowds"]
_WHY_NOT = {
    "crowds": "its ledgers are used by one caller at a time",
    "shared": "its books have one client",
    "store_clock": "its time is the client's",
    "journal": "it keeps no journal",
    "durable": "its books end with their client",
}


@dataclass(frozen=True, slots=True)
class LedgerProperty:
    """One thing that every ledger does.

    Attributes:
        group: the rule of the books (``rule 1`` to ``rule 8``) or the concern (``windows``, ``two clients``, ...).
        sentence: what holds.
        run: the check itself, on a home.
        needs: the attributes of a home that say whether it applies.
    """

    group: str
    sentence: str
    run: Callable[[LedgerHome], None]
    needs: tuple[Needs, ...] = ()

    @property
    def name(self) -> str:
        """Short and stable, such as ``a_refusal_changes_nothing``."""
        return self.run.__name__

    def lacking(self, home: LedgerHome) -> str | None:
        """Why it does not apply to this home; None: it does."""
        missing = [_WHY_NOT[need] for need in self.needs if not getattr(home, need)]
        return f"{self}: {home} says that {missing[0]}" if missing else None

    def check(self, home: LedgerHome) -> None:
        """Check it on fresh books of this home, and put them away.

        Raises:
            AssertionError: it does not hold; the message says what was done, found and expected.
            unittest.SkipTest: it does not apply to this home (pytest reports it as skipped).
        """
        if lacking := self.lacking(home):
            raise SkipTest(lacking)
        try:
            self.run(home)
        except AssertionError as broken:
            broken.add_note(f"This breaks {self}")
            raise
        finally:
            home.close()

    def __str__(self) -> str:
        return f"{self.group}: {self.sentence}"


def holds(group: str, sentence: str, *needs: Needs) -> Callable[[Callable[[LedgerHome], None]], LedgerProperty]:
    """Make a property of a check."""
    return lambda run: LedgerProperty(group, sentence, run, needs)
