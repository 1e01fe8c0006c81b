"""Other people's words in a prompt: they can be read there, and cannot speak for the prompt."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ._results import Option

__all__ = ["call_line", "quoted", "shortened"]

_MARKS: Final = re.compile(
    r"<(?=\s*/?\s*(?:found|notes|budget)\b)"  # the prompt's own
    r"|<(?=\s*[|\uff5c])"  # what chat templates put around their roles, which a server may read inside of a text, too
    r"|<(?=<?/?(?:s|bos|eos|sys|think|start_of_turn|end_of_turn)>)"
    r"|\[(?=\s*/?\s*INST\s*\])",
    re.IGNORECASE,
)
_ESCAPES: Final = {"<": "&lt;", "[": "&#91;"}
_LONGEST_CALL: Final = 200


def quoted(text: str) -> str:
    """A text in which nothing can be taken for a mark of the prompt, or of a chat template."""
    return _MARKS.sub(lambda mark: _ESCAPES[mark.group()], text)


def shortened(text: str, most: int) -> str:
    """A text of at most ``most`` characters; what is left out leaves a mark."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def call_line(option: Option) -> str:
    """A tool call in one line: ``search(query="jaws")``."""
    items = sorted(option.args.items())
    args = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False, default=str)}" for name, value in items)
    return shortened(f"{option.tool}({args})", _LONGEST_CALL)
