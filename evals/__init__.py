"""Questions in, quality per cost out: suites, runner, scorers, report.

```python
suite = find_suite("sample")
run = run_eval(suite, lambda tools: react(model, tools, budget), budget, out=Path("runs/sample.jsonl"))
rich.print(table([summarise(run.path)]))
```
"""

from ._agents import ABLATIONS, AGENTS, Ablation
from ._answer import short_answer
from ._audit import Audit
from ._compare import Comparison
from ._corpus import Corpus, Passage
from ._estimate import Estimate, Interval, interval
from ._evaluate import EvalSettings, aevaluate, evaluate
from ._grid import GridProgress, aevaluate_many, evaluate_many, grid
from ._job import Agent, EvalRun, Progress
from ._main import main
from ._paired import paired
from ._panel import Cell, Panel
from ._presets import PRESETS, Preset, read_budget
from ._records import DataError
from ._report import Report
from ._run_file import RunFile, read_results
from ._runner import arun_eval, run_eval
from ._scorers import exact_match, f1, normalise, recall
from ._search_tool import search_tool
from ._suite import Question, Suite
from ._suites import SUITES, find_suite
from ._summary import Middle, Summary, summarise
from ._table import table

__all__ = [
    "ABLATIONS",
    "AGENTS",
    "PRESETS",
    "SUITES",
    "Ablation",
    "Agent",
    "Audit",
    "Cell",
    "Comparison",
    "Corpus",
    "DataError",
    "Estimate",
    "EvalRun",
    "EvalSettings",
    "GridProgress",
    "Interval",
    "Middle",
    "Panel",
    "Passage",
    "Preset",
    "Progress",
    "Question",
    "Report",
    "RunFile",
    "Suite",
    "Summary",
    "aevaluate",
    "aevaluate_many",
    "arun_eval",
    "evaluate",
    "evaluate_many",
    "exact_match",
    "f1",
    "find_suite",
    "grid",
    "interval",
    "main",
    "normalise",
    "paired",
    "read_budget",
    "read_results",
    "recall",
    "run_eval",
    "search_tool",
    "short_answer",
    "summarise",
    "table",
]
