"""One door per package: `__all__` is sorted, complete and true."""

from __future__ import annotations

import importlib
from inspect import isclass, isfunction
from types import ModuleType

import pytest

DOORS = ["budgetkit", "budgetkit.testing", "budgetkit.plugins", "budgetkit.agents", "budgetkit.evals"]


def public_names(module: ModuleType) -> set[str]:
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not isinstance(value, ModuleType)
        and name not in {"annotations", "TYPE_CHECKING", "Any", "Final", "Mapping", "import_module"}
    }


@pytest.mark.parametrize("door", DOORS)
def test_every_name_in_all_can_be_imported(door: str) -> None:
    module = importlib.import_module(door)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


@pytest.mark.parametrize("door", DOORS)
def test_nothing_public_is_missing_from_all(door: str) -> None:
    module = importlib.import_module(door)
    for name in module.__all__:
        getattr(module, name)  # a lazy door fills up
    assert public_names(module) <= set(module.__all__)


@pytest.mark.parametrize("door", DOORS)
def test_public_classes_and_functions_have_docstrings(door: str) -> None:
    module = importlib.import_module(door)
    named = {name: getattr(module, name) for name in module.__all__}
    assert [name for name, value in named.items() if (isclass(value) or isfunction(value)) and not value.__doc__] == []
