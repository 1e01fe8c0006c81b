"""Ask an agent every question of a suite: several at a time, in a seeded order, one line per question, resumable."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from ._job import AgentFactory, EvalRun, Job, OnProgress

if TYPE_CHECKING:
    from pathlib import Path

    from budgetkit import Budget

    from ._suite import Suite

__all__ = ["arun_eval", "run_eval"]

Line = Mapping[str, Any]


def run_eval(
    suite: Suite,
    agent_factory: AgentFactory,
    budget: Budget,
    *,
    out: Path,
    agent: str = "agent",
    model: str = "",
    limit: int | None = None,
    seed: int = 0,
    concurrency: int = 8,
    on_progress: OnProgress | None = None,
) -> EvalRun:
    """Ask the questions that have no line in ``out`` yet, each under a budget of its own.

    A question that the agent fails on scores 0, and its line names the error. When interrupted, questions in flight
    are finished and written first; after a kill they are asked again, and no others.

    Args:
        suite: the questions and their corpus; see `find_suite`.
        agent_factory: makes the agent from its tools; called once, and the agent is used by several threads.
        budget: the limits for each question; the agent's own plug-in must be given this very object, or it takes
            the question's budget for an outer one, which only its owner may answer for.
        out: the results file; one that is there is resumed.
        agent: what to call the agent in the report.
        model: what to call its model.
        limit: ask only that many questions of the seeded order.
        seed: of the order.
        concurrency: questions in flight.
        on_progress: called in this thread after each question.

    Raises:
        DataError: a data file is missing or broken, or ``out`` holds another run.
        PriceUnknown: there is a dollar limit, and the model has no price.
        ValueError: ``limit`` or ``concurrency`` is below 1.
    """
    _check(concurrency)
    with Job.open(
        suite,
        agent_factory,
        budget,
        out=out,
        agent=agent,
        model=model,
        limit=limit,
        seed=seed,
        on_progress=on_progress,
    ) as job:
        _in_threads(job, concurrency)
    return job.result()


async def arun_eval(
    suite: Suite,
    agent_factory: AgentFactory,
    budget: Budget,
    *,
    out: Path,
    agent: str = "agent",
    model: str = "",
    limit: int | None = None,
    seed: int = 0,
    concurrency: int = 8,
    on_progress: OnProgress | None = None,
) -> EvalRun:
    """Async twin of `run_eval`: tasks instead of threads. When cancelled, questions in flight are dropped."""
    _check(concurrency)
    with Job.open(
        suite,
        agent_factory,
        budget,
        out=out,
        agent=agent,
        model=model,
        limit=limit,
        seed=seed,
        on_progress=on_progress,
    ) as job:
        await _in_tasks(job, concurrency)
    return job.result()


def _check(concurrency: int) -> None:
    if concurrency < 1:
        raise ValueError(f"concurrency={concurrency!r} must be at least 1")


def _in_threads(job: Job, concurrency: int) -> None:
    """A window of threads; leaving it, by an interrupt as well, waits for those in flight."""
    with ThreadPoolExecutor(concurrency) as pool:
        running: set[Future[Line]] = set()
        for question in job.waiting():
            running.add(pool.submit(copy_context().run, job.ask, question))
            if len(running) == concurrency:
                running = _collect(job, running)
        while running:
            running = _collect(job, running)


def _collect(job: Job, running: set[Future[Line]]) -> set[Future[Line]]:
    finished, rest = wait(running, return_when=FIRST_COMPLETED)
    for future in finished:
        job.finished(future.result())
    return rest


async def _in_tasks(job: Job, concurrency: int) -> None:
    """A window of tasks; leaving it early cancels those in flight."""
    running: set[asyncio.Task[Line]] = set()
    try:
        for question in job.waiting():
            running.add(asyncio.create_task(job.aask(question)))
            if len(running) == concurrency:
                running = await _acollect(job, running)
        while running:
            running = await _acollect(job, running)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _acollect(job: Job, running: set[asyncio.Task[Line]]) -> set[asyncio.Task[Line]]:
    finished, rest = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    for task in finished:
        job.finished(task.result())
    return rest
