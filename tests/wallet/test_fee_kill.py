"""The process is killed in the middle of settling fees, and settles again: each sale costs its fee once."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wallet.fee_facts import FeeTerms
from wallet.fees import fee_of

WORKER = Path(__file__).parent / "settler_at_work.py"
ROOT = Path(__file__).parents[2]
SEAL_KEY = b"the key of this service"
START = datetime(2026, 11, 21, tzinfo=UTC)
# Millionths and fen that each sale of a station costs it.
TERMS = {
    "demo": FeeTerms("demo", "demo", 100_000, 7, START, "contract", "wang", START),
    "north": FeeTerms("north", "north", 6_000, 0, START, "contract", "wang", START),
}


@pytest.fixture
def settler(database_url):
    """Settles in a process of its own: (settlements, fen) once it is committed, None where it was killed."""
    with subprocess.Popen(
        [sys.executable, "-u", str(WORKER), database_url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    ) as worker:

        def settle(key, moment, statement=None):
            worker.stdin.write(f"{key} {'-' if statement is None else statement} {moment.isoformat()}\n")
            worker.stdin.flush()
            said = worker.stdout.readline()
            if said == "killed 9\n":
                return None
            found = re.fullmatch(r"settled (\d+) (-?\d+)\n", said)
            assert found, said
            return int(found[1]), int(found[2])

        yield settle
        worker.stdin.close()


class Till:
    """Two stations that sell and give back; it knows what of each sale is left."""

    def __init__(self, wallet, forecourt, chance):
        self.wallet, self.forecourt, self.chance = wallet, forecourt, chance
        self.account_id = forecourt.customer("粤B00001", 500_000)
        self.seconds = iter(range(10, 3_600))
        self.hours = iter(range(1, 1_000))
        self.left_fen = {}
        self.refunds = 0
        for terms in TERMS.values():
            how = {"fixed_fen": terms.fixed_fen, **self._by()}
            self.wallet.fees.set_terms(terms.station, terms.rate_ppm, terms.reason, **how)

    def _by(self):
        second = next(self.seconds)
        return {"key": f"till-{second}", "actor": "wang", "now": self.forecourt.at(second)}

    def sell(self, station=None):
        """A charge at a station, or at any."""
        station = station or self.chance.choice(sorted(TERMS))
        amount_fen = self.chance.randint(1, 9_999)
        done = self.wallet.commands.charge(self.account_id, station, amount_fen, "wash", **self._by())
        self.left_fen[done.charge_id] = station, amount_fen

    def sell_fuel(self):
        """A car arrives, an hour after the one before, and is captured."""
        second = next(self.hours) * 3_600
        self.forecourt.arrive("粤B00001", seconds=second)
        amount_fen = self.chance.randint(1, 9_999)
        result = self.forecourt.sell(amount_fen, started=second + 30, ended=second + 90)
        assert result.captured_fen == amount_fen
        self.left_fen[result.visit_id] = "demo", amount_fen

    def give_back_some(self):
        """The same where anything was sold."""
        if any(fen for _, fen in self.left_fen.values()):
            self.give_back()

    def give_back(self):
        """A part of a sale, or all of it."""
        name = self.chance.choice([name for name, (_, fen) in self.left_fen.items() if fen])
        station, left_fen = self.left_fen[name]
        part_fen = self.chance.choice([left_fen, self.chance.randint(1, left_fen)])
        visits = {visit.id for visit in self.wallet.visits(limit=10_000)}
        of = {"visit_id": name} if name in visits else {"charge_id": name}
        self.wallet.commands.refund(part_fen, "dry", **of, **self._by())
        self.left_fen[name] = station, left_fen - part_fen
        self.refunds += 1

    def due_fen(self, station):
        """What all sales of a station cost it now, each by itself."""
        return sum(fee_of(TERMS[its], fen) for its, fen in self.left_fen.values() if its == station)

    def must_be_settled(self):
        """Every sale and refund was counted once, and exactly its fee was kept."""
        settled = self.wallet.fees.settlements(limit=10_000)
        assert sum(one.debits for one in settled) == len(self.left_fen)
        assert sum(one.refunds for one in settled) == self.refunds
        for station in TERMS:
            assert self.wallet.fees.funds(station).fee_fen == self.due_fen(station)
        assert [check for check in self.wallet.proving.audit(SEAL_KEY).checks if not check.ok] == []


@pytest.fixture
def till(wallet, forecourt):
    return Till(wallet, forecourt, random.Random(20261122))


def test_a_settlement_killed_at_any_statement_books_nothing_and_then_all_once(
    wallet, forecourt, till, settler
):
    till.sell("north")
    till.sell("demo")
    till.sell_fuel()
    till.give_back()
    wallet.proving.seal(SEAL_KEY, everything=True)
    moment = forecourt.at(1_000 * 3_600)
    kills = 0
    while (done := settler("night", moment, kills)) is None:
        kills += 1
        assert wallet.fees.settlements() == []
        assert [wallet.fees.funds(station).fee_fen for station in TERMS] == [0, 0]
    assert kills >= 20
    assert done == (2, sum(till.due_fen(station) for station in TERMS))
    till.must_be_settled()
    # Killed after its commit, before anybody heard of it: the name gets the first answer, a new one nothing.
    assert settler("night", moment) == done
    assert settler("morning", moment) == (0, 0)
    till.must_be_settled()


def test_random_days_with_kills_cost_each_sale_its_fee_once_and_refunds_bring_it_back(
    forecourt, till, settler
):
    moment = forecourt.at(1_000 * 3_600)
    chance, killed = till.chance, 0
    for night in range(4):
        for _ in range(chance.randint(2, 6)):
            chance.choice([till.sell, till.sell, till.sell_fuel, till.give_back_some])()
        for _ in range(4):
            # Half of those who come after a kill do not know the name of the one before.
            key = chance.choice([f"night-{night}", f"again-{chance.randint(0, 10**9)}"])
            killed += settler(key, moment, chance.randint(0, 40)) is None
        assert settler(f"last-{night}", moment) is not None
        till.must_be_settled()
    assert killed >= 6
    assert till.refunds >= 2
