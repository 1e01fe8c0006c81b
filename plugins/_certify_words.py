"""The certificate, and how it reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from budgetkit import Amount, Budget

__all__ = ["Certificate", "Unbounded"]


@dataclass(frozen=True, slots=True)
class Unbounded:
    """A place of the graph that nothing bounds.

    Attributes:
        node: its path, ``outer/inner``; a tool is ``tools/search``, a middleware ``model/Name``.
        resources: the limited resources that it can use without end.
        reason: why nothing bounds it, and what to do where there is something.
    """

    node: str
    resources: tuple[str, ...]
    reason: str

    def __str__(self) -> str:
        return f"{self.node} ({', '.join(self.resources)}): {self.reason}"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What one run of a graph can cost at most, and why.

    Attributes:
        budget: the limits that were asked about.
        worst: the worst case per resource, as the budget writes it (dollars and seconds as ``Decimal``); None where
            nothing bounds it.
        sources: per bounded resource, what bounds it.
        unbounded: the places that nothing bounds, for the resources that the budget limits.
        proof: what bounds each place.
        assumptions: what the proof takes for granted.
        caveats: what may go over a limit although it is held.
    """

    budget: Budget
    worst: Mapping[str, Amount | None]
    sources: Mapping[str, str]
    unbounded: tuple[Unbounded, ...]
    proof: tuple[str, ...]
    assumptions: tuple[str, ...]
    caveats: tuple[str, ...]

    @property
    def bounded(self) -> bool:
        """Whether every resource that the budget limits has a worst case."""
        return not self.unbounded

    @property
    def over(self) -> tuple[str, ...]:
        """The resources that have a worst case, and it is more than the budget's limit."""
        limits = self.budget.limits
        return tuple(name for name, limit in limits.items() if (most := self.worst[name]) is not None and most > limit)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield self._verdict()
        yield from self._worst()
        yield from _listed("Nothing bounds", tuple(map(str, self.unbounded)))
        yield from _listed("What bounds each place", self.proof)
        yield from _listed("Taken for granted", self.assumptions)
        yield from _listed("What can still go over a limit", self.caveats)

    def _verdict(self) -> str:
        if not self.bounded:
            places = "1 place" if len(self.unbounded) == 1 else f"{len(self.unbounded)} places"
            return f"NOT BOUNDED: nothing bounds {places} of this graph."
        if self.over:
            return f"BOUNDED, but the worst case is more than the limit of {', '.join(self.over)}."
        return "BOUNDED: one run costs no more than the budget allows."

    def _worst(self) -> Iterator[str]:
        yield "\nWorst case of one run:"
        names = [name for name, most in self.worst.items() if most is not None or name in self.budget.limits]
        wide = max(map(len, names))
        for name in names:
            most, source = self.worst[name], self.sources.get(name, "nothing bounds it")
            yield f"  {name:<{wide}}  {'?' if most is None else most:>8}  {source}"
        rest = [name for name in self.worst if name not in names]
        if rest:
            yield f"  not limited, and not bounded: {', '.join(rest)}"


def _listed(title: str, lines: tuple[str, ...]) -> Iterator[str]:
    if lines:
        yield f"\n{title}:"
        yield from (f"  - {line}" for line in lines)
