"""The conformance suite for ledgers: every property, and a report over them."""

from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self
from unittest import SkipTest

from . import (
    _ledger_clients,
    _ledger_closed,
    _ledger_crowd,
    _ledger_limits,
    _ledger_once,
    _ledger_rules,
    _ledger_shares,
    _ledger_time,
    _ledger_windows,
)
from ._ledger_home import LedgerHome
from ._ledger_property import LedgerProperty

__all__ = ["LEDGER_PROPERTIES", "LedgerFinding", "LedgerReport", "check_ledger", "check_property"]

LEDGER_PROPERTIES: Final = tuple(
    found
    for module in (
        _ledger_rules,
        _ledger_once,
        _ledger_shares,
        _ledger_closed,
        _ledger_limits,
        _ledger_time,
        _ledger_windows,
        _ledger_clients,
        _ledger_crowd,
    )
    for found in vars(module).values()
    if isinstance(found, LedgerProperty)
)
"""What every ledger does, one sentence each; ``prop.check(home)`` for each is the suite."""


@dataclass(frozen=True, slots=True)
class LedgerFinding:
    """What came of one property on one home.

    Attributes:
        prop: the property.
        broken: what went wrong; None: it holds, or does not apply.
        skipped: why it does not apply; None: it was checked.
    """

    prop: LedgerProperty
    broken: Exception | None = None
    skipped: str | None = None

    @property
    def held(self) -> bool:
        """Whether nothing went wrong."""
        return self.broken is None

    def __str__(self) -> str:
        if self.broken is None:
            return f"{'held' if self.skipped is None else 'does not apply'}: {self.prop}"
        notes = "".join(f"\n  {note}" for note in getattr(self.broken, "__notes__", ()))
        return f"BROKEN: {self.prop}\n  {type(self.broken).__name__}: {self.broken}{notes}"


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """What came of all properties on one home; prints what is broken.

    Attributes:
        home: the home's name.
        findings: one per property.
    """

    home: str
    findings: tuple[LedgerFinding, ...]

    @property
    def broken(self) -> tuple[LedgerFinding, ...]:
        """What does not hold."""
        return tuple(found for found in self.findings if not found.held)

    @property
    def held(self) -> bool:
        """Whether all of it holds."""
        return not self.broken

    def __str__(self) -> str:
        checked = [found for found in self.findings if found.skipped is None]
        head = f"{self.home}: {len(checked) - len(self.broken)} of {len(checked)} properties hold"
        return "\n".join([head, *map(str, self.broken)])


def check_ledger(home: LedgerHome, properties: Iterable[LedgerProperty] = LEDGER_PROPERTIES) -> LedgerReport:
    """Check every property on a home; whatever it raises is in the report."""
    return LedgerReport(str(home), tuple(check_property(prop, home) for prop in properties))


def check_property(prop: LedgerProperty, home: LedgerHome) -> LedgerFinding:
    """Check one property on a home; whatever it raises is in the finding."""
    with _Catch() as caught:
        prop.check(home)
    if isinstance(caught.error, SkipTest):
        return LedgerFinding(prop, skipped=str(caught.error))
    return LedgerFinding(prop, caught.error)


class _Catch:
    """Holds the error that ends a check: of a ledger that is wrong, it can be any."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        self.error = error if isinstance(error, Exception) else None
        return self.error is not None
