"""An eval by names, as the command line gives them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final

from budgetkit import Budget, PriceBook
from budgetkit.agents import chat_model, react

from ._runner import run_eval
from ._suites import find_suite

if TYPE_CHECKING:
    from ._job import AgentFactory, EvalRun, OnProgress

__all__ = ["AGENTS", "EvalSettings", "evaluate"]

AGENTS: Final = {"react": react}
"""The agents that an eval can be run with, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalSettings:
    """What to run.

    Attributes:
        suite: a name out of `SUITES`.
        data: the folder of the suite's files; not needed for ``sample``.
        agent: a name out of `AGENTS`.
        model: as `budgetkit.agents.chat_model` takes it: ``offline``, a server's URL, ``openai:gpt-4o``.
        budget: the limits for each question, a `Budget` or as `Budget.parse` takes them.
        limit: ask only that many questions of the seeded order; None: all.
        seed: of the order.
        concurrency: questions in flight.
        out: the results file; None: a name made of the settings, in ``runs``.
        tracker: whether the agent is shown what it has left.
        prices: what models and tools cost; None: the packaged table.
        max_tokens: output tokens of one model call at most: a small model may never stop by itself.
    """

    suite: str = "sample"
    data: Path | None = None
    agent: str = "react"
    model: str = "offline"
    budget: Budget | str = "tool_calls=5"
    limit: int | None = None
    seed: int = 0
    concurrency: int = 8
    out: Path | None = None
    tracker: bool = True
    prices: PriceBook | None = None
    max_tokens: int = 256

    @property
    def limits(self) -> Budget:
        """The budget of each question."""
        return self.budget if isinstance(self.budget, Budget) else Budget.parse(self.budget)

    @property
    def label(self) -> str:
        """What the report calls the agent."""
        return self.agent if self.tracker else f"{self.agent}, no tracker"

    @property
    def path(self) -> Path:
        """The results file: the same settings give the same name, so that a run is gone on with."""
        if self.out is not None:
            return self.out
        limits = "-".join(f"{name}{amount}" for name, amount in self.limits.limits.items())
        parts = (self.suite, self.label, self.model, limits, f"seed{self.seed}")
        return Path("runs") / (".".join(_slug(part) for part in parts if part) + ".jsonl")


def evaluate(settings: EvalSettings, on_progress: OnProgress | None = None) -> EvalRun:
    """Run or resume the eval that the settings name; `summarise` and `table` show what it came to.

    Args:
        settings: what to run.
        on_progress: called after each question.

    Raises:
        ValueError: an unknown suite or agent (with the nearest name), a budget that cannot be read, or broken data
            (a `DataError`, with file and line).
        PriceUnknown: there is a dollar limit, and the model has no price.
    """
    suite, budget = find_suite(settings.suite, settings.data), settings.limits
    return run_eval(
        suite,
        _factory(settings, budget),
        budget,
        out=settings.path,
        agent=settings.label,
        model=f"{settings.model}, max {settings.max_tokens}",
        limit=settings.limit,
        seed=settings.seed,
        concurrency=settings.concurrency,
        on_progress=on_progress,
    )


def _factory(settings: EvalSettings, budget: Budget) -> AgentFactory:
    """The agent gets the very budget that the eval opens, so that its plug-in spends from the question's scope."""
    if settings.agent not in AGENTS:
        near = get_close_matches(settings.agent, AGENTS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(AGENTS)}"
        raise ValueError(f"unknown agent {settings.agent!r}: {hint}")
    model = chat_model(settings.model, max_tokens=settings.max_tokens)
    return lambda tools: AGENTS[settings.agent](model, tools, budget, tracker=settings.tracker, prices=settings.prices)


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-").lower()
