"""The bars of the ledger's benchmark: each can be missed and is named then; small runs judge no size."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from api.commands.bench_ledger import Bar, bars_of, bench_ledger
from api.commands.bench_ledger_sqlite import measure_fsync_ms, measure_sqlite
from api.commands.failures import CommandError

GOOD: dict[str, Any] = {
    "fsync_ms": 2.0,
    "sqlite_adds_up": True,
    "postgresql_adds_up": True,
    "own_transactions": 1.0,
    "sqlite": {"grouped": {"ratio": 10.0}},
    "postgresql": {
        "single": {"ratio": 1.5, "per_s": 1_500.0},
        "batched": {"ratio": 3.0, "per_s": 3_000.0},
        "hot_batched": {"ratio": 2.5, "per_s": 2_500.0},
        "hot_naive": {"ratio": 0.25, "per_s": 250.0},
        "wallets_10000": {"cpu_us": 100.0},
        "wallets_10000000": {"cpu_us": 130.0},
    },
}


def _missed(result: dict[str, Any]) -> list[str]:
    return [bar.name for bar in bars_of(result) if bar.ok is False]


def test_figures_that_just_reach_every_bar_miss_none() -> None:
    assert _missed(GOOD) == []
    assert len(bars_of(GOOD)) == 9


@pytest.mark.parametrize(
    ("where", "figure", "name"),
    [
        (("postgresql_adds_up",), False, "money adds up after the run"),
        (("sqlite_adds_up",), False, "money adds up after the run"),
        (("own_transactions",), 0.99, "transactions of a single charge"),
        (("postgresql", "single", "ratio"), 1.49, "single / TPC-B"),
        (("postgresql", "batched", "ratio"), 2.99, "batched / TPC-B"),
        (("postgresql", "hot_batched", "ratio"), 2.49, "hot wallet batched / TPC-B"),
        (("postgresql", "hot_naive", "per_s"), 251.0, "hot wallet batched / naive"),
        (
            ("postgresql", "wallets_10000000", "cpu_us"),
            131.0,
            "cost of a debit, 10,000,000 wallets / 10,000",
        ),
        (("sqlite", "grouped", "ratio"), 9.9, "SQLite group commit / one transaction each"),
    ],
)
def test_a_figure_below_its_bar_is_named(where: tuple[str, ...], figure: float, name: str) -> None:
    result = copy.deepcopy(GOOD)
    place = result
    for step in where[:-1]:
        place = place[step]
    place[where[-1]] = figure
    assert _missed(result) == [name]


def test_what_this_machine_can_not_judge_is_not_judged() -> None:
    result = copy.deepcopy(GOOD)
    result["fsync_ms"] = 0.08
    result["sqlite"]["grouped"]["ratio"] = 2.0
    result["postgresql"]["wallets_50000"] = {"cpu_us": 500.0}
    del result["postgresql"]["wallets_10000000"]
    unjudged = [bar for bar in bars_of(result) if bar.ok is None]
    assert _missed(result) == []
    assert all(isinstance(bar, Bar) and bar.why for bar in unjudged)
    assert len(unjudged) == 2


def test_the_figures_of_sqlite_come_from_debits_that_add_up(tmp_path: Path) -> None:
    rows, adds_up = measure_sqlite(tmp_path, 0.2, 100, 50, lambda _step: None)
    assert adds_up
    assert set(rows) == {"one_each", "callers", "grouped", "hot_grouped"}
    assert all(row["per_s"] > 0 and row["p99_ms"] >= row["p50_ms"] for row in rows.values())
    assert measure_fsync_ms(tmp_path) > 0


def test_a_store_nobody_has_is_named() -> None:
    with pytest.raises(CommandError, match="mysql"):
        bench_ledger(as_json=True, check=False, quick=True, only="mysql")
