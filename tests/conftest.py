"""What every test shares."""

import os
import re

import pytest
from hypothesis import settings

# No timed assertions: a slow machine is not a wrong answer. CI repeats itself; whoever works here explores.
settings.register_profile("explore", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "explore")

_STORE = re.compile(r"postgres|redis|valkey|test_servers|test_store_away", re.IGNORECASE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs a real server says so in its name, its file's or a parameter's."""
    for item in items:
        if _STORE.search(item.nodeid) and not item.get_closest_marker("benchmark"):
            item.add_marker(pytest.mark.stores)
