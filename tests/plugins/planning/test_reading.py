from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage
from langchain_core.messages.tool import invalid_tool_call, tool_call

from budgetkit.plugins import Answer, Appraisal, Constraint, Option, Options, Plan, PlanStep, ToolSpec, Verdict

from ._views import SEARCH, spec

OPTIONS: Any = import_module("budgetkit.plugins._planning._option_reading")
READING: Any = import_module("budgetkit.plugins._planning._reading")
RESULTS: Any = import_module("budgetkit.plugins._planning._results")
LINES: Any = import_module("budgetkit.plugins._planning._plan_lines")
read_reply: Any = import_module("budgetkit.plugins._planning._reply").read_reply
fitted: Any = import_module("budgetkit.plugins._planning._tool_args").fitted
read_plan, read_answer = READING.read_plan, READING.read_answer
read_appraisal, read_verdict = READING.read_appraisal, READING.read_verdict

STRING, INTEGER = {"type": "string"}, {"type": "integer"}
BROWSE = spec("browse", "url", "pages", url=STRING, pages=INTEGER)


def said(text: str, finish: str = "stop") -> Any:
    return read_reply(AIMessage(text, response_metadata={"finish_reason": finish}), 96)


def options(text: str, *tools: ToolSpec, finish: str = "stop") -> list[Option]:
    made: list[Option] = OPTIONS.read_options(said(text, finish), tools or (SEARCH,))
    return made


def call(query: str, gain: float = 0.5, why: str = "") -> Option:
    return Option("search", {"query": query}, gain=gain, why=why)


# -- any text at all --------------------------------------------------------------------------------------------------

JSON_LIKE = st.text(alphabet='{}[]":,\\\n 01tfn-."doansweraue`', max_size=200)
KEYS = st.sampled_from(["do", "tool", "args", "answer", "delta", "decision", "constraints", "steps", "hops", "query"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just("search"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)
ANYTHING = st.text() | JSON_LIKE | VALUES.map(json.dumps) | st.tuples(JSON_LIKE, VALUES).map(lambda t: t[0] + str(t[1]))


@given(ANYTHING, st.sampled_from(["stop", "length"]))
def test_whatever_is_said_comes_to_a_result_that_can_be_stored_or_to_none(text: str, finish: str) -> None:
    reply = said(text, finish)
    results = {
        "plan": read_plan(reply),
        "appraise": read_appraisal(reply),
        "verify": read_verdict(reply),
        "answer": read_answer(reply),
        "propose": Options(tuple(OPTIONS.read_options(reply, (SEARCH, BROWSE)))),
    }
    for kind, result in results.items():
        if result is not None:
            assert RESULTS.load(kind, json.loads(json.dumps(RESULTS.dump(kind, result)).encode())) == result


@given(ANYTHING)
def test_every_option_is_an_answer_or_a_call_that_the_tool_takes(text: str) -> None:
    for option in options(text, SEARCH, BROWSE):
        match option.tool:
            case "search":
                assert isinstance(option.args["query"], str)
            case "browse":
                assert isinstance(option.args["url"], str)
                assert isinstance(option.args["pages"], int)
            case other:
                assert other == ""
                assert option.answer.strip()
        assert 0 <= option.gain <= 1


@pytest.mark.parametrize(
    "text",
    [
        "[" * 5000,
        '{"do":' * 5000,
        '{"do": ' + "[" * 900 + "]" * 900 + "}",
        '{"a": ' + "9" * 5000 + "}",
        "{'" * 5000,
        "```",
    ],
)
def test_nothing_usable_in_it_is_none_of_everything(text: str) -> None:
    reply = said(text)
    assert [read_plan(reply), read_appraisal(reply), read_verdict(reply)] == [None] * 3
    assert options(text) == []


def test_characters_and_numbers_that_no_store_takes_are_left_out() -> None:
    text = '{"do": {"tool": "search", "args": {"query": "a\\ud800b\\u0000c"}}, "gain": NaN, "why": "\\u0007x"}'
    assert options(text) == [call("abc", why="x")]
    assert read_appraisal(said('{"delta": Infinity, "support": 1e999}')) is None


# -- what is well-formed ----------------------------------------------------------------------------------------------

TEXT = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=20)
LINE = st.lists(TEXT, min_size=1, max_size=4).map(" ".join).filter(lambda line: any(c.isalpha() for c in line))
TENTHS = st.integers(0, 10)


@given(LINE, TENTHS, LINE)
def test_a_call_is_read_as_it_was_written(query: str, gain: int, why: str) -> None:
    do = {"tool": "search", "args": {"query": query}}
    assert options(json.dumps({"do": do, "gain": gain, "why": why})) == [call(query, gain / 10, why)]


@given(st.integers(-4, 4), TENTHS, LINE)
def test_an_appraisal_is_read_as_it_was_written(delta: int, support: int, why: str) -> None:
    text = json.dumps({"delta": delta, "support": support, "why": why})
    assert read_appraisal(said(text)) == Appraisal(delta, support / 10, why)


STEPS = st.builds(
    PlanStep,
    LINE,
    st.from_regex(r"[1-9](\.[1-9]){0,2}", fullmatch=True),
    st.sampled_from(["explore", "verify"]),
    st.sampled_from(["pending", "done", "failed", "partial"]),
)


@given(STEPS)
def test_a_step_is_read_from_the_line_that_it_is_shown_as(step: PlanStep) -> None:
    assert LINES.read_step(LINES.write_step(step), 1) == step


@given(st.lists(STEPS, min_size=1, max_size=4), st.integers(0, 9), LINE)
def test_a_plan_is_read_as_it_was_written(steps: list[PlanStep], hops: int, hint: str) -> None:
    text = json.dumps({"hops": hops, "hint": hint, "steps": [LINES.write_step(step) for step in steps]})
    assert read_plan(said(text)) == Plan(tuple(steps), hops, hint)


STATUS = st.sampled_from(["satisfied", "contradicted", "unverifiable"])


@given(st.lists(st.builds(Constraint, LINE, STATUS), max_size=3), st.sampled_from(["continue", "pivot"]), LINE)
def test_a_verdict_is_read_as_it_was_written(constraints: list[Constraint], decision: Any, note: str) -> None:
    listed = [{"text": one.text, "status": one.status} for one in constraints]
    told = {"constraints": listed, "decision": decision, "why": note, "summary": note, "details": note}
    expected = Verdict(decision, tuple(constraints), note, note, note)
    assert read_verdict(said(json.dumps(told))) == expected


# -- what is broken ---------------------------------------------------------------------------------------------------

WELL = '{"do": {"tool": "search", "args": {"query": "jaws"}}, "gain": 7, "why": "first"}'


@pytest.mark.parametrize(
    "text",
    [
        WELL,
        f"```json\n{WELL}\n```",
        f"Sure, here it is:\n{WELL}\nGood luck!",
        f"<think>Maybe {{not this}}?</think>{WELL}",
        WELL.replace('"', "'"),
        WELL.replace(', "why"', ' "why"'),
        WELL.replace('"first"}', '"first",}'),
        WELL[:-1],
        f"{WELL}}}",
        '{"tool": "search", "args": {"query": "jaws"}, "gain": 7, "why": "first"}',
        '{"tool": "Search", "query": "jaws", "gain": "7", "why": "first"}',
        '{"name": "functions.search", "arguments": "{\\"query\\": \\"jaws\\"}", "gain": 7, "why": "first"}',
        '{"action": "look_up", "action_input": "jaws", "gain": 7, "why": "first"}',
        '{"query": "jaws", "gain": 7, "why": "first"}',
        '{"do": {"tool": "search", "args": {"q": "jaws"}}, "gain": 7, "why": "first"}',
        '{"do": {"tool": "search", "args": ["jaws"]}, "gain": 7, "why": "first"}',
    ],
)
def test_a_call_that_is_plain_in_spite_of_its_form_is_made(text: str) -> None:
    assert options(text) == [call("jaws", 0.7, "first")]


def test_a_bare_string_is_the_text_of_the_only_tool() -> None:
    assert options('"jaws_born_in"') == [call("jaws_born_in")]
    assert options('"jaws_born_in"', SEARCH, BROWSE) == []
    assert options('"None"') == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I would look for the film first.",
        '{"do": {"tool": "browse", "args": {"url": "x"}}}',
        '{"do": {"tool": "browse", "args": {"url": "x", "pages": "many"}}}',
        '{"do": {"tool": "fly", "args": {"query": "x"}}}',
        '{"do": {"tool": "search", "args": {"query": " "}}}',
        '{"do": {"tool": "search", "args": {"query": "..."}}}',
        '{"do": {"tool": "search", "args": null}}',
        '{"do": {"answer": "None"}}',
    ],
)
def test_a_call_that_nobody_can_make_is_left_out(text: str) -> None:
    assert options(text, SEARCH, BROWSE) == []


@pytest.mark.parametrize(
    "text",
    [
        '{"do": {"answer": "Ann Lee"}, "gain": 9, "why": "found"}',
        '{"answer": "Ann Lee", "gain": 9, "why": "found"}',
        '{"tool": "answer", "args": {"text": "Ann Lee"}, "gain": 9, "why": "found"}',
        '{"tool": "final_answer", "args": "Ann Lee", "gain": 9, "why": "found"}',
        '{"tool": "search", "args": null, "answer": "Ann Lee", "gain": 9, "why": "found"}',
    ],
)
def test_an_answer_can_be_proposed_instead_of_a_call(text: str) -> None:
    assert options(text) == [Option(answer="Ann Lee", gain=0.9, why="found")]


def test_several_options_in_one_reply_are_all_read() -> None:
    listed = [{"do": {"tool": "search", "args": {"query": query}}} for query in ("one", "two")]
    assert options(json.dumps(listed)) == [call("one"), call("two")]


def test_tool_calls_that_a_model_makes_of_its_own_accord_are_read() -> None:
    made = [tool_call(name="search", args={"query": "one"}, id="1")]
    broken = [invalid_tool_call(name="search", args='"two"', id="2", error="no object")]
    message = AIMessage("", tool_calls=made, invalid_tool_calls=broken)
    assert OPTIONS.read_options(read_reply(message, 96), (SEARCH,)) == [call("one"), call("two")]
    cut = message.model_copy(update={"response_metadata": {"finish_reason": "length"}})
    assert OPTIONS.read_options(read_reply(cut, 96), (SEARCH,)) == []


@given(st.integers(0, len(WELL)), st.sampled_from(["stop", "length"]))
def test_of_a_call_that_is_cut_off_all_or_nothing_is_made(end: int, finish: str) -> None:
    made = options(WELL[:end], finish=finish)
    assert [option.args for option in made] in ([], [{"query": "jaws"}])


@given(st.integers(0, 60))
def test_an_answer_that_is_cut_off_is_none(end: int) -> None:
    whole = '{"answer": "Ann Lee of Oakham", "confidence": 7}'
    answer = read_answer(said(whole[:end], "length"))
    assert answer in (None, Answer("Ann Lee of Oakham"), Answer("Ann Lee of Oakham", 0.7))
    assert read_answer(said("Ann Lee of Oak", "length")) is None


def test_a_reason_that_is_cut_off_costs_only_the_reason() -> None:
    assert read_appraisal(said('{"delta": 3, "support": 8, "why": "it names the bri', "length")) == Appraisal(
        3, 0.8, "it names the bri"
    )
    cut = '{"hops": 2, "hint": "one call each", "steps": ["1 explore pending: find the poet", "2 verify pend'
    plan = read_plan(said(cut, "length"))
    assert plan is not None
    assert (plan.hops, plan.hint, plan.steps[0]) == (2, "one call each", PlanStep("find the poet"))


# -- skills -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ['{"answer": "None"}', '{"answer": null}', '{"answer": " unknown. "}', "N/A", "", "none"]
)
def test_to_say_that_there_is_no_answer_is_an_empty_one(text: str) -> None:
    assert read_answer(said(text)) == Answer("")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Paris", "Paris"),
        ('"Paris"', "Paris"),
        ("Answer: Paris", "Paris"),
        ('{"result": "Paris"}', "Paris"),
        ('{"answer": 1987}', "1987"),
        ('{"answer": true}', "yes"),
        ('{"answer": ["Ann", "Bob"]}', "Ann, Bob"),
    ],
)
def test_an_answer_in_another_form_is_an_answer(text: str, answer: str) -> None:
    assert read_answer(said(text)) == Answer(answer)


@pytest.mark.parametrize(
    ("text", "delta"),
    [
        ("+3", 3),
        ("-2: misleading", -2),
        ("delta = 2", 2),
        ('{"delta": "4"}', 4),
        ('{"delta": 9}', 4),
        ('{"delta": -7.6}', -4),
    ],
)
def test_progress_is_read_from_a_number_and_stays_on_its_scale(text: str, delta: int) -> None:
    appraisal = read_appraisal(said(text))
    assert appraisal is not None
    assert appraisal.delta == delta


@pytest.mark.parametrize("text", ["", "good progress", "2023 was the year", "3 passages were found", '{"why": "good"}'])
def test_words_without_a_mark_are_no_appraisal(text: str) -> None:
    assert read_appraisal(said(text)) is None


@pytest.mark.parametrize("status", ["contradicted", "unverifiable", "who knows"])
def test_an_answer_with_an_open_condition_is_no_success(status: str) -> None:
    told = {
        "constraints": [{"text": "a", "status": "satisfied"}, {"text": "b", "status": status}],
        "decision": "SUCCESS",
    }
    verdict = read_verdict(said(json.dumps(told)))
    assert verdict is not None
    assert verdict.decision == "continue"


def test_a_success_needs_no_details() -> None:
    told = {"constraints": ["a: satisfied"], "decision": "success", "summary": "done", "details": "more"}
    assert read_verdict(said(json.dumps(told))) == Verdict("success", (Constraint("a", "satisfied"),), summary="done")


def test_a_verdict_without_a_decision_is_none() -> None:
    assert read_verdict(said('{"constraints": [], "summary": "looked"}')) is None


def test_a_checklist_in_plain_text_is_a_plan() -> None:
    plan = read_plan(said("My plan:\n1. Find the poet\n- 1.1 check the town\n2) explore done: find the bridge"))
    assert plan is not None
    assert plan.steps == (
        PlanStep("Find the poet"),
        PlanStep("check the town", "1.1", "verify"),
        PlanStep("find the bridge", "2", "explore", "done"),
    )


def test_what_only_repeats_the_form_says_nothing() -> None:
    steps = ["1 explore pending: ...", "...", "2.2", "1 verify done: check it"]
    plan = read_plan(said(json.dumps({"hops": 2, "hint": "...", "steps": steps})))
    assert plan == Plan((PlanStep("check it", "1", "verify", "done"),), 2)
    assert read_answer(said('{"answer": "...", "confidence": 5}')) == Answer("", 0.5)
    assert options('{"do": {"tool": "...", "args": {...}}, "gain": 5, "why": "..."}') == []


def test_a_plan_that_never_ends_is_cut() -> None:
    plan = read_plan(said(json.dumps({"steps": ["again"] * 100})))
    assert plan is not None
    assert len(plan.steps) == 12


def test_steps_may_be_objects() -> None:
    plan = read_plan(
        said('{"steps": [{"number": "1.2", "kind": "verify", "state": "failed", "text": "look"}, {"step": "go"}]}')
    )
    assert plan is not None
    assert plan.steps == (PlanStep("look", "1.2", "verify", "failed"), PlanStep("go", "2"))


def test_what_was_proposed_most_often_comes_first_and_then_what_promises_most() -> None:
    proposed = [call("a", 0.2), call("b", 0.9), call("c", 0.3), call("A ", 0.1)]
    assert OPTIONS.ranked(proposed, 2) == (call("a", 0.2), call("b", 0.9))
    assert OPTIONS.ranked([], 3) == ()


# -- arguments --------------------------------------------------------------------------------------------------------

NESTED = {"type": "object", "properties": {"from": INTEGER}, "required": ["from"]}


@pytest.mark.parametrize(
    ("schema", "given", "fit"),
    [
        (STRING, 1987, "1987"),
        (STRING, " code", " code"),
        (INTEGER, "5", 5),
        (INTEGER, 5.0, 5),
        ({"type": "number"}, "1.5", 1.5),
        ({"type": "boolean"}, "True", True),
        ({"type": "array", "items": STRING}, "one", ["one"]),
        ({"type": "array", "items": INTEGER}, ["1", 2], [1, 2]),
        ({"enum": ["day", "Year"]}, "year ", "Year"),
        ({"anyOf": [STRING, INTEGER]}, 5, 5),
        ({"type": ["integer", "string"]}, "many", "many"),
        (NESTED, {"from": "3"}, {"from": 3}),
        ({"$ref": "#/x"}, {"any": 1}, {"any": 1}),
    ],
)
def test_a_value_is_made_to_fit_where_that_is_plain(schema: Any, given: Any, fit: Any) -> None:
    made = fitted({"x": given, "y": "y"}, spec("tool", "x", "y", x=schema, y=STRING).parameters)
    assert made == {"x": fit, "y": "y"}
    assert type(made["x"]) is type(fit)


@pytest.mark.parametrize(
    ("schema", "given"),
    [
        (STRING, True),
        (STRING, {"a": 1}),
        (INTEGER, "five"),
        (INTEGER, 1.5),
        (INTEGER, True),
        ({"type": "number"}, "nan"),
        ({"type": "boolean"}, 1),
        ({"type": "array", "items": INTEGER}, ["x"]),
        ({"enum": ["day"]}, "week"),
        ({"enum": [1]}, True),
        ({"anyOf": [INTEGER, {"type": "null"}]}, "x"),
        (NESTED, "x"),
        (NESTED, {}),
    ],
)
def test_a_value_that_cannot_be_meant_does_not_fit(schema: Any, given: Any) -> None:
    assert fitted({"x": given, "y": "y"}, spec("tool", "x", "y", x=schema, y=STRING).parameters) is None


def test_what_may_be_left_out_may_be_null_and_what_nobody_asked_for_is_left_out() -> None:
    parameters = spec("tool", "x", x=STRING, y=INTEGER).parameters
    assert fitted({"x": "a", "y": None, "z": 1}, parameters) == {"x": "a"}
    assert fitted({"y": 1, "z": 1, "w": 2}, parameters) is None


def test_a_tool_without_a_schema_takes_what_it_is_given() -> None:
    assert fitted({"x": 1}, {}) == {"x": 1}
    assert fitted({}, {"type": "object", "properties": {}}) == {}
