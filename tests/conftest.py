"""What every test shares."""

from hypothesis import settings

# No timed assertions: a slow machine is not a wrong answer.
settings.register_profile("budgetkit", deadline=None)
settings.load_profile("budgetkit")
