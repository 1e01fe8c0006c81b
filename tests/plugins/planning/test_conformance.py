"""Every strategy does what every strategy does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import pytest

from budgetkit.plugins import (
    Auto,
    Bats,
    Bavt,
    BestOfN,
    Majority,
    RandomTree,
    React,
    Sequential,
    Strategy,
    UniformTree,
    Voi,
)
from budgetkit.testing import STRATEGY_PROPERTIES, StrategyProperty

MAKERS: Final[Mapping[str, Callable[[], Strategy]]] = {
    "react": React,
    "react+tracker": lambda: React(tracker=True),
    "sequential": Sequential,
    "uniform": UniformTree,
    "random": RandomTree,
    "another random": lambda: RandomTree(width=2, seed=7),
    "majority": Majority,
    "two chains": lambda: Majority(chains=2, depth=1),
    "best-of-n": BestOfN,
    "best-of-n by value": lambda: BestOfN(by="value"),
    "bats": Bats,
    "bats to the end": lambda: Bats(early_stop=False),
    "bats unverified": lambda: Bats(verifies=False),
    "bats unverified to the end": lambda: Bats(verifies=False, early_stop=False),
    "bats unplanned": lambda: Bats(plans=False, replaces=False, newest_only=False),
    "bavt": Bavt,
    "voi": Voi,
    "auto": Auto,
}


@pytest.mark.parametrize("prop", STRATEGY_PROPERTIES, ids=lambda prop: prop.name)
@pytest.mark.parametrize("name", MAKERS)
def test_a_strategy_keeps_the_property(name: str, prop: StrategyProperty) -> None:
    prop.check(MAKERS[name])


@pytest.mark.parametrize("name", MAKERS)
def test_a_strategy_is_one(name: str) -> None:
    strategy = MAKERS[name]()
    assert isinstance(strategy, Strategy)
    assert strategy == MAKERS[name]()
    assert strategy.name == strategy.name.strip().lower() != ""
