"""The way into the command from outside; the command's own packages are loaded when it is run."""

__all__ = ["main"]


def main() -> None:
    """Run the command `budgetkit`."""
    from ._cli import run_command  # noqa: PLC0415 - an eval without the command needs no typer

    run_command()
