"""Run by test_crash.py as a process of its own: arrives and sells for ever, says what was acknowledged."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

from wallet.facts import Posterior, Sale, SightingFact
from wallet.service import open_wallet

START = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
PLATE = "粤B12345"


def work(database_url: str, first: int) -> None:
    """One stay after the other, an hour apart. Each line is written after its transaction was committed."""
    wallet = open_wallet(database_url)
    number = first
    while True:
        at = START + timedelta(hours=number)
        sighting = SightingFact(f"sighting-{number}", "demo", "c", "1", at, at, PLATE, "blue", 500, 8)
        arrival = wallet.arrive(sighting, Posterior(((PLATE, 999_500),), 500), at)
        print(f"arrived {number} {arrival.hold_fen}", flush=True)
        sold_at = at + timedelta(minutes=1)
        sale = Sale(f"sale-{number}", "demo", "1", "92", 10, 1_000, 10, sold_at, sold_at)
        result = wallet.record_sale(sale, sold_at)
        print(f"sold {number} {result.captured_fen}", flush=True)
        number += 1


if __name__ == "__main__":
    work(sys.argv[1], int(sys.argv[2]))
