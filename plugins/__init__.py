"""What you drop into a graph that you already have: middleware, nodes, the tracker.

```python
from budgetkit import Budget
from budgetkit.plugins import BudgetMiddleware

agent = create_agent(model, tools=[search], middleware=[BudgetMiddleware(Budget(usd="0.05", tool_calls=10))])
```
"""

from ._certify import certify
from ._certify_words import Certificate, Unbounded
from ._ends import AtEnd
from ._errors import BudgetDrained, GraphBudgetExceeded, GraphBudgetTooSmall
from ._extract import AnswerKind, answer_kind, best_sentences, extract_answer
from ._metering import METER, BudgetMeter, metered
from ._middleware import BudgetMiddleware, BudgetState
from ._node import budgeted
from ._same import normalise
from ._search_tools import SearchTool, pick_search_tool
from ._tool_gate import ToolGate
from ._tool_node import BudgetToolNode, ToolsAtEnd, tool_wrappers
from ._words import Passage, content_terms, next_queries, read_passages, uncovered_terms

__all__ = [
    "METER",
    "AnswerKind",
    "AtEnd",
    "BudgetDrained",
    "BudgetMeter",
    "BudgetMiddleware",
    "BudgetState",
    "BudgetToolNode",
    "Certificate",
    "GraphBudgetExceeded",
    "GraphBudgetTooSmall",
    "Passage",
    "SearchTool",
    "ToolGate",
    "ToolsAtEnd",
    "Unbounded",
    "answer_kind",
    "best_sentences",
    "budgeted",
    "certify",
    "content_terms",
    "extract_answer",
    "metered",
    "next_queries",
    "normalise",
    "pick_search_tool",
    "read_passages",
    "tool_wrappers",
    "uncovered_terms",
]
