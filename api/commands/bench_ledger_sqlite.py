"""The ledger's benchmark on SQLite: group commit next to one transaction each, and what the disk costs."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from api.commands.bench_ledger_fill import OPENED_FEN, add_wallets, settle
from api.commands.bench_ledger_load import (
    Debits,
    Pick,
    Run,
    adds_up,
    anybody,
    by_callers,
    in_flight,
    one_wallet,
)
from wallet.service import Wallet, open_wallet

FSYNCS = 100
PAGE = 4096


def measure_fsync_ms(folder: Path) -> float:
    """What it costs, in the mean, to have one more page of a file on this disk."""
    path = folder / "fsync"
    costs = []
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        for page in range(FSYNCS):
            os.pwrite(handle, b"x" * PAGE, page * PAGE)
            started = time.perf_counter()
            os.fdatasync(handle)
            costs.append((time.perf_counter() - started) * 1000)
    finally:
        os.close(handle)
        path.unlink()
    return statistics.mean(costs)


def measure_sqlite(
    folder: Path, seconds: float, wallets: int, in_flight_most: int, tell: Callable[[str], None]
) -> tuple[dict[str, dict[str, float]], bool]:
    """Figures by name, and whether the ledger adds up."""
    tell("filling SQLite")
    wallet = open_wallet(f"sqlite:///{folder / 'bench.db'}")
    try:
        add_wallets(wallet.engine, 0, wallets)
        settle(wallet.engine)
        figures = {}
        for name, run in _patterns(wallet, wallets, seconds, in_flight_most).items():
            tell(f"SQLite: {name.replace('_', ' ')}")
            started = time.process_time()
            done = run()
            figures[name] = {
                "per_s": round(done.per_s, 1),
                "p50_ms": round(done.percentile_ms(50), 2),
                "p99_ms": round(done.percentile_ms(99), 2),
                "cpu_us": round((time.process_time() - started) / max(1, done.done) * 1e6, 1),
            }
        for row in figures.values():
            row["ratio"] = round(row["per_s"] / figures["one_each"]["per_s"], 2)
            row["cpu_ratio"] = round(figures["one_each"]["cpu_us"] / row["cpu_us"], 2)
        return figures, adds_up(wallet, OPENED_FEN)
    finally:
        wallet.close()


def _patterns(wallet: Wallet, count: int, seconds: float, most: int) -> dict[str, Callable[[], Run]]:
    def debits(name: str, number: int = 0, pick: Pick = anybody(count)) -> Debits:  # noqa: B008
        return Debits(f"{name}-{number}", pick, Random(number))  # noqa: S311  load, no secret

    return {
        "one_each": lambda: by_callers(wallet.store.alone, lambda n: debits("one", n), seconds, 1),
        "callers": lambda: by_callers(wallet.store.write, lambda n: debits("callers", n), seconds, 16),
        "grouped": lambda: in_flight(wallet, debits("grouped"), seconds, most),
        "hot_grouped": lambda: in_flight(wallet, debits("hot", pick=one_wallet), seconds, most),
    }
