"""What the walk over a graph finds: who holds a step, or what it may cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ._certify_amounts import FREE, Cost, Most, is_metered, times

__all__ = ["Count", "Gated", "Held", "Holder", "Loose", "Step", "loose_cost"]


@dataclass(frozen=True, slots=True)
class Count:
    """How often something runs at most, and why."""

    most: Most
    why: str

    def times(self, count: Count) -> Count:
        """Something that runs so often in each of so many runs of its graph."""
        if count.most == 1:
            return self
        if self.most == 1:
            return count
        why = self.why if self.most is None else count.why if count.most is None else f"{self.why}; {count.why}"
        return Count(times(self.most, count.most), why)


@dataclass(frozen=True, slots=True)
class Holder:
    """A plug-in that sets the worst case of a call aside before it is made, or refuses it.

    Attributes:
        key: tells apart what has accounts of its own: two plug-ins, or one per run in two graphs.
        name: what people read.
        limits: those of its own budget, in whole units.
        accounts: how many accounts with these limits one run may open.
    """

    key: tuple[int, str]
    name: str
    limits: Mapping[str, int] = field(hash=False, compare=False)
    accounts: Most

    def most(self, resource: str) -> Most:
        """What its own budget lets through."""
        return times(self.limits.get(resource), self.accounts)


@dataclass(frozen=True, slots=True)
class Held:
    """A step whose every call is set aside whole: model calls, or tool calls."""

    path: str
    holder: Holder
    calls: Literal["model", "tool"]

    def spends(self, resource: str) -> bool:
        """Whether it may use this resource."""
        if resource in {"usd", "seconds"}:
            return True
        return is_metered(resource) == (self.calls == "model")


@dataclass(frozen=True, slots=True)
class Loose:
    """A step that nothing holds.

    Attributes:
        path: where it is.
        cost: of one execution.
        count: how often it is executed.
        why: how its cost is known, or why it is not.
    """

    path: str
    cost: Cost
    count: Count
    why: str

    def most(self, resource: str) -> Most:
        """What all executions together may cost."""
        return times(self.cost.of(resource), self.count.most)


@dataclass(frozen=True, slots=True)
class Gated:
    """A node on `budgeted`: it does not start when nothing is left, and sets something aside before it does.

    Attributes:
        path: where it is.
        holder: whose budget it is.
        aside: what is set aside for one execution, in whole units.
        count: how often it is executed.
        at_once: how many executions may be under way at the same time.
        inside: what one execution does, as far as nothing inside holds it.
    """

    path: str
    holder: Holder
    aside: Mapping[str, int]
    count: Count
    at_once: Most
    inside: tuple[Loose, ...]

    def cost(self, resource: str) -> Most:
        """The most that one execution costs."""
        return loose_cost(self.inside).of(resource)


Step = Held | Loose | Gated


def loose_cost(steps: tuple[Loose, ...]) -> Cost:
    """What these steps cost together, each as often as it is executed."""
    return sum((step.cost.times(step.count.most) for step in steps), FREE)
