"""The agents that an eval knows by name, and what can be taken away from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from budgetkit.agents import PLANNERS, react

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.tools import BaseTool

    from budgetkit import Budget, PriceBook

    from ._job import Agent

__all__ = [
    "ABLATIONS",
    "AGENTS",
    "TITLED",
    "Ablation",
    "Build",
    "Builds",
    "agent_label",
    "find_agent",
    "flags",
    "is_planner",
    "variants",
]

Build = Callable[..., "Agent"]
"""Makes an agent: ``build(model, tools, budget, seed=0, prices=None, **flags)``."""

TITLED: Final = "offline+titles"
"""The offline model for planners that are told which passages there are: the corpora are closed, and have an index."""

Builds = Mapping[str, Build]


def _react(tracker: bool) -> Build:
    def build(
        model: BaseChatModel, tools: Sequence[BaseTool], budget: Budget, *, seed: int, prices: PriceBook | None
    ) -> Any:
        del seed  # nothing in it is left to chance
        return react(model, tools, budget, tracker=tracker, prices=prices)

    return build


_PLANNERS: Final[Builds] = {name.replace(" ", "-"): build for name, build in PLANNERS.items()}

AGENTS: Final[Builds] = {"react": _react(tracker=False), "react+tracker": _react(tracker=True), **_PLANNERS}
"""The agents that an eval can be run with, by name; for agents of your own see ``own`` in `EvalSettings`."""


@dataclass(frozen=True, slots=True)
class Ablation:
    """An agent, and the flag that takes one idea out of it when it is False."""

    agent: str
    flag: str


ABLATIONS: Final[Mapping[str, Ablation]] = {
    "no-conditioning": Ablation("bavt", "conditioned"),
    "no-residual": Ablation("bavt", "residual"),
    "no-verifier": Ablation("bats", "verifies"),
    "no-penalty": Ablation("voi", "penalty"),
}
"""What can be taken away, by name: selection by what is left, the residual value, the verifier, the budget penalty."""


def find_agent(name: str, own: Builds) -> Build:
    """The agent of that name.

    Raises:
        ValueError: there is none (with the nearest name).
    """
    known = {**AGENTS, **own}
    if name not in known:
        raise ValueError(f"unknown agent {name!r}: {_hint(name, known)}")
    return known[name]


def is_planner(name: str, own: Builds) -> bool:
    """Whether it is one of the ready planners, which take a policy in place of a chat model."""
    return name in _PLANNERS and name not in own


def flags(agent: str, ablate: Sequence[str]) -> dict[str, bool]:
    """The options that take these ideas out of an agent.

    Raises:
        ValueError: there is no such ablation (with the nearest name), or this agent has no such idea.
    """
    for name in ablate:
        if _find(name).agent != agent:
            raise ValueError(f"ablation {name!r} is for {_find(name).agent}: {agent} has no such part")
    return {_find(name).flag: False for name in ablate}


def variants(agents: Sequence[str], ablations: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Every agent whole, and after it once more without each part that it has and that is to be taken away.

    Raises:
        ValueError: an ablation that there is not, or that none of the agents has.
    """
    for name in ablations:
        if _find(name).agent not in agents:
            raise ValueError(
                f"ablation {name!r} is for {_find(name).agent}, which is not among the agents {', '.join(agents)}: "
                "add it, or leave the part in"
            )
    taken = {agent: [name for name in ablations if _find(name).agent == agent] for agent in agents}
    return [(agent, part) for agent in agents for part in ((), *((name,) for name in taken[agent]))]


def agent_label(agent: str, ablate: Sequence[str]) -> str:
    """What the report calls it."""
    return ", ".join((agent, *ablate))


def _find(name: str) -> Ablation:
    if name not in ABLATIONS:
        raise ValueError(f"unknown ablation {name!r}: {_hint(name, ABLATIONS)}")
    return ABLATIONS[name]


def _hint(name: str, known: Mapping[str, object]) -> str:
    near = get_close_matches(name.lower(), known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(known)}"
