"""What a strategy asks for."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from ._results import Finish

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._results import Kind

__all__ = ["ROOT", "Mode", "Move"]

ROOT: Final = "0"
"""The node of the question itself."""

Mode = Literal["deepen", "widen"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One thing to do. Its id follows from the tree, so that asking twice asks for the same.

    Attributes:
        id: its name in the tree, and the name under which its result is told.
        kind: plan, propose, appraise, verify and answer are a model's; act calls a tool; finish ends the search.
        node: where in the tree; for an act the node that it makes.
        mode: deepen goes on from the node, widen tries something different.
        option: for an act, which of its parent's options it takes.
        text: for a verification the answer that is judged; for a finish the answer.
        n: how many options are wanted.
        why: the reason, for people.
    """

    id: str
    kind: Kind
    node: str
    mode: Mode = "deepen"
    option: int = -1
    text: str = ""
    n: int = 1
    why: str = ""

    @property
    def parent(self) -> str:
        """The node above; empty for the root."""
        return self.node.rpartition(".")[0]

    @property
    def end(self) -> Finish:
        """What a finish comes to: it is told as soon as it is asked."""
        return Finish(self.text, self.node)

    def to_json(self) -> dict[str, Any]:
        """As JSON data."""
        return {name: value for name, value in asdict(self).items() if value != _DEFAULTS.get(name, ...)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Move:
        """Read what `to_json` wrote."""
        return cls(**data)


_DEFAULTS: Final = {"mode": "deepen", "option": -1, "text": "", "n": 1, "why": ""}
