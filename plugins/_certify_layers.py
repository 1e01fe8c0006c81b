"""The middleware around a call of `create_agent` or of a tool node, outermost first, and what each does to the call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import ismethod
from operator import attrgetter
from typing import Any, Final

from ._certify_amounts import Most
from ._certify_code import cells, home
from ._certify_steps import Holder
from ._middleware import BudgetMiddleware
from ._tool_gate import ToolGate

__all__ = ["Around", "around", "holder", "is_known_free", "layers_of", "name_of", "units_known"]

_FACTORY: Final = "langchain.agents.factory"
_HOSTS: Final = ("langchain.agents.middleware.", "deepagents.middleware.", "langchain_anthropic.middleware.")

_PASS_ON: Final = frozenset({
    "AnthropicPromptCachingMiddleware", "ContextEditingMiddleware", "FilesystemFileSearchMiddleware",
    "HumanInTheLoopMiddleware", "MemoryMiddleware", "ModelCallLimitMiddleware", "PIIMiddleware",
    "PatchToolCallsMiddleware", "ProviderToolSearchMiddleware", "SkillsMiddleware", "SubAgentMiddleware",
    "TodoListMiddleware", "ToolCallLimitMiddleware", "ToolErrorMiddleware", "UnsupportedContentMiddleware",
    "_LazyAnthropicPromptCachingMiddleware", "_ParentNotifierMiddleware", "_ToolExclusionMiddleware",
})  # fmt: skip
"""The hosts' middleware that calls no model of its own and passes each call on once, as read in their source."""
_REPEAT: Final[Mapping[str, str]] = {
    "ModelRetryMiddleware": "max_retries",
    "ToolRetryMiddleware": "max_retries",
    "ModelFallbackMiddleware": "models",
}
"""The hosts' middleware that may pass a call on so many times more."""
_ONCE_MORE: Final = frozenset({"FilesystemMiddleware"})
"""... or once more, when the provider turns the prompt away."""


@dataclass(frozen=True, slots=True)
class Around:
    """What the layers make of one call.

    Attributes:
        holder: who sets each call aside; None for nobody.
        tries: how often the innermost call is made, if nobody holds it.
        opaque: layers that may call anything by themselves.
        inside: layers within the holder that may call again, which is not held.
    """

    holder: Holder | None
    tries: int
    opaque: tuple[str, ...]
    inside: tuple[str, ...]


def layers_of(wrapper: Any) -> list[object]:
    """The objects behind a chain of wrappers; a function that cannot be read stands for itself."""
    if wrapper is None:
        return []
    if ismethod(wrapper):
        return [wrapper.__self__]
    inside = cells(wrapper)
    if getattr(wrapper, "__langsmith_traceable__", False) and "func" in inside:
        return layers_of(inside["func"])
    if home(wrapper) == _FACTORY and {"outer", "inner"} <= inside.keys():
        return [*layers_of(inside["outer"]), *layers_of(inside["inner"])]
    if home(wrapper) == _FACTORY and "single_handler" in inside:
        return layers_of(inside["single_handler"])
    return [wrapper]


def around(layers: Sequence[object], runs: Most, where: str) -> Around:
    """Read the layers from the outside in.

    Args:
        layers: outermost first.
        runs: how often their graph is run, each time with an account of its own where a budget is per run.
        where: the path of that graph.
    """
    held: Holder | None = None
    tries = 1
    opaque: list[str] = []
    inside: list[str] = []
    for layer in layers:
        again = _repeats(layer)
        if holds(layer):
            held = holder(layer, runs, where)
        elif again is None:
            opaque.append(name_of(layer))
        elif again and held is not None:
            inside.append(name_of(layer))
        elif again:
            tries *= again + 1
    return Around(held, tries, tuple(opaque), tuple(inside))


def holds(layer: object) -> bool:
    """Whether this is our own, with none of its wrappers overridden."""
    if isinstance(layer, ToolGate):
        return True
    wraps = ("wrap_model_call", "awrap_model_call", "wrap_tool_call", "awrap_tool_call")
    kind = type(layer)
    return isinstance(layer, BudgetMiddleware) and all(getattr(kind, w) is getattr(BudgetMiddleware, w) for w in wraps)


def holder(layer: object, runs: Most, where: str) -> Holder:
    """Whose budget it is. A budget per thread has one account; one per run has one for each run of each graph."""
    books = attrgetter("_runs")(layer)
    budget, per, name = attrgetter("_budget", "_per", "_name")(books)
    words = f"BudgetMiddleware[{name}]" if isinstance(layer, BudgetMiddleware) else f"the tool wrappers {name!r}"
    each = per == "run"
    return Holder((id(books), where if each else ""), words, budget.limits_in_units, runs if each else 1)


def units_known(layers: Sequence[object], tool: str) -> bool:
    """Whether one call of this tool is one unit, so that a limit on units is one on calls."""
    gates = [attrgetter("_tools")(layer) if isinstance(layer, BudgetMiddleware) else layer for layer in layers]
    return not any(isinstance(gate, ToolGate) and gate.counts(tool) for gate in gates)


def is_known_free(layer: object) -> bool:
    """Whether the hooks of a middleware are known to call no model and no tool."""
    kind = type(layer)
    hooks = ("before_agent", "before_model", "after_model", "after_agent")
    if isinstance(layer, BudgetMiddleware):
        return all(getattr(kind, p + h) is getattr(BudgetMiddleware, p + h) for h in hooks for p in ("", "a"))
    return _repeats(layer) is not None


def name_of(layer: object) -> str:
    """What people call a layer."""
    return str(getattr(layer, "name", None) or getattr(layer, "__name__", None) or type(layer).__name__)


def _repeats(layer: object) -> Most:
    """How often more a layer may pass a call on; None for one that may do anything."""
    kind = type(layer)
    if holds(layer):
        return 0
    if not home(layer).startswith(_HOSTS):
        return None
    if kind.__name__ in _ONCE_MORE:
        return 1
    if kind.__name__ in _REPEAT:
        more = getattr(layer, _REPEAT[kind.__name__])
        return more if isinstance(more, int) else len(more)
    return 0 if kind.__name__ in _PASS_ON else None
