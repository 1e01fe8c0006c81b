"""The homes of the books beyond this process, and how a URL names one."""

from __future__ import annotations

from ._urls import ledger_from_url

__all__ = ["ledger_from_url"]
