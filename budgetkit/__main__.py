"""The command `budgetkit`; also `python -m budgetkit`.

The one place of the books that knows the rest of the house, and only when it is run.
"""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command, or say what it needs."""
    try:
        from budgetkit.evals import main as command_line  # noqa: PLC0415 - the books load nothing of this
    except ModuleNotFoundError as missing:
        sys.exit(f"budgetkit: the command needs {missing.name!r}: pip install 'budgetkit[all]'")
    command_line()


if __name__ == "__main__":
    main()
