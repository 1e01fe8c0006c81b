"""Whole graphs made of plug-ins, the models that drive them, and the local vLLM server that can stand behind them.

```python
from budgetkit import Budget
from budgetkit.agents import chat_model, react

agent = react(chat_model("offline"), [search], Budget(tool_calls=5))
```
"""

from ._models import ModelError, chat_model
from ._offline import OfflineChatModel
from ._planners import PLANNERS, Planner, auto, bats, bavt, majority, planner, policy_for, voi
from ._react import react
from ._server_error import ServerError
from ._small_model import small_model
from ._vllm import VllmServer, serve
from ._vllm_metrics import ServerCounters

__all__ = [
    "PLANNERS",
    "ModelError",
    "OfflineChatModel",
    "Planner",
    "ServerCounters",
    "ServerError",
    "VllmServer",
    "auto",
    "bats",
    "bavt",
    "chat_model",
    "majority",
    "planner",
    "policy_for",
    "react",
    "serve",
    "small_model",
    "voi",
]
