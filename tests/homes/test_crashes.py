"""kill -9, two hundred times: no spend lost, no reservation immortal, never a unit over, and the journal replays."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from budgetkit import Ledger, Reservation, Spend, verify

KILLS = 200
ACCOUNT = ("tenant", "run")
WORKER = Path(__file__).with_name("crash_worker.py")
SETTLED = Spend(llm_calls=1, output_tokens=60)
LAPSED = Spend.from_units({"llm_calls": 1, "output_tokens": 100}, estimated=("llm_calls", "output_tokens"))

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(600)]


def crash(url: str, truth: Path, kills: int, seed: int) -> dict[str, int]:
    command = [sys.executable, str(WORKER), url, "/".join(ACCOUNT), str(truth), str(kills), str(seed)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own interpreter on our own script
    killed: dict[str, int] = json.loads(done.stdout)
    return killed


def told(truth: Path, word: str) -> set[str]:
    """The ids that the provider wrote down; a line that was cut by a kill is not one."""
    lines = truth.read_text().splitlines()
    return {line.removeprefix(f"{word} ") for line in lines if line.startswith(f"{word} ")}


def charges_at_rest(ledger: Ledger) -> dict[str, Reservation]:
    """Every charge, once what nobody will settle any more has expired."""
    deadline = time.monotonic() + 120
    while ledger.states(ACCOUNT)[-1].reserved:
        assert time.monotonic() < deadline, "a reservation is immortal"
        time.sleep(0.1)
    return {call.id: call for call in ledger.charges(ACCOUNT)}


@pytest.mark.parametrize("limit", [1_000_000, 300], ids=["ample", "tight"])
def test_kill_9_loses_no_spend_and_holds_no_money_for_ever(shared_home: Any, tmp_path: Path, limit: int) -> None:
    ledger, truth = shared_home.ledger(), tmp_path / "truth"
    ledger.open(ACCOUNT[:1], {"llm_calls": limit})
    ledger.open(ACCOUNT, {"output_tokens": 100 * limit})
    killed = crash(shared_home.url, truth, KILLS // 2, seed=limit)
    assert sum(killed.values()) == KILLS // 2
    charges = charges_at_rest(ledger)
    sent, billed = told(truth, "sent"), told(truth, "billed")

    assert sent <= set(charges), "a call was made that is not on the books"
    assert all(charges[id_].spend == SETTLED for id_ in billed)
    assert all(call.spend in (SETTLED, LAPSED) for call in charges.values())
    tenant, run = ledger.states(ACCOUNT)
    assert tenant.spent["llm_calls"] == run.spent["llm_calls"] == len(charges) <= limit
    assert not tenant.overshoot
    report = verify(ledger)
    assert report, report.differences[:5]
