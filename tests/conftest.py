"""What every test shares."""

import os

from hypothesis import settings

# No timed assertions: a slow machine is not a wrong answer. CI repeats itself; whoever works here explores.
settings.register_profile("explore", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "explore")
