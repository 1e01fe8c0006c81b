from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel, FakeListChatModel
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from pydantic import SecretStr

from budgetkit.testing import ScriptedChatModel

# Private, so that type checkers, who see the package through its door, cannot follow an import.
INFO: Any = import_module("budgetkit.plugins._model_info")

KEY = SecretStr("EMPTY")


def openai(**settings: Any) -> ChatOpenAI:
    options: dict[str, Any] = {"model": "gpt-4o"} | settings
    return ChatOpenAI(api_key=KEY, **options)


@pytest.mark.parametrize(
    ("model", "name", "provider"),
    [
        (openai(), "gpt-4o", "openai"),
        (openai(base_url="http://localhost:8000/v1", model="own"), "own", None),
        (AzureChatOpenAI(api_key=KEY, azure_endpoint="https://a", api_version="1", model="gpt-4o"), "gpt-4o", "azure"),
        (ScriptedChatModel(["a"], name="scripted"), "scripted", None),
        (FakeListChatModel(responses=["a"]), "unknown", None),
    ],
)
def test_a_run_and_its_model_are_told_alike(model: Any, name: str, provider: str | None) -> None:
    assert (INFO.name_of(model), INFO.provider_of(model)) == (name, provider)
    metadata = model._get_ls_params_with_defaults()
    assert INFO.run_model(model._serialized, metadata) == (name, provider)


@pytest.mark.parametrize("serialized", [None, {}, {"id": []}, {"id": ["langchain", "Custom"], "kwargs": {}}])
@pytest.mark.parametrize("metadata", [None, {}, {"ls_model_name": None}, {"ls_model_name": ""}])
def test_a_run_that_says_nothing_of_itself_is_unknown(serialized: Any, metadata: Any) -> None:
    assert INFO.run_model(serialized, metadata) == ("unknown", None)


@pytest.mark.parametrize(
    ("model", "settings", "cap"),
    [
        (openai(), {}, None),
        (openai(max_tokens=7), {}, 7),
        (openai(max_tokens=7), {"max_tokens": 5}, 5),
        (openai(max_tokens=7), {"max_completion_tokens": 5}, 5),
        (openai(), {"max_tokens": 0}, None),
        (openai(), {"max_tokens": True}, None),
        (SimpleNamespace(num_predict=-1), {}, None),
        (SimpleNamespace(num_predict=9), {}, 9),
        (SimpleNamespace(max_output_tokens=9), {}, 9),
    ],
)
def test_the_users_own_cap_is_found(model: Any, settings: dict[str, Any], cap: int | None) -> None:
    assert INFO.cap_of(model, settings) == cap


class ChatOllama:
    """A stand-in by its name alone."""


class ChatGoogleGenerativeAI:
    """A stand-in by its name alone."""


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        (openai(), {"max_tokens": 5}),
        (ChatOllama(), {"num_predict": 5}),
        (ChatGoogleGenerativeAI(), {"max_output_tokens": 5}),
    ],
)
def test_each_provider_has_its_own_word_for_the_cap(model: Any, settings: dict[str, int]) -> None:
    assert INFO.cap_settings(model, 5) == settings


@pytest.mark.parametrize(
    ("model", "settings", "choices"),
    [(openai(), {}, 1), (openai(n=3), {}, 3), (openai(n=3), {"n": 2}, 2), (ScriptedChatModel(["a"]), {}, 1)],
)
def test_the_number_of_choices_is_found(model: BaseChatModel, settings: dict[str, Any], choices: int) -> None:
    assert INFO.choices_of(model, settings) == choices


@pytest.mark.parametrize(
    ("profile", "most"),
    [(None, None), ({}, None), ({"max_output_tokens": 4096}, 4096), ({"max_output_tokens": 0}, None)],
)
def test_the_profile_says_how_much_a_model_can_write(profile: Any, most: int | None) -> None:
    assert INFO.most_output(SimpleNamespace(profile=profile)) == most
