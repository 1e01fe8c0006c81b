"""Run budgetkit beside its peers, on one mock server, and write what happened to `docs/peers.md`.

    python docs/peers/compare.py

Makes virtual environments of its own for the peers, with the versions of the requirement files beside it, and removes
them at the end; needs nothing but budgetkit with its `agents` extra.
"""

import argparse
import json
import os
import subprocess
import tempfile
import urllib.request
import venv
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from drive import ADAPTERS, rows_of
from guard import CALLS, MODEL, Row
from page import write_page
from results import Result
from scenarios import SCENARIOS, TOKENS, Scenario, reply

from budgetkit import PriceBook, Usage
from budgetkit.testing import MockOpenAIServer

HERE = Path(__file__).parent
PAGE = HERE.parent / "peers.md"
LIMIT = 180
"""Seconds that one peer may take for one scenario."""

Pythons = Mapping[str, Path]
"""The Python that an adapter runs on, by the adapter's name; ``""`` for all that are not named."""

Driven = Callable[[str, int, Scenario, str, Decimal], dict[str, Any]]
"""Drives a row of an adapter through a scenario at an address, under a cap in dollars."""


def main() -> None:
    """Make the environments, run everything, write the page."""
    options = argparse.ArgumentParser(description="Fill docs/peers.md: run budgetkit beside its peers.")
    options.add_argument("--venvs", type=Path, help="keep the peers' environments here and use them again")
    kept: Path | None = options.parse_args().venvs
    with tempfile.TemporaryDirectory(prefix="peers-") as scratch:
        pythons = make_environments(kept or Path(scratch))
        results = list(compare(partial(in_a_process, pythons, scratch)))
        PAGE.write_text(write_page(results, versions(pythons), datetime.now(UTC).date()), encoding="utf-8")


def make_environments(folder: Path) -> Pythons:
    """Make the virtual environments; returns their Pythons: LiteLLM's own, and the one for all others (``""``)."""
    litellm = make_environment(folder / "litellm", "-r", HERE / "requirements-litellm.txt")
    others = make_environment(folder / "others", "-r", HERE / "requirements.txt", f"{HERE.parents[1]}[agents]")
    return {"litellm_": litellm, "": others}


def make_environment(folder: Path, *wanted: str | Path) -> Path:
    """Make a virtual environment, if it is not there; returns its Python."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *wanted], check=True)
    return python


def versions(pythons: Pythons) -> dict[str, str]:
    """What is installed for the peers; a package that is in both environments counts where it has a row."""
    return _installed(pythons[""]) | {"litellm": _installed(pythons["litellm_"])["litellm"]}


def _installed(python: Path) -> dict[str, str]:
    listed = subprocess.run([python, "-m", "pip", "list", "--format=json"], check=True, capture_output=True)
    return {package["name"]: package["version"] for package in json.loads(listed.stdout)}


def compare(driven: Driven) -> Iterator[Result]:
    """Every row in every scenario, two at a time."""
    lines = [(adapter, number, row) for adapter in ADAPTERS for number, row in enumerate(rows_of(adapter))]
    with ThreadPoolExecutor(2) as pool:
        for scenario in SCENARIOS.values():
            usd = worth(driven, scenario)
            yield from pool.map(partial(measure, driven, scenario, usd), lines)


def worth(driven: Driven, scenario: Scenario) -> Decimal:
    """What the first `CALLS` calls cost where nothing stops them and each reply arrives whole, and a tenth more."""
    with MockOpenAIServer(reply, model=MODEL, **scenario.switches) as server:
        driven("nothing", 0, scenario, server.base_url, Decimal(0))
        prompts = sum(tokens_of(server, body) for body in server.requests[:CALLS])
    return round(price(prompts, CALLS * TOKENS) * Decimal("1.1"), 6)


def measure(driven: Driven, scenario: Scenario, usd: Decimal, line: tuple[str, int, Row]) -> Result:
    """Drive one row through one scenario against a server of its own, and read the server's count."""
    adapter, number, row = line
    with MockOpenAIServer(reply, model=MODEL, **scenario.switches) as server:
        told = driven(adapter, number, scenario, server.base_url, usd)
        server.wait_idle()
    return Result(
        row=row,
        scenario=scenario,
        cap=usd,
        calls=server.calls,
        spent=price(server.prompt_tokens, server.completion_tokens),
        recorded=None if told["recorded"] is None else Decimal(told["recorded"]),
        got=told["got"],
    )


def in_a_process(
    pythons: Pythons, scratch: str, adapter: str, number: int, scenario: Scenario, url: str, usd: Decimal
) -> dict[str, Any]:
    """Drive a row in a process of its own, which ends at the time limit."""
    python = pythons.get(adapter, pythons[""])
    command = [python, HERE / "drive.py", adapter, str(number), scenario.name, url, str(usd)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI", "LANG", "LITELLM"))}
    offline = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}  # else it asks the network for its prices
    run = partial(subprocess.run, cwd=scratch, env=kept | offline, capture_output=True, text=True, timeout=LIMIT)
    try:
        told: dict[str, Any] = json.loads(run(command, check=True).stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return {"got": f"nothing within {LIMIT} s", "recorded": None}
    return told


def tokens_of(server: MockOpenAIServer, body: dict[str, Any]) -> int:
    """Ask the server how long a prompt is."""
    asked = urllib.request.Request(f"{server.url}/tokenize", json.dumps(body).encode())
    with urllib.request.urlopen(asked) as told:
        count: int = json.load(told)["count"]
    return count


def price(input_tokens: int, output_tokens: int) -> Decimal:
    """What so many tokens cost, in dollars."""
    usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
    return Decimal(PriceBook().cost(MODEL, usage, provider="openai")).scaleb(-9)


if __name__ == "__main__":
    main()
