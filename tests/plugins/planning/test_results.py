"""What moves come to is plain data: written and read back, and told apart from anything else."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from budgetkit.plugins import (
    Answer,
    Appraisal,
    Constraint,
    Finish,
    Lost,
    Observation,
    Option,
    Options,
    Plan,
    PlanStep,
    Verdict,
)

MODULE: Any = import_module("budgetkit.plugins._planning._results")
dump, load, result_type = MODULE.dump, MODULE.load, MODULE.result_type

texts = st.text(max_size=20)
shares = st.floats(0, 1)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
options = st.builds(
    Option, tool=texts, args=st.dictionaries(texts, plain, max_size=3), answer=texts, gain=shares, why=texts
)
steps = st.builds(
    PlanStep,
    text=texts,
    number=st.sampled_from(["1", "1.2"]),
    kind=st.sampled_from(["explore", "verify"]),
    state=st.sampled_from(["pending", "done", "failed", "partial"]),
)
constraints = st.builds(Constraint, text=texts, status=st.sampled_from(["satisfied", "contradicted", "unverifiable"]))
RESULTS: dict[str, st.SearchStrategy[Any]] = {
    "plan": st.builds(Plan, steps=st.lists(steps, max_size=3).map(tuple), hops=st.integers(0, 9), hint=texts),
    "propose": st.builds(Options, options=st.lists(options, max_size=4).map(tuple)),
    "act": st.builds(Observation, text=texts, error=st.booleans()),
    "appraise": st.builds(Appraisal, delta=st.integers(), support=st.none() | shares, why=texts),
    "verify": st.builds(
        Verdict,
        decision=st.sampled_from(["success", "continue", "pivot"]),
        constraints=st.lists(constraints, max_size=3).map(tuple),
        why=texts,
        summary=texts,
        details=texts,
    ),
    "answer": st.builds(Answer, text=texts, confidence=st.none() | shares),
    "finish": st.builds(Finish, answer=texts, node=st.sampled_from(["", "0", "0.2.1"])),
}
told = st.sampled_from(sorted(RESULTS)).flatmap(
    lambda kind: st.tuples(st.just(kind), RESULTS[kind] | st.builds(Lost, why=texts))
)


@given(told)
def test_a_result_is_read_back_from_json_as_it_was_written(pair: tuple[str, Any]) -> None:
    kind, result = pair
    again = load(kind, json.loads(json.dumps(dump(kind, result))))
    assert again == result
    assert type(again) is type(result)


@given(told)
def test_a_result_is_of_its_move_s_type_or_lost(pair: tuple[str, Any]) -> None:
    kind, result = pair
    assert isinstance(result, (result_type(kind), Lost))


@pytest.mark.parametrize(
    ("kind", "result", "data"),
    [
        ("propose", Options(), {}),
        ("propose", Options((Option("search"),)), {"options": [{"tool": "search"}]}),
        ("act", Observation("a page"), {"text": "a page"}),
        ("act", Lost(), {"lost": {}}),
        ("answer", Lost("refused"), {"lost": {"why": "refused"}}),
        ("plan", Plan((PlanStep("find it"),)), {"steps": [{"text": "find it"}]}),
    ],
)
def test_what_is_usual_is_not_written(kind: str, result: Any, data: dict[str, Any]) -> None:
    assert dump(kind, result) == data
    assert load(kind, data) == result


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("verify", {"decision": "maybe"}),
        ("appraise", {}),
        ("act", {"error": True}),
        ("propose", {"options": "search"}),
        ("plan", {"steps": [{"text": "x", "state": "nearly"}]}),
    ],
)
def test_what_is_no_result_is_not_read_as_one(kind: str, data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        load(kind, data)


@pytest.mark.parametrize(
    "result",
    [Plan(), Options(), Observation(""), Appraisal(0), Verdict("pivot"), Answer(""), Finish(""), Lost(), Option()],
)
def test_a_result_is_never_changed(result: Any) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(result, fields(result)[0].name, "something else")


# -- the same call --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Option("search", {"q": "Lantern Bridge"}), Option("search", {"q": " lantern \n BRIDGE"}, why="again")),
        (Option("search", {"a": 1, "b": [1, "X"]}), Option("search", {"b": ("1", "x"), "a": "1"})),
        (Option("search", {"q": {"b": 1, "a": 2}}), Option("search", {"q": {"a": 2, "b": 1}})),
        (Option(answer="Oda Brenn"), Option(answer="oda  brenn ", gain=0.1)),
    ],
)
def test_the_same_call_written_in_two_ways_is_the_same_call(one: Option, other: Option) -> None:
    assert one.key == other.key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Option("search", {"q": "a"}), Option("browse", {"q": "a"})),
        (Option("search", {"q": "a"}), Option("search", {"q": "b"})),
        (Option("search", {"q": "a"}), Option("search", {"url": "a"})),
        (Option("search", {"q": ["a", "b"]}), Option("search", {"q": ["b", "a"]})),
        (Option("search"), Option(answer="search()")),
        (Option(answer="a"), Option(answer="b")),
    ],
)
def test_two_calls_are_two_calls(one: Option, other: Option) -> None:
    assert one.key != other.key


def test_a_key_can_be_read_by_people() -> None:
    option = Option("browse", {"url": "HTTP://alba", "pages": [1, 2], "goal": {"who": "Oda  Brenn"}})
    assert option.key == "browse(goal=who=oda brenn, pages=1; 2, url=http://alba)"
    assert Option(answer="Oda Brenn").key == "=oda brenn"
