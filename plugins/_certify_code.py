"""What can be seen of a function without calling it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from inspect import isfunction, ismethod
from types import CodeType, FunctionType
from typing import Any, Final, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, Send

__all__ = ["COMMAND", "LEAVES", "SEND", "cells", "functions_of", "home", "is_host", "refers_to", "speaks_of"]

SEND: Final = "Send"
COMMAND: Final = "Command"
LEAVES: Final = "PARENT"
"""``Command.PARENT``: a subgraph that sends its parent somewhere."""

_HOSTS: Final = ("langchain.", "langchain_core.", "langgraph.", "deepagents.", "budgetkit.plugins.")
_WORDS: Final = frozenset({SEND, COMMAND, LEAVES})
_MEANT: Final[dict[object, str]] = {Send: SEND, Command: COMMAND}


def home(thing: object) -> str:
    """The module in which a function or the class of an object is written."""
    own = thing if isfunction(thing) or isinstance(thing, type) else type(thing)
    return str(own.__module__)


def cells(function: Callable[..., Any]) -> dict[str, Any]:
    """What a function closes over, by name."""
    if not isfunction(function):
        return {}
    held = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    return {name: value for name, cell in held for value in _content(cell)}


def _content(cell: Any) -> list[Any]:
    try:
        return [cell.cell_contents]
    except ValueError:  # a name that is not bound yet
        return []


def functions_of(runnable: object) -> list[Callable[..., Any]]:
    """The functions that a node made of a function runs, sync and async; the host's own twin of one is left out."""
    sync: Any = getattr(runnable, "func", None)
    awaited: Any = getattr(runnable, "afunc", None)
    own = [sync] if getattr(awaited, "__wrapped__", None) is sync else [sync, awaited]
    return [function for function in own if function is not None]


def is_host(code: object) -> bool:
    """Whether a node is the hosts' own code, which goes only where its edges lead."""
    functions = functions_of(code)
    return (
        bool(functions)
        and not isinstance(code, ToolNode)
        and all(home(_plain(f)).startswith(_HOSTS) for f in functions)
    )


def speaks_of(code: object) -> frozenset[str]:
    """Which of `Send`, `Command` and ``Command.PARENT`` the code of a node or a branch names, helpers included."""
    if isinstance(code, ToolNode):
        tools = (cast("Any", tool) for tool in code.tools_by_name.values())
        roots: list[object] = [
            f for tool in tools for f in (getattr(tool, "func", None), getattr(tool, "coroutine", None))
        ]
    elif nodes := getattr(getattr(code, "builder", None), "nodes", None):
        return frozenset({LEAVES} if any(LEAVES in speaks_of(node.runnable) for node in nodes.values()) else ())
    else:
        roots = [*functions_of(code)] or [code]
    return frozenset(word for function in _followed(roots) for word in _words(function))


def _words(function: FunctionType) -> set[str]:
    named = {name for code in _codes(function.__code__) for name in code.co_names}
    meant = {_MEANT[value] for value in _values(function) if isinstance(value, type) and value in _MEANT}
    return (named & _WORDS) | meant


def refers_to(code: object) -> list[Runnable[Any, Any]]:
    """The models and graphs that a function reaches by its names."""
    found = [value for function in _followed([*functions_of(code)] or [code]) for value in _values(function)]
    return [value for value in found if isinstance(value, BaseChatModel) or hasattr(value, "builder")]


def _followed(roots: list[Any]) -> list[FunctionType]:
    """These functions, and those of the same package that they name."""
    found: list[FunctionType] = []
    waiting = [function for root in roots if (function := _plain(root)) is not None]
    while waiting:
        function = waiting.pop()
        if function not in found:
            found.append(function)
            waiting += [named for value in _values(function) if (named := _neighbour(value, function)) is not None]
    return found


def _neighbour(value: Any, function: FunctionType) -> FunctionType | None:
    named = _plain(value) if isfunction(value) or ismethod(value) else None
    package = function.__module__.partition(".")[0]
    return named if named is not None and named.__module__.partition(".")[0] == package else None


def _plain(thing: Any) -> FunctionType | None:
    """The function behind a method, a partial or a callable object; None if there is none to be read."""
    while isinstance(thing, partial):
        thing = cast("Any", thing).func
    if not (isfunction(thing) or ismethod(thing)):
        thing = getattr(cast("Any", type(thing)), "__call__", None)  # noqa: B004 - the method itself
    thing = getattr(thing, "__func__", thing)
    return thing if isinstance(thing, FunctionType) else None


def _values(function: FunctionType) -> Iterator[Any]:
    """What a function's global names and its closure stand for."""
    for code in _codes(function.__code__):
        yield from (function.__globals__[name] for name in code.co_names if name in function.__globals__)
    yield from cells(function).values()


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A function's code, and that of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
