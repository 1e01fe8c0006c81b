"""Tools for testing graphs that spend: a scripted model, a manual clock, a mock server, one assertion, real databases.

Example:
    >>> from budgetkit.testing import ManualClock
    >>> ManualClock(start=2.0)()
    2.0
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ._assert_spent import assert_spent
from ._clock import ManualClock
from ._server import MockOpenAIServer

if TYPE_CHECKING:
    from ._ledger_home import AsyncTwins, LedgerHome, MemoryHome
    from ._ledger_machine import check_machine, ledger_machine
    from ._ledger_property import LedgerProperty
    from ._ledger_suite import LEDGER_PROPERTIES, LedgerFinding, LedgerReport, check_ledger, check_property
    from ._ledger_urls import home_at
    from ._script import ScriptedCall, ScriptedRequest, ScriptExhaustedError, Turn, call
    from ._scripted import ScriptedChatModel
    from ._servers import Server, postgres_server, redis_server
    from ._servers_postgres import PostgresServer
    from ._servers_process import ServerError
    from ._servers_redis import RedisServer
    from ._strategies import STRATEGY_PROPERTIES, StrategyFinding, StrategyReport, check_strategy
    from ._strategies_broken import BROKEN_POLICIES
    from ._strategies_play import Play, play
    from ._strategies_policy import Asked, ScriptedPolicy
    from ._strategies_property import StrategyProperty

__all__ = [
    "BROKEN_POLICIES",
    "LEDGER_PROPERTIES",
    "STRATEGY_PROPERTIES",
    "Asked",
    "AsyncTwins",
    "LedgerFinding",
    "LedgerHome",
    "LedgerProperty",
    "LedgerReport",
    "ManualClock",
    "MemoryHome",
    "MockOpenAIServer",
    "Play",
    "PostgresServer",
    "RedisServer",
    "ScriptExhaustedError",
    "ScriptedCall",
    "ScriptedChatModel",
    "ScriptedPolicy",
    "ScriptedRequest",
    "Server",
    "ServerError",
    "StrategyFinding",
    "StrategyProperty",
    "StrategyReport",
    "Turn",
    "assert_spent",
    "call",
    "check_ledger",
    "check_machine",
    "check_property",
    "check_strategy",
    "home_at",
    "ledger_machine",
    "play",
    "postgres_server",
    "redis_server",
]

_LATE: Final = {
    "_ledger_home": {"AsyncTwins", "LedgerHome", "MemoryHome"},
    "_ledger_machine": {"check_machine", "ledger_machine"},
    "_ledger_property": {"LedgerProperty"},
    "_ledger_suite": {"LEDGER_PROPERTIES", "LedgerFinding", "LedgerReport", "check_ledger", "check_property"},
    "_ledger_urls": {"home_at"},
    "_script": {"ScriptExhaustedError", "ScriptedCall", "ScriptedRequest", "Turn", "call"},
    "_scripted": {"ScriptedChatModel"},
    "_servers": {"PostgresServer", "RedisServer", "Server", "ServerError", "postgres_server", "redis_server"},
    "_strategies": {"STRATEGY_PROPERTIES", "StrategyFinding", "StrategyReport", "check_strategy"},
    "_strategies_broken": {"BROKEN_POLICIES"},
    "_strategies_play": {"Play", "play"},
    "_strategies_policy": {"Asked", "ScriptedPolicy"},
    "_strategies_property": {"StrategyProperty"},
}
"""What is loaded on first use: it needs LangChain, Hypothesis, or a system that has Unix sockets."""


def __getattr__(name: str) -> Any:
    """Load the rest on first use."""
    for module, names in _LATE.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
