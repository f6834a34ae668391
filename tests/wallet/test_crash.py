"""The process is killed in the middle of its work: what it acknowledged is there, and it adds up."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wallet.service import open_wallet

WORKER = Path(__file__).parent / "customer_at_work.py"
ROOT = Path(__file__).parents[2]
KILLS = 4


def _work_until_killed(database_url: str, first: int, lines: int) -> list[tuple[str, int, int]]:
    """What the worker acknowledged before it was killed, some random microseconds after `lines` answers."""
    with subprocess.Popen(
        [sys.executable, str(WORKER), database_url, str(first)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    ) as worker:
        said = [worker.stdout.readline() for _ in range(lines)]
        worker.send_signal(signal.SIGKILL)
        said += worker.stdout.readlines()
    found = (re.fullmatch(r"(arrived|sold) (\d+) (\d+)\n", line) for line in said)
    return [(match[1], int(match[2]), int(match[3])) for match in found if match]


@pytest.mark.parametrize("seed", [20261121])
def test_what_was_acknowledged_before_a_kill_is_there_after_it(database_url, forecourt, wallet, seed):
    account_id = forecourt.customer("粤B12345", 500_000)
    chance = random.Random(seed)
    first = 0
    acknowledged = []
    for _ in range(KILLS):
        said = _work_until_killed(database_url, first, chance.randint(1, 12))
        assert said
        acknowledged += said
        # The last answer may have been lost: its request is made again, under the same name.
        first = max(number for _, number, _ in said)
    after = open_wallet(database_url)
    captured = {visit.sale_id: visit.captured_fen for visit in after.visits(limit=10_000, state="captured")}
    matched = {row.match.sighting_id for row in after.matches(limit=10_000)}
    for what, number, amount_fen in acknowledged:
        if what == "arrived":
            assert amount_fen == 40_000
            assert f"sighting-{number}" in matched
        else:
            assert captured[f"sale-{number}"] == amount_fen == 10
    # Nothing was taken twice: one capture for each sale, at most one a kill that was not acknowledged.
    sold = {number for what, number, _ in acknowledged if what == "sold"}
    assert len(sold) <= len(captured) <= len(sold) + KILLS
    balance = after.balance(account_id)
    assert balance.principal_fen == 500_000 - 10 * len(captured)
    assert balance.held_fen in (0, 40_000)
    after.close()
