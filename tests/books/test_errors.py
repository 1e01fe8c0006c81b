from __future__ import annotations

import copy
import pickle
from decimal import Decimal

import pytest

from budgetkit import BudgetExceeded, BudgetKitError, BudgetTooSmall, LedgerError


def refusal(kind: type[BudgetExceeded] = BudgetExceeded) -> BudgetExceeded:
    return kind(
        resource="usd",
        account=("tenant", "run"),
        limit=50_000_000,
        spent=30_000_000,
        reserved=15_000_000,
        asked=10_000_000,
    )


def test_a_refusal_says_whose_limit_of_what_and_why() -> None:
    assert str(refusal()) == "budget 'tenant/run' is out of usd: limit 0.05, spent 0.03, reserved 0.015, asked 0.01"


def test_too_small_says_what_one_answer_needs() -> None:
    assert str(refusal(BudgetTooSmall)) == (
        "budget 'tenant/run' cannot pay for one answer: it needs 0.01 usd, the limit is 0.05 and 0.03 are spent; "
        "raise usd"
    )


def test_a_refusal_carries_its_numbers_as_the_user_writes_them() -> None:
    error = refusal()
    assert (error.resource, error.account) == ("usd", ("tenant", "run"))
    assert [error.limit, error.spent, error.reserved, error.asked] == [
        Decimal(x) for x in ("0.05", "0.03", "0.015", "0.01")
    ]


@pytest.mark.parametrize("kind", [BudgetExceeded, BudgetTooSmall])
def test_a_refusal_travels_between_processes(kind: type[BudgetExceeded]) -> None:
    for twin in (pickle.loads(pickle.dumps(refusal(kind))), copy.copy(refusal(kind))):  # noqa: S301 - made here
        assert type(twin) is kind
        assert (str(twin), vars(twin)) == (str(refusal(kind)), vars(refusal(kind)))


def test_a_host_gets_its_own_kind_of_the_same_refusal() -> None:
    class HostError(Exception):
        pass

    class HostRefusalError(BudgetExceeded, HostError):
        pass

    again = refusal().as_type(HostRefusalError)
    assert isinstance(again, HostError)
    assert str(again) == str(refusal())


def test_one_root_catches_all() -> None:
    assert issubclass(BudgetTooSmall, BudgetExceeded)
    assert all(issubclass(kind, BudgetKitError) for kind in (BudgetExceeded, LedgerError))
    assert not issubclass(LedgerError, BudgetExceeded)
