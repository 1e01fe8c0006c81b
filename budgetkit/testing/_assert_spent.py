"""One assertion over everything that a run has spent."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Protocol, runtime_checkable


class SpendLike(Protocol):
    """Anything with an amount per resource."""

    def __getitem__(self, resource: str, /) -> int | Decimal | None:
        """Return the amount of a resource."""
        ...


@runtime_checkable
class HasSpent(Protocol):
    """Anything that has spent: a scope, an account."""

    @property
    def spent(self) -> SpendLike:
        """The amounts spent so far."""
        ...


def assert_spent(run: HasSpent | SpendLike, /, **expected: Any) -> None:
    """Assert what was spent, and on failure name every difference at once.

    Only the named resources are compared. The tools' own resources are given as a mapping.

    Args:
        run: A scope (anything with ``.spent``) or a spend.
        **expected: Amount per resource: counts as ``int``, ``usd`` and ``seconds`` as ``str`` or ``Decimal``,
            ``tools={"search": 2}``, ``None`` for an amount that is unknown.

    Raises:
        AssertionError: If any amount differs.

    Example:
        >>> assert_spent({"llm_calls": 2, "usd": 0}, llm_calls=2, usd="0.00")
    """
    spend = run.spent if isinstance(run, HasSpent) else run
    wanted = _by_resource(expected)
    found = {resource: spend[resource] for resource in wanted}
    wrong = [
        f"  {resource}: expected {_shown(amount)}, spent {_shown(found[resource])}"
        for resource, amount in wanted.items()
        if found[resource] != amount
    ]
    assert not wrong, "\n".join(["the spend differs:", *wrong])  # noqa: S101 - this function is an assertion


def _by_resource(expected: Mapping[str, Any]) -> dict[str, int | Decimal | None]:
    tools = {f"tool:{name}": count for name, count in expected.get("tools", {}).items()}
    named = {resource: amount for resource, amount in expected.items() if resource != "tools"}
    return {resource: _amount(amount) for resource, amount in (named | tools).items()}


def _amount(value: str | int | Decimal | None) -> int | Decimal | None:
    return Decimal(value) if isinstance(value, str) else value


def _shown(amount: int | Decimal | None) -> str:
    return "unknown" if amount is None else str(amount)
