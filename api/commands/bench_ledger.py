"""`platepay bench ledger`: debits a second next to the database's own benchmark, and as it grows."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from api.commands.bench_ledger_postgres import Plan, PostgresqlBench
from api.commands.bench_ledger_sqlite import measure_fsync_ms, measure_sqlite
from api.commands.failures import CommandError
from api.commands.serve import keep_garbage_small

LONG = Plan(10.0, 50, 1_000, (10_000, 100_000, 1_000_000, 10_000_000), (100_000, 1_000_000, 10_000_000))
QUICK = Plan(1.0, 8, 1_000, (10_000, 50_000), (100_000,))
SLOW_DISK_MS = 0.5
MANY_WALLETS = 10_000_000
STORES = ("both", "sqlite", "postgresql")


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure that must be reached. ok is None where this machine cannot judge it."""

    name: str
    found: float
    least: float | None
    most: float | None
    ok: bool | None
    why: str = ""


def bench_ledger(*, as_json: bool, check: bool, quick: bool, only: str) -> int:
    """Measure, print; with `check` 1 where a bar is missed."""
    if only not in STORES:
        raise CommandError(f"--only is one of {', '.join(STORES)}; got {only}")
    # As the service does: looking for circles in what lives is a sixth of a debit's cost.
    keep_garbage_small()
    console = Console(stderr=True)
    plan = QUICK if quick else LONG
    folder = Path(tempfile.mkdtemp(prefix="platepay-ledger-"))
    result: dict[str, Any] = {"quick": quick, "fsync_ms": round(measure_fsync_ms(folder), 3)}
    try:
        with Progress(console=console, transient=True) as progress:
            bar = progress.add_task("starting", total=None)

            def tell(step: str) -> None:
                progress.update(bar, description=step)

            _measure(result, folder, plan, only, tell)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    bars = bars_of(result)
    result["bars"] = [{"name": bar.name, "found": bar.found, "ok": bar.ok, "why": bar.why} for bar in bars]
    if as_json:
        sys.stdout.write(json.dumps(result) + "\n")
    else:
        _print(result, bars)
    missed = [bar for bar in bars if bar.ok is False]
    if check and missed:
        names = ", ".join(f"{bar.name} is {bar.found}" for bar in missed)
        sys.stderr.write(f"platepay: bars missed: {names}\n")
    return 1 if check and missed else 0


def _measure(
    result: dict[str, Any], folder: Path, plan: Plan, only: str, tell: Callable[[str], None]
) -> None:
    if only in ("both", "sqlite"):
        rows, adds_up = measure_sqlite(folder, plan.seconds, 10_000, plan.in_flight, tell)
        result["sqlite"], result["sqlite_adds_up"] = rows, adds_up
    if only in ("both", "postgresql"):
        figures = PostgresqlBench(folder / "postgresql", plan, tell).measure()
        result["postgresql"], result["postgresql_adds_up"] = figures.rows, figures.holds
        result["tpcb_runs"] = figures.tpcb
        result["own_transactions"] = figures.own_transactions


def bars_of(result: dict[str, Any]) -> list[Bar]:
    """What must hold of these figures."""
    bars = [
        _least("money adds up after the run", float(result[name]), 1.0)
        for name in ("sqlite_adds_up", "postgresql_adds_up")
        if name in result
    ]
    if (rows := result.get("postgresql")) is not None:
        bars += [
            _least("transactions of a single charge", float(result["own_transactions"]), 1.0),
            _least("single / TPC-B", rows["single"]["ratio"], 1.5),
            _least("batched / TPC-B", rows["batched"]["ratio"], 3.0),
            _least("hot wallet batched / TPC-B", rows["hot_batched"]["ratio"], 2.5),
            _least("hot wallet batched / naive", _ratio(rows, "hot_batched", "hot_naive"), 10.0),
        ]
        sizes = [int(name.removeprefix("wallets_")) for name in rows if name.startswith("wallets_")]
        bars.append(_growth(rows, min(sizes), max(sizes)))
    if (rows := result.get("sqlite")) is not None:
        bars.append(_group_commit(rows["grouped"]["ratio"], result["fsync_ms"]))
    return bars


def _least(name: str, found: float, least: float) -> Bar:
    return Bar(name, found, least, None, found >= least)


def _ratio(rows: dict[str, dict[str, float]], above: str, below: str) -> float:
    return round(rows[above]["per_s"] / rows[below]["per_s"], 2)


def _growth(rows: dict[str, dict[str, float]], small: int, large: int) -> Bar:
    """By CPU: how long a debit takes says more of the neighbours than of the number of wallets."""
    found = round(rows[f"wallets_{large}"]["cpu_us"] / rows[f"wallets_{small}"]["cpu_us"], 2)
    name = f"cost of a debit, {large:,} wallets / {small:,}"
    if large < MANY_WALLETS:
        return Bar(name, found, None, 1.3, None, f"judged from {MANY_WALLETS:,} wallets")
    return Bar(name, found, None, 1.3, found <= 1.3)


def _group_commit(found: float, fsync_ms: float) -> Bar:
    name = "SQLite group commit / one transaction each"
    if fsync_ms < SLOW_DISK_MS:
        why = f"this disk takes {fsync_ms} ms a sync; judged from {SLOW_DISK_MS} ms"
        return Bar(name, found, 10.0, None, None, why)
    return Bar(name, found, 10.0, None, found >= 10.0)


def _print(result: dict[str, Any], bars: list[Bar]) -> None:
    console = Console()
    for store in ("postgresql", "sqlite"):
        if store not in result:
            continue
        beside = "TPC-B" if store == "postgresql" else "one each"
        table = Table(title=f"debits on {store}, a sync takes {result['fsync_ms']} ms", title_justify="left")
        for heading in ("pattern", "debits/s", f"x {beside}", "CPU us", "x CPU", "p50 ms", "p99 ms"):
            table.add_column(heading, justify="left" if heading == "pattern" else "right")
        for name, row in result[store].items():
            table.add_row(
                name.replace("_", " "),
                f"{row['per_s']:,.0f}",
                f"{row['ratio']:.2f}",
                f"{row['cpu_us']:.0f}",
                f"{row['cpu_ratio']:.2f}",
                f"{row['p50_ms']:.1f}",
                f"{row['p99_ms']:.1f}",
            )
        console.print(table)
    verdicts = {True: "[green]reached[/green]", False: "[bold red]missed[/bold red]", None: "not judged"}
    table = Table(title="bars" + (" (small sizes: --quick)" if result["quick"] else ""), title_justify="left")
    for heading in ("bar", "found", "asked", "verdict"):
        table.add_column(heading)
    for bar in bars:
        asked = f">= {bar.least:g}" if bar.least is not None else f"<= {bar.most:g}"
        table.add_row(bar.name, f"{bar.found:g}", asked, f"{verdicts[bar.ok]} {bar.why}".strip())
    console.print(table)
