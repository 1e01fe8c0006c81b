"""The worst case of a whole run: what each holder lets through, and what nothing holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

from ._certify_amounts import Most, is_metered, least, plus, times
from ._certify_steps import Gated, Held, Holder, Loose, Step

__all__ = ["Blame", "Sum"]

_BUILT_IN: Final = ("usd", "input_tokens", "output_tokens", "total_tokens", "llm_calls", "tool_calls", "seconds")


@dataclass(frozen=True, slots=True)
class Blame:
    """A step for which a resource has no bound."""

    path: str
    why: str


@final
class Sum:
    """All steps of a run together.

    Args:
        steps: what the walk found.
        limits: those of the budget whose open scope the run is in, in whole units.
    """

    def __init__(self, steps: Sequence[Step], limits: Mapping[str, int]) -> None:
        self._held = [step for step in steps if isinstance(step, Held)]
        self._gated = [step for step in steps if isinstance(step, Gated)]
        self._loose = [step for step in steps if isinstance(step, Loose)]
        self.limits = limits

    def worst(self, resource: str) -> Most:
        """The most of one resource that the run can cost, in whole units; None if nothing bounds it."""
        return plus(self.held(resource), self.loose(resource))

    def held(self, resource: str) -> Most:
        """The part of it that plug-ins hold."""
        over = plus(*(self.over(step, resource) for step in self._gated))
        return least(self.alone(resource), plus(self.limits.get(resource), over))

    def loose(self, resource: str) -> Most:
        """The part of it that no plug-in holds."""
        return plus(*(step.most(resource) for step in self._loose))

    def alone(self, resource: str) -> Most:
        """What the holders let through by their own budgets, without any open scope around them."""
        holders = {step.holder.key: step.holder for step in self._held if step.spends(resource)}
        return plus(
            *(holder.most(resource) for holder in holders.values()),
            *(self._gated_alone(step, resource) for step in self._gated),
        )

    def _gated_alone(self, step: Gated, resource: str) -> Most:
        own = plus(step.holder.most(resource), self.over(step, resource))
        return own if resource == "seconds" else least(own, times(step.cost(resource), step.count.most))

    def over(self, step: Gated, resource: str) -> Most:
        """How far a node on `budgeted` can go over a limit.

        Only the executions under way when the last one was let in can: each by what it costs beyond what was set
        aside. No more are under way than the graph runs at once, or than the limit has room for. What no scope meters
        (tool calls that a node makes by itself) keeps nothing from starting.
        """
        if resource == "seconds":
            return 0  # a node that is late is not waited for
        cost, aside = step.cost(resource), step.aside.get(resource, 0)
        if not is_metered(resource):
            return times(cost, step.count.most)
        beyond = None if cost is None else max(0, cost - aside)
        limit = least(self.limits.get(resource), step.holder.limits.get(resource))
        room = limit // aside if limit is not None and aside else None
        return times(beyond, least(step.at_once, room, step.count.most))

    def blamed(self, resource: str) -> Iterator[Blame]:
        """The steps for which this resource has no bound."""
        for step in self._loose:
            if step.most(resource) is None:
                yield Blame(step.path, _why(step, resource))
        for gated in self._gated:
            if (
                plus(self.over(gated, resource), least(self.limits.get(resource), self._gated_alone(gated, resource)))
                is None
            ):
                yield from _inside(gated, resource)

    def alone_holds(self) -> bool:
        """Whether the holders' own budgets are enough, so that it takes no open scope around the run."""
        own = [(self.alone(name), limit) for name, limit in self.limits.items()]
        return all(most is not None and most <= limit for most, limit in own)

    def resources(self) -> tuple[str, ...]:
        """Everything that a budget can limit here."""
        named = [name for step in self._loose for name in step.cost.named]
        return tuple(dict.fromkeys((*_BUILT_IN, *self.limits, *named)))

    def holders(self) -> dict[tuple[int, str], Holder]:
        """Everybody who holds something."""
        steps: list[Held | Gated] = [*self._held, *self._gated]
        return {step.holder.key: step.holder for step in steps}


def _why(step: Loose, resource: str) -> str:
    """What keeps a step from being bounded: what it costs, or how often it is executed."""
    if step.cost.of(resource) is None:
        return step.why
    return f"{step.why}; {step.count.why}"


def _inside(gated: Gated, resource: str) -> Iterator[Blame]:
    """What a node on `budgeted` cannot hold, by the part of it that is to blame."""
    aside = ", ".join(f"{name}={n}" for name, n in gated.aside.items())
    gate = f"`budgeted` sets {aside} aside and does not start it when nothing is left, but cannot stop it once it runs"
    open_ended = [step for step in gated.inside if step.most(resource) is None]
    for step in open_ended:
        yield Blame(step.path, f"{step.why}; {gate}")
    if not open_ended:
        yield Blame(
            gated.path, f"it costs more than `budgeted` sets aside ({aside}), as often as it runs; {gated.count.why}"
        )
