"""The conformance suite for strategies: every property, and a report over them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from . import _strategies_asking, _strategies_ending, _strategies_telling
from ._strategies_property import MakeStrategy, StrategyProperty

__all__ = ["STRATEGY_PROPERTIES", "StrategyFinding", "StrategyReport", "check_strategy"]

STRATEGY_PROPERTIES: Final = tuple(
    found
    for module in (_strategies_asking, _strategies_telling, _strategies_ending)
    for found in vars(module).values()
    if isinstance(found, StrategyProperty)
)
"""What every strategy does, one sentence each; ``prop.check(make)`` for each is the suite."""


@dataclass(frozen=True, slots=True)
class StrategyFinding:
    """What came of one property of one strategy.

    Attributes:
        prop: the property.
        broken: what went wrong; None: it holds.
    """

    prop: StrategyProperty
    broken: Exception | None = None

    @property
    def held(self) -> bool:
        """Whether nothing went wrong."""
        return self.broken is None

    def __str__(self) -> str:
        if self.broken is None:
            return f"held: {self.prop}"
        return f"BROKEN: {self.prop}\n  {type(self.broken).__name__}: {self.broken}"


@dataclass(frozen=True, slots=True)
class StrategyReport:
    """What came of all properties of one strategy; prints what is broken.

    Attributes:
        strategy: its name.
        findings: one per property.
    """

    strategy: str
    findings: tuple[StrategyFinding, ...]

    @property
    def broken(self) -> tuple[StrategyFinding, ...]:
        """What does not hold."""
        return tuple(found for found in self.findings if not found.held)

    @property
    def held(self) -> bool:
        """Whether all of it holds."""
        return not self.broken

    def __str__(self) -> str:
        n = len(self.findings)
        return "\n".join([f"{self.strategy}: {n - len(self.broken)} of {n} properties hold", *map(str, self.broken)])


def check_strategy(make: MakeStrategy, properties: Iterable[StrategyProperty] = STRATEGY_PROPERTIES) -> StrategyReport:
    """Check every property of a strategy; whatever it raises is in the report.

    Args:
        make: makes the strategy, always the same: ``Bats``, or ``lambda: Bats(early_stop=False)``.
        properties: which ones.
    """
    return StrategyReport(make().name, tuple(_finding(prop, make) for prop in properties))


def _finding(prop: StrategyProperty, make: MakeStrategy) -> StrategyFinding:
    with _Catch() as caught:
        prop.check(make)
    return StrategyFinding(prop, caught.error)


class _Catch:
    """Holds the error that ends a check: of a strategy that is wrong, it can be any."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        self.error = error if isinstance(error, Exception) else None
        return self.error is not None
