"""The frontier is a dict and a sort, only faster."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

Frontier: Any = import_module("budgetkit.plugins._planning._frontier").Frontier
nodes, worths = st.integers(0, 20), st.integers(100, 106)


class AgainstADict(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.frontier = Frontier()
        self.known: dict[int, int] = {}

    @rule(node=nodes, worth=worths)
    def put(self, node: int, worth: int) -> None:
        self.frontier.put(node, worth)
        self.known[node] = worth

    @rule(node=nodes)
    def drop(self, node: int) -> None:
        self.frontier.drop(node)
        self.known.pop(node, None)

    @invariant()
    def it_holds_the_same_nodes(self) -> None:
        assert list(self.frontier) == sorted(self.known)
        assert len(self.frontier) == len(self.known)
        assert all((node in self.frontier) == (node in self.known) for node in range(-1, 22))

    @invariant()
    def its_rows_are_those_of_a_sort(self) -> None:
        by_worth = {worth: sorted(n for n in self.known if self.known[n] == worth) for worth in self.known.values()}
        assert self.frontier.rows() == [(worth, len(by_worth[worth])) for worth in sorted(by_worth, reverse=True)]
        for worth, row in by_worth.items():
            assert [self.frontier.at(worth, place) for place in range(len(row))] == row

    @invariant()
    def its_ends_are_those_of_a_sort(self) -> None:
        best = min(self.known, key=lambda node: (-self.known[node], node), default=None)
        assert self.frontier.best() == best
        assert self.frontier.oldest() == min(self.known, default=None)


TestAgainstADict = AgainstADict.TestCase


@given(st.dictionaries(nodes, worths), st.data())
def test_its_order_is_that_of_the_numbers_and_not_of_the_history(worth: dict[int, int], data: st.DataObject) -> None:
    one, other = Frontier(), Frontier()
    for node, at in worth.items():
        one.put(node, at)
    for node in data.draw(st.permutations(list(worth))):
        other.put(node, data.draw(worths))
    for node in data.draw(st.permutations(list(worth))):
        other.put(node, worth[node])

    assert one.rows() == other.rows()
    assert [one.at(at, i) for at, n in one.rows() for i in range(n)] == [
        other.at(at, i) for at, n in other.rows() for i in range(n)
    ]


def test_there_is_no_node_where_there_is_none() -> None:
    frontier = Frontier()
    frontier.drop(3)
    assert (frontier.best(), frontier.oldest(), frontier.rows(), len(frontier), "0" in frontier) == (
        None, None, [], 0, False
    )  # fmt: skip
    with pytest.raises(KeyError):
        frontier.at(300, 0)
