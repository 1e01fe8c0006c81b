"""Budgets that hold for tool-using agents: reserve, call, settle, and a real answer at the end.

```python
from budgetkit import Budget

budget = Budget(usd="0.05", llm_calls=20, tools={"search": 5})
with budget.open("nightly-report") as run:
    ...
    run.spent["llm_calls"], run.remaining["usd"], run.level
```
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ._account import Account, AccountState
from ._budget import Budget
from ._errors import BudgetExceeded, BudgetKitError, BudgetTooSmall, LedgerError
from ._labels import by_label
from ._ledger import Ledger
from ._level import Level, Levels
from ._memory_ledger import MemoryLedger
from ._price_file import ModelPrice
from ._price_table import PriceRow
from ._prices import PriceBook, PriceUnknown
from ._reservation import Reservation
from ._resource import Amount, Resource, resource
from ._scope import Scope, current_scope
from ._server_tokens import ServerCounter
from ._spend import Spend
from ._tiktoken_counter import TiktokenCounter, default_counter
from ._tokens import EstimateCounter, TokenCount, TokenCounter
from ._usage import Usage
from ._window import Window

if TYPE_CHECKING:
    from ._homes._postgres import PostgresLedger
    from ._homes._redis import RedisLedger
    from ._homes._redis_store import UnsafeStoreWarning
    from ._homes._sqlite import SqliteLedger
    from ._homes._verify import Verification, verify

__all__ = [
    "Account",
    "AccountState",
    "Amount",
    "Budget",
    "BudgetExceeded",
    "BudgetKitError",
    "BudgetTooSmall",
    "EstimateCounter",
    "Ledger",
    "LedgerError",
    "Level",
    "Levels",
    "MemoryLedger",
    "ModelPrice",
    "PostgresLedger",
    "PriceBook",
    "PriceRow",
    "PriceUnknown",
    "RedisLedger",
    "Reservation",
    "Resource",
    "Scope",
    "ServerCounter",
    "Spend",
    "SqliteLedger",
    "TiktokenCounter",
    "TokenCount",
    "TokenCounter",
    "UnsafeStoreWarning",
    "Usage",
    "Verification",
    "Window",
    "by_label",
    "current_scope",
    "default_counter",
    "resource",
    "verify",
]

_LATE: Final = {
    "PostgresLedger": "_homes._postgres",
    "RedisLedger": "_homes._redis",
    "UnsafeStoreWarning": "_homes._redis_store",
    "SqliteLedger": "_homes._sqlite",
    "Verification": "_homes._verify",
    "verify": "_homes._verify",
}
"""The homes of the books, by module: loaded on first use, with the drivers that they need."""


def __getattr__(name: str) -> Any:
    """Load the rest on first use."""
    if name in _LATE:
        return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
