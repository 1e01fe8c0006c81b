import subprocess
import sys

import pytest

import budgetkit.testing


def test_the_clock_and_the_server_need_no_langchain() -> None:
    code = (
        "import sys\n"
        "from budgetkit.testing import ManualClock, MockOpenAIServer, assert_spent\n"
        "assert not [name for name in sys.modules if name.startswith('langchain')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own interpreter and code


@pytest.mark.parametrize("name", budgetkit.testing.__all__)
def test_every_exported_name_is_there(name: str) -> None:
    assert getattr(budgetkit.testing, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'budgetkit\.testing' has no attribute 'nothing'$"):
        getattr(budgetkit.testing, "nothing")  # noqa: B009 - a type checker knows that it is not there
