"""A search tree for people: as Mermaid, and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ._evidence import query_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._node_of import TreeNode
    from ._tree import SearchTree

__all__ = ["search_mermaid", "search_text"]

_LONGEST: Final = 60
_BRANCH: Final = ("├─ ", "└─ ")
_MARKS: Final = str.maketrans(
    {"&": "#amp;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "#": "#35;", "%": "#37;", "`": "#96;"}
)
_STEM: Final = ("│  ", "   ")


def search_text(tree: SearchTree) -> str:
    """The tree as an outline: each node's value, what was done, and what came of it.

    Example:
        ```
        Who designed the Lantern Bridge?  0.3
        ├─ Lantern Bridge  0.7  +4
        │  └─ Oda Brenn architect  0.8  +1
        └─ bridges of Alba  0.3  under way
        answer: Oda Brenn
        ```
    """
    return "\n".join([f"{_short(tree.question)}  {tree.root.value:.1f}", *_outline(tree), *_end(tree)])


def search_mermaid(tree: SearchTree) -> str:
    """The tree as a Mermaid flowchart; the way to the answer is drawn thick."""
    answered = tree.finished.node if tree.finished else ""
    chosen = {step.id for step in tree.nodes[answered].path()} if answered in tree.nodes else set[str]()
    lines = ["flowchart TD"]
    for node in tree:
        lines.append(f'  {_name(node)}["{_safe(_label(tree, node))}<br/>{_numbers(node)}"]')
        if node.parent is not None:
            arrow = "==>" if node.id in chosen else "-->"
            lines.append(f"  {_name(node.parent)} {arrow} {_name(node)}")
    if said := _said(tree):
        lines += [f'  answer(["{_safe(_short(said))}"])', f"  {_name(tree.nodes[answered])} ==> answer"]
    return "\n".join(lines)


def _outline(tree: SearchTree) -> Iterator[str]:
    waiting = _below(tree.root, "")
    while waiting:
        node, branch, stem = waiting.pop()
        yield f"{branch}{_label(tree, node)}  {_numbers(node)}"
        waiting += _below(node, stem)


def _below(node: TreeNode, stem: str) -> list[tuple[TreeNode, str, str]]:
    """The children, the last first: each with what its line begins with, and what the lines under it do."""
    children = [(child, child is node.children[-1]) for child in node.children]
    return [(child, stem + _BRANCH[last], stem + _STEM[last]) for child, last in reversed(children)]


def _end(tree: SearchTree) -> list[str]:
    return [f"answer: {said}"] if (said := _said(tree)) else []


def _said(tree: SearchTree) -> str:
    return _line(tree.finished.answer) if tree.finished else ""


def _label(tree: SearchTree, node: TreeNode) -> str:
    return _short(query_of(node.made)) or _short(node.made.tool) if node.made else _short(tree.question)


def _numbers(node: TreeNode) -> str:
    progress = f"  {node.appraisal.delta:+d}" if node.appraisal else ""
    state = "" if node.reached else ("  lost" if node.lost is not None else "  under way")
    return f"{node.value:.1f}{progress}{state}"


def _name(node: TreeNode) -> str:
    return f"n{node.id.replace('.', '_')}"


def _short(text: str) -> str:
    line = _line(text)
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _line(text: str) -> str:
    """On one line, without signs that a terminal would obey."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _safe(text: str) -> str:
    """Text that cannot end its label, or be taken for markup, an entity or a directive (``%%{init: …}%%``)."""
    return text.translate(_MARKS)
