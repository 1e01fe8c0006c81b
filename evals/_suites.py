"""The suites: multi-hop questions that one search does not answer, each with its paper and its files.

```
budgetkit eval sample
budgetkit eval hotpotqa --data DIR --agent react --budget tool_calls=5 --limit 100
```

All are scored alike: exact match and F1 of the short answer (`exact_match`, `f1`), and the share of supporting
passages that the agent's searches brought up (`recall`). A suite ``NAME`` reads ``NAME.dev.jsonl.gz`` and
``NAME.corpus.jsonl.gz`` (or the same unpacked) from the folder given; only `sample` is shipped.
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Final

from ._suite import Suite

__all__ = ["SUITES", "find_suite"]

_SAMPLE: Final = "sample"

SUITES: Final = {
    "hotpotqa": (
        "Yang et al., HotpotQA: A Dataset for Diverse, Explainable Multi-hop Question Answering, EMNLP 2018, "
        "arXiv 1809.09600. Bridge and comparison questions over two Wikipedia passages; CC BY-SA 4.0."
    ),
    "2wikimultihopqa": (
        "Ho et al., Constructing A Multi-hop QA Dataset for Comprehensive Evaluation of Reasoning Steps, COLING 2020, "
        "arXiv 2011.01060. Two to four hops, built from Wikidata triples; Apache-2.0."
    ),
    "musique": (
        "Trivedi et al., MuSiQue: Multihop Questions via Single-hop Question Composition, TACL 2022, "
        "arXiv 2108.00573. Two to four hops, each of which is needed; CC BY 4.0."
    ),
    "bamboogle": (
        "Press et al., Measuring and Narrowing the Compositionality Gap in Language Models, EMNLP Findings 2023, "
        "arXiv 2210.03350. Two-hop questions that a search engine does not answer at once; MIT. It names no "
        "supporting passages, so recall is unknown, and its corpus does not hold every answer."
    ),
    _SAMPLE: (
        "Written for budgetkit, about an invented country, so that an eval runs with nothing else installed: bridge, "
        "comparison and yes-no questions over 60 passages; MIT. Small and easy: not a benchmark."
    ),
}
"""Citation and kind of each suite, by name."""


def find_suite(name: str, data: Path | None = None) -> Suite:
    """The suite of that name, with its files in the folder ``data`` (not needed for ``sample``).

    Raises:
        ValueError: there is no such suite (with the nearest name), or it needs ``data``.
    """
    if name not in SUITES:
        raise ValueError(f"unknown suite {name!r}: {_hint(name)}")
    if name == _SAMPLE:
        here = Path(__file__).parent / "data"
        return Suite(name, SUITES[name], here / "sample.jsonl", here / "sample_corpus.jsonl")
    if data is None:
        raise ValueError(f"suite {name!r} is not shipped: pass --data, the folder that holds '{name}.dev.jsonl.gz'")
    return Suite(name, SUITES[name], _file(data, f"{name}.dev"), _file(data, f"{name}.corpus"))


def _hint(name: str) -> str:
    near = get_close_matches(name.lower(), SUITES, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(SUITES)}"


def _file(folder: Path, stem: str) -> Path:
    plain = folder / f"{stem}.jsonl"
    return plain if plain.is_file() else folder / f"{stem}.jsonl.gz"
