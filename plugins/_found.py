"""What a search brought."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._words import Passage

__all__ = ["Found"]


@dataclass(frozen=True, slots=True)
class Found:
    """The result of one search.

    Attributes:
        query: what was searched for.
        passages: what came back, best first, as the tool ranked it.
    """

    query: str
    passages: tuple[Passage, ...]
