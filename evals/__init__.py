"""Questions in, quality per cost out: suites, runner, scorers, report.

```python
suite = find_suite("sample")
run = run_eval(suite, lambda tools: react(model, tools, budget), budget, out=Path("runs/sample.jsonl"))
rich.print(table([summarise(run.path)]))
```
"""

from ._answer import short_answer
from ._audit import Audit
from ._corpus import Corpus, Passage
from ._evaluate import AGENTS, EvalSettings, evaluate
from ._interval import Interval, interval, paired
from ._job import Agent, EvalRun, Progress
from ._main import main
from ._records import DataError
from ._run_file import RunFile, read_results
from ._runner import arun_eval, run_eval
from ._scorers import exact_match, f1, normalise, recall
from ._search_tool import search_tool
from ._suite import Question, Suite
from ._suites import SUITES, find_suite
from ._summary import Middle, Summary, summarise
from ._table import table

__all__ = [
    "AGENTS",
    "SUITES",
    "Agent",
    "Audit",
    "Corpus",
    "DataError",
    "EvalRun",
    "EvalSettings",
    "Interval",
    "Middle",
    "Passage",
    "Progress",
    "Question",
    "RunFile",
    "Suite",
    "Summary",
    "arun_eval",
    "evaluate",
    "exact_match",
    "f1",
    "find_suite",
    "interval",
    "main",
    "normalise",
    "paired",
    "read_results",
    "recall",
    "run_eval",
    "search_tool",
    "short_answer",
    "summarise",
    "table",
]
