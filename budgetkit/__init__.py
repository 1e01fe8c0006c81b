"""Budgets that hold for tool-using agents: reserve, call, settle, and a real answer at the end.

```python
from budgetkit import Budget

budget = Budget(usd="0.05", llm_calls=20, tools={"search": 5})
with budget.open("nightly-report") as run:
    ...
    run.spent["llm_calls"], run.remaining["usd"], run.level
```
"""

from ._account import Account, AccountState
from ._budget import Budget
from ._errors import BudgetExceeded, BudgetKitError, BudgetTooSmall, LedgerError
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
    "PriceBook",
    "PriceRow",
    "PriceUnknown",
    "Reservation",
    "Resource",
    "Scope",
    "ServerCounter",
    "Spend",
    "TiktokenCounter",
    "TokenCount",
    "TokenCounter",
    "Usage",
    "Window",
    "current_scope",
    "default_counter",
    "resource",
]
