"""A search, drawn: exactly, and so that nothing that was searched for can get out of its label."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from budgetkit.plugins import (
    Appraisal,
    Finish,
    Move,
    Observation,
    Option,
    Options,
    SearchTree,
    search_mermaid,
    search_text,
)

HOSTILE = (
    'a "quote"] --> b[(x',
    "one\ntwo\r\n\tthree\u2028four",
    "<script>alert('x')</script><br/>",
    "`**bold**` [link](javascript:alert(1))",
    "50%% of it",
    "%%{init: {'theme': 'forest', 'themeCSS': '* {display: none}'}}%%",
    "#quot;] --> evil[#quot;",
    "&quot;&amp;&#34;&lt;b&gt;",
    'end\nclick n0 href "javascript:alert(1)"',
    "subgraph style n0 fill:#f00; classDef x",
    "\x1b[2J\x1b]8;;http://x\x07hidden\x00",
    "\u202egnp.exe\ud800",
    "x" * 10_000,
    "",
    "   ",
)


def drawn(question: str, calls: Mapping[str, Option], answer: str = "", at: str = "0") -> SearchTree:
    """A tree of these calls, by node; those on the way to the answer came to something."""
    tree = SearchTree(question, "test")
    for child, option in calls.items():
        node = tree.nodes[child.rpartition(".")[0]]
        key = f"propose:{node.id}:{node.rounds}"
        tree.mark([Move(id=key, kind="propose", node=node.id)])
        tree.tell(key, Options((option,)))
        tree.mark([Move(id=f"act:{child}", kind="act", node=child, option=len(node.options) - 1)])
    if answer:
        tree.mark([Move(id="finish", kind="finish", node=at, text=answer)])
    return tree


def query(text: str) -> Option:
    return Option("search", {"query": text})


@pytest.fixture
def bridge() -> SearchTree:
    calls = {
        "0.0": query("Lantern Bridge"),
        "0.1": query("bridges of Alba"),
        "0.0.0": Option("browse", {"url": "https://alba", "goals": ["Oda Brenn", {"which": "architect"}]}),
        "0.0.1": Option("today", {"days": 3}),
    }
    tree = drawn("Who designed  the\nLantern Bridge?", calls)
    for child, delta in (("0.0", 4), ("0.0.0", -1)):
        tree.tell(f"act:{child}", Observation("a page"))
        tree.mark([Move(id=f"appraise:{child}", kind="appraise", node=child)])
        tree.tell(f"appraise:{child}", Appraisal(delta))
    tree.lose("act:0.1", "refused")
    tree.mark([Move(id="finish", kind="finish", node="0.0.0", text='Oda "the arch" Brenn')])
    return tree


def test_a_tree_as_text(bridge: SearchTree) -> None:
    assert search_text(bridge) == (
        "Who designed the Lantern Bridge?  0.3\n"
        "├─ Lantern Bridge  0.7  +4\n"
        "│  ├─ https://alba Oda Brenn architect  0.6  -1\n"
        "│  └─ today  0.7  under way\n"
        "└─ bridges of Alba  0.3  lost\n"
        'answer: Oda "the arch" Brenn'
    )


def test_a_tree_as_mermaid(bridge: SearchTree) -> None:
    assert search_mermaid(bridge) == (
        "flowchart TD\n"
        '  n0["Who designed the Lantern Bridge?<br/>0.3"]\n'
        '  n0_0["Lantern Bridge<br/>0.7  +4"]\n'
        "  n0 ==> n0_0\n"
        '  n0_1["bridges of Alba<br/>0.3  lost"]\n'
        "  n0 --> n0_1\n"
        '  n0_0_0["https://alba Oda Brenn architect<br/>0.6  -1"]\n'
        "  n0_0 ==> n0_0_0\n"
        '  n0_0_1["today<br/>0.7  under way"]\n'
        "  n0_0 --> n0_0_1\n"
        '  answer(["Oda #quot;the arch#quot; Brenn"])\n'
        "  n0_0_0 ==> answer"
    )


def test_a_tree_of_nothing_but_the_question() -> None:
    tree = SearchTree("Why?", "test")
    assert search_text(tree) == "Why?  0.3"
    assert search_mermaid(tree) == 'flowchart TD\n  n0["Why?<br/>0.3"]'


@pytest.mark.parametrize("nothing", ["", " \n", "\x00"])
def test_an_end_without_an_answer_draws_none(nothing: str) -> None:
    tree = drawn("Why?", {})
    tree.mark([Move(id="finish", kind="finish", node="0", text=nothing)])
    assert tree.finished == Finish(nothing, "0")
    assert "answer" not in search_text(tree) + search_mermaid(tree)


# -- labels that want out -------------------------------------------------------------------------------------------

LABEL = r"[^\"<>`%&\n\r\x00-\x1f]*"
LINES = re.compile(
    "flowchart TD\n"
    rf'  n0\["({LABEL})<br/>0\.3"\]\n'
    rf'  n0_0\["({LABEL})<br/>0\.3  under way"\]\n'
    r"  n0 (?:==|--)> n0_0\n"
    rf'  answer\(\["({LABEL})"\]\)\n'
    r"  n0 ==> answer"
)

signs = st.text(st.sampled_from("\"[]()<>{}%#&;`'\\|\n a1:-=") | st.characters(), max_size=80)


@given(signs)
@example(HOSTILE[0])
def test_no_label_can_be_broken_out_of(text: str) -> None:
    """Mermaid takes entities as ``#name;`` and ``#number;``, comments as ``%%`` and directives as ``%%{``, anywhere."""
    assert_held(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_hostile_label_breaks_out(text: str) -> None:
    assert_held(text)


def assert_held(text: str) -> None:
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    shown = line if len(line) <= 60 else f"{line[:60]}…"
    tree = drawn(text, {"0.0": query(text)}, answer=text if line else "-")
    labels = LINES.fullmatch(search_mermaid(tree))
    assert labels
    assert [decoded(label) for label in labels.groups()] == [shown, shown or "search", shown or "-"]
    entities = [part for label in labels.groups() for part in label.split("#")[1:]]
    assert all(re.match(r"(quot|amp|lt|gt|35|37|96);", part) for part in entities)

    outline = [f"{shown}  0.3", f"└─ {shown or 'search'}  0.3  under way", f"answer: {line or '-'}"]
    assert search_text(tree).split("\n") == outline
    assert all(map(str.isprintable, outline))


def decoded(label: str) -> str:
    """As Mermaid shows it."""
    return html.unescape(re.sub(r"#(\d+);", r"&#\1;", re.sub(r"#([a-z]+);", r"&\1;", label)))


def test_a_search_a_thousand_steps_deep_can_be_drawn() -> None:
    deep = {".".join("0" * (depth + 1)): query(f"step {depth}") for depth in range(1, 1_200)}
    tree = drawn("Why?", deep)
    assert search_text(tree).count("\n") == search_mermaid(tree).count("-->") == 1_199
