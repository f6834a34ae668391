"""The ledger's benchmark on PostgreSQL, next to pgbench TPC-B on the same server in the same run."""

from __future__ import annotations

import itertools
import re
import resource
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from api.commands.bench_ledger_fill import OPENED_FEN, add_past, add_wallets, settle
from api.commands.bench_ledger_load import (
    Debits,
    Pick,
    Run,
    adds_up,
    anybody,
    by_callers,
    fleet,
    in_flight,
    naive_debit,
    one_wallet,
    own_transactions,
)
from api.commands.failures import CommandError
from api.commands.torture_postgres import PostgresServer
from wallet.rules import Rules
from wallet.service import Wallet, new_uuid7
from wallet.store.database import Store, check_durability, create_schema, make_engine

CALLERS = 16
# Clients of pgbench: its transactions share flushes of the disk too, so the better of the two counts.
CLIENTS = (16, 32)
SINGLES = 64
SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "4GB", "checkpoint_timeout": "30min"}


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how large. seconds: of each measurement. scale: of pgbench, 100,000 rows each."""

    seconds: float
    scale: int
    in_flight: int
    wallets: tuple[int, ...]
    past: tuple[int, ...]


@dataclass(slots=True)
class Figures:
    """What was measured. rows: by name; ratio is to TPC-B by speed, cpu_ratio by the CPU one debit costs."""

    rows: dict[str, dict[str, float]] = field(default_factory=dict)
    tpcb: list[dict[str, float]] = field(default_factory=list)
    holds: bool = True
    # Of single charges: transactions for each of them.
    own_transactions: float = 0.0


class PostgresqlBench:
    """One server with one ledger and pgbench's tables beside it."""

    def __init__(self, folder: Path, plan: Plan, tell: Callable[[str], None]) -> None:
        self._plan = plan
        self._tell = tell
        self._server = PostgresServer(folder, SETTINGS)
        self._runs = itertools.count()
        self.figures = Figures()

    def measure(self) -> Figures:
        """Everything, with TPC-B before, between and after."""
        plan = self._plan
        try:
            self._tell("starting PostgreSQL")
            self._server.make()
            self._server.start()
            self._server.run("createdb", *self._server.address(), "tpcb")
            self._server.run("pgbench", *self._server.address(), "-i", "-q", "-s", str(plan.scale), "tpcb")
            wallet = self._open(plan.wallets[0])
            self._warm_up(wallet)
            self._patterns(wallet, plan.wallets[0])
            self._growth(wallet)
            self.figures.holds = adds_up(wallet, OPENED_FEN)
            wallet.close()
        finally:
            self._server.remove()
        self._compare()
        return self.figures

    def _open(self, wallets: int) -> Wallet:
        engine = make_engine(self._server.url)
        check_durability(engine)
        create_schema(engine)
        add_wallets(engine, 0, wallets)
        settle(engine)
        return Wallet(Store(engine), Rules(), new_uuid7, {})

    def _warm_up(self, wallet: Wallet) -> None:
        """Statements prepared, pages in memory: nobody pays for being first."""
        self._tell("warming up")
        self._tpcb(CALLERS, self._plan.seconds / 3)
        for alone in (False, True):
            debits = self._debits(anybody(self._plan.wallets[0]))
            in_flight(wallet, debits, self._plan.seconds / 3, 100, alone=alone)

    def _patterns(self, wallet: Wallet, count: int) -> None:
        seconds, many = self._plan.seconds, self._plan.in_flight

        single = self._debits(anybody(count))

        def naive() -> Run:
            return by_callers(
                lambda debit: naive_debit(wallet, debit), lambda _: self._debits(one_wallet), seconds, 8
            )

        measured: dict[str, Callable[[], Run]] = {
            "single": lambda: in_flight(wallet, single, seconds, SINGLES, alone=True),
            "single_16": lambda: in_flight(
                wallet, self._debits(anybody(count)), seconds, CALLERS, alone=True
            ),
            "single_callers": lambda: by_callers(
                wallet.store.alone, lambda _: self._debits(anybody(count)), seconds, CALLERS
            ),
            "callers": lambda: by_callers(
                wallet.store.write, lambda _: self._debits(anybody(count)), seconds, CALLERS
            ),
            "batched": lambda: in_flight(wallet, self._debits(anybody(count)), seconds, many),
            "hot_batched": lambda: in_flight(wallet, self._debits(one_wallet), seconds, many),
            "fleet_batched": lambda: in_flight(wallet, self._debits(fleet(count)), seconds, many),
            "hot_naive": naive,
        }
        for place, (name, run) in enumerate(measured.items()):
            if place % 2 == 0:
                self._measure_tpcb()
            self._measure(name, run)
        self._measure_tpcb()
        self.figures.own_transactions = own_transactions(wallet, single.run)

    def _growth(self, wallet: Wallet) -> None:
        """The same debit among more wallets, then behind more past transfers."""
        plan = self._plan
        sizes = [("wallets", count) for count in plan.wallets] + [("past", count) for count in plan.past]
        past = 0
        for (kind, count), before in zip(sizes, [0, *(count for _, count in sizes)], strict=False):
            wallets = count if kind == "wallets" else plan.wallets[-1]
            if kind == "wallets" and count > plan.wallets[0]:
                self._tell(f"filling up to {count:,} wallets")
                add_wallets(wallet.engine, before, count)
            elif kind == "past":
                self._tell(f"filling up to {count:,} past transfers")
                add_past(wallet.engine, past, count, wallets)
                past = count
            settle(wallet.engine)
            pick = anybody(wallets)
            in_flight(wallet, self._debits(pick), plan.seconds / 2, plan.in_flight)
            self._measure(
                f"{kind}_{count}",
                lambda pick=pick: in_flight(wallet, self._debits(pick), plan.seconds, plan.in_flight),  # type: ignore[misc]
            )

    def _debits(self, pick: Pick) -> Debits:
        number = next(self._runs)
        return Debits(f"run-{number}", pick, Random(number))  # noqa: S311  load, no secret

    def _measure(self, name: str, run: Callable[[], Run]) -> None:
        self._tell(name.replace("_", " "))
        before = self._cpu_s()
        done = run()
        cpu_us = (self._cpu_s() - before) / max(1, done.done) * 1e6
        self.figures.rows[name] = {
            "per_s": round(done.per_s, 1),
            "p50_ms": round(done.percentile_ms(50), 2),
            "p99_ms": round(done.percentile_ms(99), 2),
            "cpu_us": round(cpu_us, 1),
        }

    def _measure_tpcb(self) -> None:
        self._tell("pgbench TPC-B")
        for clients in CLIENTS:
            connected = self._cpu_s()
            self._pgbench(clients, "-t", "1")
            before = self._cpu_s()
            done = self._tpcb(clients, self._plan.seconds)
            # What its connections cost is no part of a transaction: a run of next to none shows it.
            used_s = max(0.0, self._cpu_s() - before - (before - connected))
            cpu_us = used_s / max(1.0, done * self._plan.seconds) * 1e6
            self.figures.tpcb.append(
                {"clients": clients, "per_s": round(done, 1), "cpu_us": round(cpu_us, 1)}
            )

    def _tpcb(self, clients: int, seconds: float) -> float:
        """Transactions a second."""
        said = self._pgbench(clients, "-T", str(max(1, round(seconds))))
        found = re.search(r"^tps = ([0-9.]+)", said, re.MULTILINE)
        if found is None:
            raise CommandError(f"pgbench said nothing of its speed: {said[-200:]}")
        return float(found[1])

    def _pgbench(self, clients: int, *arguments: str) -> str:
        how = ("-M", "prepared", "-n", "-c", str(clients), "-j", "2")
        return self._server.run("pgbench", *self._server.address(), *how, *arguments, "tpcb")

    def _compare(self) -> None:
        """Ratios to the middle one of the TPC-B runs, with as many clients as it is faster with."""
        middle, cpu_us = max(map(self._middle, CLIENTS), key=lambda found: found[0]["per_s"])
        for row in self.figures.rows.values():
            row["ratio"] = round(row["per_s"] / middle["per_s"], 2)
            row["cpu_ratio"] = round(cpu_us / row["cpu_us"], 2) if row["cpu_us"] else 0.0
        self.figures.rows["tpcb"] = {
            **middle,
            "cpu_us": cpu_us,
            "p50_ms": 0.0,
            "p99_ms": 0.0,
            "ratio": 1.0,
            "cpu_ratio": 1.0,
        }

    def _middle(self, clients: int) -> tuple[dict[str, float], float]:
        """Of the TPC-B runs with so many clients: the one of middle speed, and the middle of their CPU."""
        runs = [run for run in self.figures.tpcb if run["clients"] == clients]
        runs.sort(key=lambda run: run["per_s"])
        return runs[len(runs) // 2], sorted(run["cpu_us"] for run in runs)[len(runs) // 2]

    def _cpu_s(self) -> float:
        """What this process, the programs it ran and the server have used so far."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        ran = resource.getrusage(resource.RUSAGE_CHILDREN)
        return own.ru_utime + own.ru_stime + ran.ru_utime + ran.ru_stime + self._server.cpu_s()
