"""An eval by names, as the command line gives them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from budgetkit import Budget, PriceBook
from budgetkit.agents import chat_model
from budgetkit.plugins import OfflinePolicy

from ._agents import TITLED, Build, agent_label, find_agent, flags, is_planner
from ._presets import read_budget
from ._runner import arun_eval, run_eval
from ._shared import SharedSuite
from ._suites import find_suite

if TYPE_CHECKING:
    from ._job import AgentFactory, EvalRun, OnProgress

__all__ = ["EvalSettings", "aevaluate", "arguments", "evaluate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalSettings:
    """What to run.

    Attributes:
        suite: a name out of `SUITES`.
        data: the folder of the suite's files; not needed for ``sample``.
        agent: a name out of `AGENTS` or ``own``.
        ablate: what to take away from the agent: names out of `ABLATIONS`.
        own: agents of your own by name: ``build(model, tools, budget, seed=0, prices=None)`` returns a compiled graph
            with messages in and out.
        model: as `budgetkit.agents.chat_model` takes it: ``offline``, a server's URL, ``openai:gpt-4o``; or
            ``offline+titles``: the same as ``offline``, but planners are told the titles of all passages.
        budget: the limits for each question: a `Budget`, the name of a preset (`PRESETS`), or as `Budget.parse` takes
            them.
        limit: ask only that many questions of the seeded order; None: all.
        seed: of the order, and of the agent's own choices.
        concurrency: questions in flight.
        out: the results file; None: a name made of the settings, in ``runs``.
        prices: what models and tools cost; None: the packaged table.
        max_tokens: output tokens of one model call at most: a small model may never stop by itself.
    """

    suite: str = "sample"
    data: Path | None = None
    agent: str = "react+tracker"
    ablate: tuple[str, ...] = ()
    own: Mapping[str, Build] = field(default_factory=dict[str, Build], repr=False)
    model: str = "offline"
    budget: Budget | str = "tool_calls=5"
    limit: int | None = None
    seed: int = 0
    concurrency: int = 8
    out: Path | None = None
    prices: PriceBook | None = None
    max_tokens: int = 256

    @property
    def limits(self) -> Budget:
        """The budget of each question."""
        return self.budget if isinstance(self.budget, Budget) else read_budget(self.budget)

    @property
    def label(self) -> str:
        """What the report calls the agent."""
        return agent_label(self.agent, self.ablate)

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
        ValueError: an unknown suite, agent or preset (with the nearest name), an ablation that the agent does not
            have, a budget that cannot be read, or broken data (a `DataError`, with file and line).
        PriceUnknown: there is a dollar limit, and the model has no price.
    """
    return run_eval(**arguments(settings, SharedSuite.of(find_suite(settings.suite, settings.data)), on_progress))


async def aevaluate(settings: EvalSettings, on_progress: OnProgress | None = None) -> EvalRun:
    """Async twin of `evaluate`."""
    suite = SharedSuite.of(find_suite(settings.suite, settings.data))
    return await arun_eval(**arguments(settings, suite, on_progress))


def arguments(settings: EvalSettings, suite: SharedSuite, on_progress: OnProgress | None) -> dict[str, Any]:
    """What `run_eval` is called with."""
    budget = settings.limits
    return {
        "suite": suite,
        "agent_factory": _factory(settings, suite, budget),
        "budget": budget,
        "out": settings.path,
        "agent": settings.label,
        "model": f"{settings.model}, max {settings.max_tokens}",
        "limit": settings.limit,
        "seed": settings.seed,
        "concurrency": settings.concurrency,
        "on_progress": on_progress,
    }


def _factory(settings: EvalSettings, suite: SharedSuite, budget: Budget) -> AgentFactory:
    """The agent gets the very budget that the eval opens, so that its plug-in spends from the question's scope."""
    build, without = find_agent(settings.agent, settings.own), flags(settings.agent, settings.ablate)
    return lambda tools: build(
        _model(settings, suite), tools, budget, seed=settings.seed, prices=settings.prices, **without
    )


def _model(settings: EvalSettings, suite: SharedSuite) -> Any:
    """The chat model; for a planner that knows the titles, the policy that knows them."""
    if settings.model != TITLED:
        return chat_model(settings.model, max_tokens=settings.max_tokens)
    if is_planner(settings.agent, settings.own):
        return OfflinePolicy(names=suite.load_corpus().titles)
    return chat_model("offline", max_tokens=settings.max_tokens)


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-").lower()
