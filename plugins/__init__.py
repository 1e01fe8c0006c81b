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
from ._found import Found
from ._keeping import keep
from ._leads import Lead, leads
from ._metering import METER, BudgetMeter, metered
from ._middleware import BudgetMiddleware, BudgetState
from ._node import budgeted
from ._planning._auto import Auto, settled
from ._planning._bats import Bats
from ._planning._bavt import Bavt
from ._planning._bound import epsilon_of, expansions_needed
from ._planning._chat_policy import Caps, ChatPolicy
from ._planning._draft import Draft
from ._planning._draw import search_mermaid, search_text
from ._planning._finalizer import Finalized, FinalizerRule, finalize, refine
from ._planning._left import Left
from ._planning._log import read_tree, write_tree
from ._planning._majority import BestOfN, Majority
from ._planning._moves import Mode, Move
from ._planning._node_of import TreeNode, Valuation
from ._planning._offline_policy import OfflinePolicy
from ._planning._planner_node import PlannerNode
from ._planning._policy import Pay, Policy
from ._planning._react import React, Sequential
from ._planning._results import (
    Answer,
    Appraisal,
    Constraint,
    Finish,
    Lost,
    Observation,
    Option,
    Options,
    Plan,
    PlanStep,
    Result,
    Verdict,
)
from ._planning._state import PlannerState, search_tree
from ._planning._strategy import Strategy
from ._planning._thinking import think
from ._planning._tree import Given, SearchTree
from ._planning._trees import RandomTree, UniformTree
from ._planning._view import Task, ToolSpec, View
from ._planning._voi import Voi
from ._planning._voi_score import VoiCoefficients
from ._same import normalise
from ._search_tools import SearchTool, pick_search_tool
from ._tool_gate import ToolGate
from ._tool_node import BudgetToolNode, ToolsAtEnd, tool_wrappers
from ._words import Passage, content_terms, next_queries, read_passages, uncovered_terms

__all__ = [
    "METER",
    "Answer",
    "AnswerKind",
    "Appraisal",
    "AtEnd",
    "Auto",
    "Bats",
    "Bavt",
    "BestOfN",
    "BudgetDrained",
    "BudgetMeter",
    "BudgetMiddleware",
    "BudgetState",
    "BudgetToolNode",
    "Caps",
    "Certificate",
    "ChatPolicy",
    "Constraint",
    "Draft",
    "Finalized",
    "FinalizerRule",
    "Finish",
    "Found",
    "Given",
    "GraphBudgetExceeded",
    "GraphBudgetTooSmall",
    "Lead",
    "Left",
    "Lost",
    "Majority",
    "Mode",
    "Move",
    "Observation",
    "OfflinePolicy",
    "Option",
    "Options",
    "Passage",
    "Pay",
    "Plan",
    "PlanStep",
    "PlannerNode",
    "PlannerState",
    "Policy",
    "RandomTree",
    "React",
    "Result",
    "SearchTool",
    "SearchTree",
    "Sequential",
    "Strategy",
    "Task",
    "ToolGate",
    "ToolSpec",
    "ToolsAtEnd",
    "TreeNode",
    "Unbounded",
    "UniformTree",
    "Valuation",
    "Verdict",
    "View",
    "Voi",
    "VoiCoefficients",
    "answer_kind",
    "best_sentences",
    "budgeted",
    "certify",
    "content_terms",
    "epsilon_of",
    "expansions_needed",
    "extract_answer",
    "finalize",
    "keep",
    "leads",
    "metered",
    "next_queries",
    "normalise",
    "pick_search_tool",
    "read_passages",
    "read_tree",
    "refine",
    "search_mermaid",
    "search_text",
    "search_tree",
    "settled",
    "think",
    "tool_wrappers",
    "uncovered_terms",
    "write_tree",
]
