"""One run in progress: its questions, its agent, its results file. Both engines drive it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ._header import header
from ._order import Order
from ._run_file import RunFile
from ._search_tool import search_tool
from ._trial import Trial

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_core.runnables import RunnableConfig
    from langchain_core.tools import BaseTool

    from budgetkit import Budget

    from ._suite import Question, Suite

__all__ = ["Agent", "AgentFactory", "EvalRun", "Job", "OnProgress", "Progress"]


class Agent(Protocol):
    """A compiled LangGraph, messages in and messages out."""

    def invoke(self, input: Any, config: RunnableConfig | None = None, /) -> Any:  # noqa: A002 - the host's name
        """Run to the end and return the final state."""
        ...

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, /) -> Any:  # noqa: A002 - as above
        """Async twin of `invoke`."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes:
        done: questions that have a line, those of earlier sessions included.
        total: questions that the run will have.
        latest: the line just written; None if it was there before.
    """

    done: int
    total: int
    latest: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class EvalRun:
    """A run that is complete.

    Attributes:
        path: its results file, for `summarise`.
        asked: questions asked now.
        resumed: questions that had a line before.
    """

    path: Path
    asked: int
    resumed: int


AgentFactory = Callable[[Sequence["BaseTool"]], Agent]
OnProgress = Callable[[Progress], None]


@dataclass
class Job:
    """What both engines share; progress is counted in the thread that started the run."""

    suite: Suite
    agent: Agent
    budget: Budget
    file: RunFile
    order: Order
    on_progress: OnProgress | None
    asked: int = 0
    resumed: int = 0

    @classmethod
    @contextmanager
    def open(
        cls,
        suite: Suite,
        agent_factory: AgentFactory,
        budget: Budget,
        *,
        out: Path,
        agent: str,
        model: str,
        limit: int | None,
        seed: int,
        on_progress: OnProgress | None,
    ) -> Generator[Job]:
        """A job with its files open; the results file first, so that another run's is refused before any work."""
        if limit is not None and limit < 1:
            raise ValueError(f"limit={limit!r} must be at least 1")
        about = header(suite, budget, agent=agent, model=model, seed=seed)
        with RunFile(out, about) as file, Order(suite.read(), seed=seed, limit=limit) as order:
            made = agent_factory([search_tool(suite.load_corpus())])
            yield cls(suite, made, budget, file, order, on_progress)

    def waiting(self) -> Iterator[Question]:
        """The questions without a line, in order."""
        done = self.file.done
        for question in self.order:
            if question.id in done:
                self.resumed += 1
                self._report(None)
            else:
                yield question

    def ask(self, question: Question) -> Mapping[str, Any]:
        """One question, from the prompt to its line in the file."""
        scope = self.budget.open(question.id)
        with Trial(question) as trial, scope:
            trial.output = self.agent.invoke(self._input(question), trial.config)
        return self._write(trial.record(scope))

    async def aask(self, question: Question) -> Mapping[str, Any]:
        """Async twin of `ask`."""
        scope = self.budget.open(question.id)
        with Trial(question) as trial:
            async with scope:
                trial.output = await self.agent.ainvoke(self._input(question), trial.config)
        return self._write(trial.record(scope))

    def finished(self, record: Mapping[str, Any]) -> None:
        """Count a question that has its line now."""
        self.asked += 1
        self._report(record)

    def result(self) -> EvalRun:
        """What the run came to."""
        return EvalRun(self.file.path, self.asked, self.resumed)

    def _input(self, question: Question) -> dict[str, Any]:
        return {"messages": [("user", self.suite.prompt.replace("{question}", question.text))]}

    def _write(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        self.file.append(record)
        return record

    def _report(self, record: Mapping[str, Any] | None) -> None:
        if self.on_progress:
            self.on_progress(Progress(self.asked + self.resumed, len(self.order), record))
