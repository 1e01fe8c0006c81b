"""A policy that asks a chat model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final, Literal, final

from . import _schemas as schemas
from ._offline_policy import OfflinePolicy
from ._option_reading import ranked, read_options
from ._prompts import ANSWER, APPRAISE, plan_task, propose_task, request, verify_task
from ._reading import read_answer, read_appraisal, read_plan, read_verdict
from ._reply import Reply, read_reply
from ._results import Answer, Appraisal, Options, Plan, Verdict
from ._situation import Shown, findings, situation

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from ._policy import Pay, Policy
    from ._view import View

__all__ = ["Caps", "ChatPolicy"]

_Skill = Literal["plan", "propose", "appraise", "verify", "answer"]
_SCHEMAS: Final[Mapping[_Skill, schemas.Schema]] = {
    "plan": schemas.PLAN,
    "appraise": schemas.APPRAISAL,
    "verify": schemas.VERDICT,
    "answer": schemas.ANSWER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Output tokens that each skill may take, at most.

    Attributes:
        plan: for a plan (design).
        propose: for each option (design).
        appraise: for a judgement of a step, which is paid for at every node (about 60: arXiv 2603.12634, as reported).
        verify: for a verdict (design).
        answer: for an answer (design).
    """

    plan: int = 128
    propose: int = 96
    appraise: int = 60
    verify: int = 256
    answer: int = 96

    def __post_init__(self) -> None:
        """Refuse what is no cap."""
        for cap in fields(self):
            if (value := getattr(self, cap.name)) < 1:
                raise ValueError(f"{cap.name}={value!r} is no cap on output tokens: use 1 or more")


@final
class ChatPolicy:
    """Thinks with any LangChain chat model, through calls that the search's budget pays for.

    Every skill is one call with a small cap of its own; ``n`` options are ``n`` samples of one prompt. All calls at a
    node begin with the same words, so that a server's prefix cache is hit. A model of OpenAI's kind (vLLM behind
    ``ChatOpenAI`` as well) is held to a JSON schema; any other one is asked for JSON. What comes back broken is
    repaired; where it cannot be, the fall-back's result is taken.

    Args:
        model: who plans, proposes and answers. For several options at a node it needs a temperature above 0.
        critic: who judges steps and answers; by default the same model.
        fallback: whose result is taken where a model's output is no use; by default an `OfflinePolicy`, which is free.
        caps: output tokens of each skill.
        structured: "json_schema" sends a schema, "prompt" sends none, "auto" does what suits the model.
        evidence: passages that are shown of each result, and passages that an answer is written from.
        passage_chars: characters of each passage, at most.
        temperature: of plans, options and answers (0.7 in arXiv 2511.17006); None leaves it to the model.
        judge_temperature: of judgements (0 there); None leaves it to the model.

    Raises:
        ValueError: a number is below 1, or a name is not known.
    """

    def __init__(
        self,
        model: BaseChatModel,
        *,
        critic: BaseChatModel | None = None,
        fallback: Policy | None = None,
        caps: Caps | None = None,
        structured: schemas.Structured = "auto",
        evidence: int = 5,
        passage_chars: int = 600,
        temperature: float | None = None,
        judge_temperature: float | None = None,
    ) -> None:
        for name, value in (("evidence", evidence), ("passage_chars", passage_chars)):
            if value < 1:
                raise ValueError(f"{name}={value!r} shows the model nothing: use 1 or more")
        if structured not in {"auto", "json_schema", "prompt"}:
            raise ValueError(f"structured={structured!r} is not known: use 'auto', 'json_schema' or 'prompt'")
        self.model, self._critic = model, critic or model
        self._fallback = fallback or OfflinePolicy()
        self._caps = caps or Caps()
        self._structured: schemas.Structured = structured
        self._shown = Shown(evidence, passage_chars)
        self._temperature, self._judge_temperature = temperature, judge_temperature

    async def plan(self, view: View, pay: Pay) -> Plan:
        """See `Policy.plan`."""
        reply = await self._ask("plan", view, situation(view, self._shown), plan_task(view), pay)
        return read_plan(reply) or await self._fallback.plan(view, pay)

    async def propose(self, view: View, n: int, pay: Pay) -> Options:
        """See `Policy.propose`."""
        tools = view.task.tools
        schema = schemas.option_schema(tools)
        replies = await self._samples("propose", view, situation(view, self._shown), propose_task(view), pay, schema, n)
        options = ranked([option for reply in replies for option in read_options(reply, tools)], n)
        return Options(options) if options else await self._fallback.propose(view, n, pay)

    async def appraise(self, view: View, pay: Pay) -> Appraisal:
        """See `Policy.appraise`. That a failed or an empty step brought nothing is known without asking."""
        seen = view.node.seen
        if seen is not None and (seen.error or not seen.text.strip()):
            return Appraisal(0, why="the call failed" if seen.error else "nothing came back")
        reply = await self._ask("appraise", view, situation(view, self._shown), APPRAISE, pay)
        return read_appraisal(reply) or await self._fallback.appraise(view, pay)

    async def verify(self, view: View, answer: str, pay: Pay) -> Verdict:
        """See `Policy.verify`. An answer that rests on the whole search is checked against what is kept of it."""
        found = situation(view, self._shown) if view.path else findings(view, self._shown)
        reply = await self._ask("verify", view, found, verify_task(answer), pay)
        return read_verdict(reply) or await self._fallback.verify(view, answer, pay)

    async def answer(self, view: View, pay: Pay) -> Answer:
        """See `Policy.answer`. It is written from the passages that are kept, not from all that was found."""
        reply = await self._ask("answer", view, findings(view, self._shown), ANSWER, pay)
        return read_answer(reply) or await self._fallback.answer(view, pay)

    # -- one call ---------------------------------------------------------------------------------------------------

    async def _ask(self, skill: _Skill, view: View, found: str, task: str, pay: Pay) -> Reply:
        replies = await self._samples(skill, view, found, task, pay, _SCHEMAS[skill])
        return replies[0] if replies else Reply("", cut=True)

    async def _samples(
        self, skill: _Skill, view: View, found: str, task: str, pay: Pay, schema: schemas.Schema | None, n: int = 1
    ) -> list[Reply]:
        """What a model says to one prompt, ``n`` times."""
        judges = skill in {"appraise", "verify"}
        model = self._critic if judges else self.model
        temperature = self._judge_temperature if judges else self._temperature
        settings = schemas.format_settings(model, self._structured, skill, schema)
        if temperature is not None:
            settings["temperature"] = temperature
        cap: int = getattr(self._caps, skill)
        messages = await pay(model, request(view, found, task), cap=cap, n=n, settings=settings)
        return [read_reply(message, cap) for message in messages]
