"""What can go wrong with a budget.

BudgetKitError
├── BudgetExceeded      a call was not made, or a charge broke a limit
│   └── BudgetTooSmall  not even one answer can be paid; nothing was spent
└── LedgerError         the books cannot be kept: the call is refused (fail closed)
"""

from __future__ import annotations

from ._resource import Amount, from_units

__all__ = ["BudgetExceeded", "BudgetKitError", "BudgetTooSmall", "LedgerError"]


class BudgetKitError(Exception):
    """The root of all errors of this package."""


class LedgerError(BudgetKitError):
    """The ledger cannot be asked, or was asked for what is not there; nothing was admitted."""


class BudgetExceeded(BudgetKitError):  # noqa: N818 - the name says what happened, as KeyboardInterrupt does
    """A limit does not allow what was asked.

    Attributes:
        resource: the resource that ran out, such as ``"llm_calls"`` or ``"tool:search"``.
        account: the account whose limit it is, as a path from the root; only its owner should swallow the error.
        limit: that limit.
        spent: what that account and all below it had spent.
        reserved: what calls in flight had set aside, the answer reserve included.
        asked: what was asked for.
        frozen: whether the account is frozen, whatever it has left.
    """

    def __init__(
        self,
        *,
        resource: str,
        account: tuple[str, ...],
        limit: int,
        spent: int,
        reserved: int,
        asked: int,
        frozen: bool = False,
    ) -> None:
        """All amounts in whole units."""
        self.resource = resource
        self.account = account
        self.frozen = frozen
        self._units = {"limit": limit, "spent": spent, "reserved": reserved, "asked": asked}
        self.limit: Amount = from_units(resource, limit)
        self.spent: Amount = from_units(resource, spent)
        self.reserved: Amount = from_units(resource, reserved)
        self.asked: Amount = from_units(resource, asked)
        super().__init__(self._message())

    def _message(self) -> str:
        if self.frozen:
            return (
                f"budget {'/'.join(self.account)!r} is frozen: {self.asked} {self.resource} are refused until it is "
                "unfrozen"
            )
        return (
            f"budget {'/'.join(self.account)!r} is out of {self.resource}: limit {self.limit}, spent {self.spent}, "
            f"reserved {self.reserved}, asked {self.asked}"
        )

    def as_type(self, kind: type[BudgetExceeded]) -> BudgetExceeded:
        """The same refusal as another class, for hosts that need their own base class."""
        return kind(resource=self.resource, account=self.account, **self._units, frozen=self.frozen)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.resource, self.account, self._units, self.frozen))


def _rebuild(
    kind: type[BudgetExceeded],
    resource: str,
    account: tuple[str, ...],
    units: dict[str, int],
    frozen: bool,
) -> BudgetExceeded:
    return kind(resource=resource, account=account, **units, frozen=frozen)


class BudgetTooSmall(BudgetExceeded):
    """Not even one answer can be paid from this budget; said before anything is spent."""

    def _message(self) -> str:
        if self.frozen:
            return super()._message()
        return (
            f"budget {'/'.join(self.account)!r} cannot pay for one answer: it needs {self.asked} {self.resource}, "
            f"the limit is {self.limit} and {self.spent} are spent; raise {self.resource}"
        )
