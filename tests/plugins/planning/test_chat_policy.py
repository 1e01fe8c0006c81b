# ruff: noqa: ARG002 - the stand-in has the signatures of a policy
from __future__ import annotations

import asyncio
import json
import re
from importlib import import_module
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from budgetkit import BudgetExceeded
from budgetkit.plugins import (
    Answer,
    Appraisal,
    ChatPolicy,
    Constraint,
    Option,
    Options,
    Pay,
    Plan,
    PlanStep,
    Policy,
    ToolSpec,
    Verdict,
    View,
)
from budgetkit.testing import MockOpenAIServer, ScriptedChatModel, Turn, call

from ._paying import Paying
from ._views import SEARCH, Searching, passages, spec

Caps: Any = import_module("budgetkit.plugins._planning._chat_policy").Caps
SITUATION: Any = import_module("budgetkit.plugins._planning._situation")
schemas: Any = import_module("budgetkit.plugins._planning._schemas")

SKILLS = ["plan", "propose", "appraise", "verify", "answer"]
JUNK = "I am sorry, {I cannot"


class StandIn(Policy):
    """A fall-back that says of everything that it came from there."""

    async def plan(self, view: View, pay: Pay) -> Plan:
        return Plan(hint="free")

    async def propose(self, view: View, n: int, pay: Pay) -> Options:
        return Options((Option("search", {"query": f"free {n}"}),))

    async def appraise(self, view: View, pay: Pay) -> Appraisal:
        return Appraisal(0, why="free")

    async def verify(self, view: View, answer: str, pay: Pay) -> Verdict:
        return Verdict("pivot", why=f"free {answer}")

    async def answer(self, view: View, pay: Pay) -> Answer:
        return Answer("free")


FREE: dict[str, object] = {
    "plan": Plan(hint="free"),
    "propose": Options((Option("search", {"query": "free 4"}),)),
    "appraise": Appraisal(0, why="free"),
    "verify": Verdict("pivot", why="free Ann Lee"),
    "answer": Answer("free"),
}

SAID: dict[str, tuple[str, object]] = {
    "plan": ('{"hops": 1, "hint": "h", "steps": ["1 explore pending: s"]}', Plan((PlanStep("s"),), 1, "h")),
    "propose": (
        '{"do": {"tool": "search", "args": {"query": "q"}}, "gain": 7, "why": "w"}',
        Options((Option("search", {"query": "q"}, gain=0.7, why="w"),)),
    ),
    "appraise": ('{"delta": 2, "support": 5, "why": "w"}', Appraisal(2, 0.5, "w")),
    "verify": (
        '{"constraints": [{"text": "c", "status": "satisfied"}], "decision": "success", "why": "w", "summary": "s"}',
        Verdict("success", (Constraint("c", "satisfied"),), "w", "s"),
    ),
    "answer": ('{"answer": "Ann Lee", "confidence": 9}', Answer("Ann Lee", 0.9)),
}


def asked(policy: Policy, skill: str, view: View, pay: Pay, n: int = 4) -> Any:
    """One skill of a policy, whatever its arguments."""
    match skill:
        case "propose":
            return policy.propose(view, n, pay)
        case "verify":
            return policy.verify(view, "Ann Lee", pay)
        case _:
            return getattr(policy, skill)(view, pay)


def searched(*tools: ToolSpec) -> View:
    """A search after one step."""
    search = Searching(*tools)
    return search.view(search.step(passages("Alpha", "Beta")))


def scripted(*turns: Turn, **options: Any) -> ScriptedChatModel:
    return ScriptedChatModel(turns, loop_last=True, **options)


@pytest.mark.parametrize("skill", SKILLS)
async def test_each_skill_is_one_call_with_its_own_cap(skill: str) -> None:
    text, result = SAID[skill]
    pay = Paying()
    assert await asked(ChatPolicy(scripted(text), fallback=StandIn()), skill, searched(), pay) == result
    (paid,) = pay.calls
    assert paid.cap == getattr(Caps(), skill)
    assert paid.n == (4 if skill == "propose" else 1)
    assert dict(paid.settings) == {}


@pytest.mark.parametrize("junk", [JUNK, "{}", "[1, 2]", '{"do": {"tool": "search"', "<think>for ever"])
@pytest.mark.parametrize("skill", SKILLS)
async def test_what_cannot_be_used_costs_what_it_cost_and_the_fall_backs_result_is_taken(skill: str, junk: str) -> None:
    pay = Paying()
    result = await asked(ChatPolicy(scripted(junk), fallback=StandIn()), skill, searched(), pay)
    assert result == FREE[skill]
    assert len(pay.calls) == 1


@pytest.mark.parametrize("skill", SKILLS)
async def test_an_answer_that_never_came_is_the_fall_backs_too(skill: str) -> None:
    async def nothing(*_: Any, **__: Any) -> list[Any]:
        return []

    assert await asked(ChatPolicy(scripted(""), fallback=StandIn()), skill, searched(), nothing) == FREE[skill]


@given(st.text(), st.sampled_from(SKILLS))
def test_no_output_of_a_model_breaks_a_skill(text: str, skill: str) -> None:
    result = asyncio.run(asked(ChatPolicy(scripted(text)), skill, searched(), Paying()))
    assert isinstance(result, type(FREE[skill]))


@pytest.mark.parametrize("skill", SKILLS)
async def test_a_call_that_the_budget_does_not_pay_for_is_told(skill: str) -> None:
    refusal = BudgetExceeded(resource="usd", account=("run",), limit=1, spent=1, reserved=0, asked=1)

    async def refuse(*_: Any, **__: Any) -> list[Any]:
        raise refusal

    with pytest.raises(BudgetExceeded) as told:
        await asked(ChatPolicy(scripted("")), skill, searched(), refuse)
    assert told.value is refusal


async def test_by_default_words_alone_stand_in_for_a_model() -> None:
    search = Searching()
    view = search.view(search.step("[1] Bridge\nThe bridge of the town was designed by Ann Lee."))
    assert (await ChatPolicy(scripted(JUNK)).propose(view, 1, Paying())).options[0].tool == "search"
    assert (await ChatPolicy(scripted(JUNK)).answer(view, Paying())).text == "Ann Lee"


async def test_options_are_samples_of_one_prompt_merged_and_ranked() -> None:
    texts = [f'{{"do": {{"tool": "search", "args": {{"query": "{q}"}}}}, "gain": 5}}' for q in ("a", "b", "b", "c")]
    pay = Paying()
    options = (await ChatPolicy(ScriptedChatModel(texts)).propose(searched(), 4, pay)).options
    assert [option.args["query"] for option in options] == ["b", "a", "c"]
    assert len(pay.calls) == 1


async def test_some_good_samples_are_enough() -> None:
    turns: list[Turn] = [JUNK, call("search", query="mine"), '"bare"', '{"do": {"answer": "unknown"}}']
    options = (await ChatPolicy(ScriptedChatModel(turns), fallback=StandIn()).propose(searched(), 4, Paying())).options
    assert [option.args for option in options] == [{"query": "mine"}, {"query": "bare"}]


async def test_the_critic_judges_and_the_model_does_the_rest() -> None:
    model, critic = scripted(JUNK, name="large"), scripted(JUNK, name="small")
    policy = ChatPolicy(model, critic=critic, temperature=0.7, judge_temperature=0.0)
    pay = Paying()
    for skill in SKILLS:
        await asked(policy, skill, searched(), pay)
    assert [paid.model for paid in pay.calls] == [model, model, critic, critic, model]
    assert [paid.settings["temperature"] for paid in pay.calls] == [0.7, 0.7, 0.0, 0.0, 0.7]


async def test_caps_are_the_users_own() -> None:
    pay = Paying()
    await ChatPolicy(scripted(JUNK), caps=Caps(answer=30)).answer(searched(), pay)
    assert pay.calls[0].cap == 30


@pytest.mark.parametrize(("found", "error"), [("", False), ("timeout", True)])
async def test_that_a_step_came_to_nothing_is_known_without_a_call(found: str, error: bool) -> None:
    search, pay = Searching(), Paying()
    view = search.view(search.step(found, error=error))
    assert (await ChatPolicy(scripted("")).appraise(view, pay)).delta == 0
    assert pay.calls == []


async def test_an_answer_to_the_whole_search_is_checked_against_all_that_is_kept() -> None:
    search, pay = Searching(), Paying()
    search.step(passages("Alpha"))
    search.step(passages("Beta"))
    await ChatPolicy(scripted(JUNK), fallback=StandIn()).verify(search.view(), "Ann Lee", pay)
    assert "Alpha is a text" in pay.calls[0].prompt
    assert "Beta is a text" in pay.calls[0].prompt


async def test_a_node_and_its_child_share_the_longest_prefix_of_what_is_sent() -> None:
    search, pay = Searching(), Paying()
    policy = ChatPolicy(scripted(JUNK), fallback=StandIn())
    first = search.step(passages("Alpha"))
    second = search.step(passages("Beta"), at=first)
    views = [search.view(node) for node in ("0", first, second)]
    for view in views:
        await policy.propose(view, 1, pay)
    sent = [paid.messages[1].text for paid in pay.calls]
    for view, shallow, deep in zip(views, sent, sent[1:], strict=False):
        shared = SITUATION.situation(view, SITUATION.Shown(5, 600))
        assert shallow.startswith(shared)
        assert deep.startswith(shared)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"evidence": 0}, "evidence=0 shows the model nothing: use 1 or more"),
        ({"passage_chars": -1}, "passage_chars=-1 shows the model nothing: use 1 or more"),
        ({"structured": "xml"}, "structured='xml' is not known: use 'auto', 'json_schema' or 'prompt'"),
    ],
)
def test_a_setting_that_means_nothing_is_refused(settings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ChatPolicy(scripted(""), **settings)


def test_a_cap_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^verify=0 is no cap on output tokens: use 1 or more$"):
        Caps(verify=0)


def test_it_is_a_policy() -> None:
    assert isinstance(ChatPolicy(scripted("")), Policy)


# -- schemas ----------------------------------------------------------------------------------------------------------

STRING = {"type": "string"}


def assert_strict(schema: Any) -> None:
    """What OpenAI's strict mode demands of every object, and the keywords that it knows."""
    assert schema.keys() <= {"type", "enum", "properties", "required", "additionalProperties", "items", "anyOf"}
    if schema.get("type") == "object":
        assert schema["additionalProperties"] is False
        assert schema["required"] == list(schema["properties"])
    for part in (
        *schema.get("properties", {}).values(),
        *schema.get("anyOf", ()),
        *filter(None, [schema.get("items")]),
    ):
        assert_strict(part)


@pytest.mark.parametrize("schema", [schemas.PLAN, schemas.APPRAISAL, schemas.VERDICT, schemas.ANSWER])
def test_schemas_are_strict_and_small(schema: Any) -> None:
    assert_strict(schema)
    assert len(json.dumps(schema)) < 600


def test_an_option_is_a_call_of_one_of_the_tools_or_an_answer() -> None:
    day = {"type": "string", "enum": ["day", "year"], "description": "left out", "title": "Day"}
    inner = {"type": "object", "properties": {"a": STRING}, "title": "Inner"}
    tools = (SEARCH, spec("count", "day", day=day, rest={"type": "array", "items": inner}), spec("now"))
    no_args = ToolSpec("now", "", {"type": "object", "properties": {}})
    schema = schemas.option_schema((*tools[:2], no_args))
    assert schema is not None
    assert_strict(schema)
    calls = schema["properties"]["do"]["anyOf"]
    assert [part["properties"]["tool"]["enum"] for part in calls[:-1]] == [["search"], ["count"], ["now"]]
    args = calls[1]["properties"]["args"]["properties"]
    assert args["day"] == {"type": "string", "enum": ["day", "year"]}
    assert args["rest"]["anyOf"][1] == {"type": "null"}
    assert calls[-1]["properties"] == {"answer": STRING}


@pytest.mark.parametrize(
    "part",
    [{}, {"$ref": "#/x"}, {"type": "object"}, {"type": "object", "additionalProperties": STRING}, {"type": "array"}],
)
def test_a_tool_that_no_strict_schema_describes_leaves_it_to_the_prompt(part: Any) -> None:
    assert schemas.option_schema((SEARCH, spec("free", x=part))) is None


# -- on the wire ------------------------------------------------------------------------------------------------------

Structured = Literal["auto", "json_schema", "prompt"]


def openai(server: MockOpenAIServer, **settings: Any) -> ChatOpenAI:
    return ChatOpenAI(model="mock", base_url=server.base_url, api_key=SecretStr("EMPTY"), max_retries=0, **settings)


@pytest.mark.enable_socket
@pytest.mark.parametrize("skill", SKILLS)
async def test_a_model_of_openais_kind_is_sent_the_schema(skill: str) -> None:
    text, result = SAID[skill]
    with MockOpenAIServer(text) as server:
        model = openai(server, extra_body={"cache_salt": "tenant"})
        assert await asked(ChatPolicy(model, fallback=StandIn()), skill, searched(), Paying()) == result
    (body,) = server.requests
    wanted = body["response_format"]
    assert wanted["type"] == "json_schema"
    assert wanted["json_schema"].keys() == {"name", "schema", "strict"}
    assert wanted["json_schema"]["name"] == skill
    assert wanted["json_schema"]["strict"] is True
    assert_strict(wanted["json_schema"]["schema"])
    assert body["cache_salt"] == "tenant"
    assert (body.get("n") or 1) == (4 if skill == "propose" else 1)
    assert body["max_completion_tokens"] == getattr(Caps(), skill)


@pytest.mark.enable_socket
async def test_an_output_that_ends_at_its_cap_is_repaired_and_not_raised() -> None:
    with MockOpenAIServer('{"delta": 3, "support": 8, "why": "it names the bridge and much more"}') as server:
        policy = ChatPolicy(openai(server), caps=Caps(appraise=8), fallback=StandIn())
        paying = Paying()
        assert await policy.appraise(searched(), paying) == Appraisal(3, 0.8, "it names the")
    assert paying.calls[0].answers[0].response_metadata["finish_reason"] == "length"


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("structured", "settings"), [("prompt", {}), ("auto", {"profile": {"structured_output": False}})]
)
async def test_no_schema_is_sent_where_the_user_or_the_models_profile_says_so(
    structured: Structured, settings: Any
) -> None:
    with MockOpenAIServer(SAID["answer"][0]) as server:
        policy = ChatPolicy(openai(server, **settings), structured=structured)
        assert await policy.answer(searched(), Paying()) == SAID["answer"][1]
    assert "response_format" not in server.requests[0]


async def test_another_model_is_sent_a_schema_only_if_the_user_says_so() -> None:
    model = scripted(SAID["answer"][0])
    await ChatPolicy(model).answer(searched(), Paying())
    await ChatPolicy(model, structured="json_schema").answer(searched(), Paying())
    formats = [request.settings.get("response_format") for request in model.requests]
    wanted = {"name": "answer", "schema": schemas.ANSWER, "strict": True}
    assert formats == [None, {"type": "json_schema", "json_schema": wanted}]


def test_a_kind_of_model_whose_server_takes_no_schema_is_sent_none() -> None:
    class ChatDeepSeek(ChatOpenAI): ...

    model = ChatDeepSeek(model="mock", api_key=SecretStr("EMPTY"))
    assert schemas.format_settings(model, "auto", "answer", schemas.ANSWER) == {}


def test_a_model_on_the_responses_api_takes_its_format_from_langchain() -> None:
    model = ChatOpenAI(model="mock", api_key=SecretStr("EMPTY"), use_responses_api=True)
    assert schemas.format_settings(model, "auto", "answer", schemas.ANSWER).keys() == {"response_format"}
