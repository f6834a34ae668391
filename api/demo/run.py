"""`platepay demo`: sets the scene, lets the cars come, and says whether each ended as it should."""

from __future__ import annotations

import json
import shutil
import socket
import sys
import tempfile
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.progress import Progress

from api.commands.audit import as_dict, audit_table
from api.commands.database import open_existing_wallet
from api.commands.failures import EXIT_FAILURE, CommandError
from api.demo.outcome import CarRecord, assign, balance_problems
from api.demo.pump import DeviceIdentity, PumpClient, serve_car
from api.demo.script import CARS, CUSTOMERS, film_script
from api.demo.station import OPERATOR, DemoStation
from api.demo.table import cars_table
from cameras.errors import RtspServerError
from cameras.rtsp_server import RtspServer
from cameras.simulator import rendered
from wallet.facts import AuditReport

LOOK_EVERY_S = 0.4
PLAY_WITHIN_S = 40.0
SETTLE_WITHIN_S = 12.0
# Where nobody has said how wide the output is (a log), the table gets room.
LOG_WIDTH = 110


@dataclass(slots=True)
class Forecourt:
    """What the demo knows while it runs."""

    station: DemoStation
    records: list[CarRecord]
    names: dict[str, str]
    accounts: dict[str, str]
    stream_started_at: datetime
    strays: list[dict[str, Any]]

    def look(self) -> None:
        """Bring the records up to the match log."""
        self.station.check_alive()
        self.strays = assign(self.records, self.station.matches(), self.stream_started_at)
        for record in self.records:
            if record.is_settled and record.balance_after_fen is None and record.car.plate in self.accounts:
                record.balance_after_fen = self.station.available_fen(self.accounts[record.car.plate])

    def problems(self) -> list[str]:
        """What did not end as it should."""
        available = {plate: self.station.available_fen(account) for plate, account in self.accounts.items()}
        found = [problem for record in self.records for problem in record.problems()]
        found += [f"a sighting of no car: {stray['sighting']['text']}" for stray in self.strays]
        return found + balance_problems(available)


def run_demo(*, headless: bool, as_json: bool, port: int) -> int:
    """Run the forecourt once; 0 where every car ended as it should and the ledger holds, else 1."""
    started = time.monotonic()
    # For machines stdout carries the one JSON line; everything for people goes to stderr.
    console = Console(stderr=as_json)
    if not console.is_terminal:
        console = Console(stderr=as_json, width=LOG_WIDTH)
    folder = Path(tempfile.mkdtemp(prefix="platepay-demo-"))
    try:
        with DemoStation(folder, port or free_port(), page=not headless) as station:
            forecourt = _play(station, console)
            # The database is looked at while the service still runs, as `platepay audit` would.
            report = _audit(station)
            problems = forecourt.problems()
            console.print()
            console.print(audit_table(report))
            ok = not problems and report.ok
            for problem in problems:
                console.print(f"[bold red]not as it should:[/bold red] {problem}")
            if ok:
                console.print(f"[bold green]All {len(CARS)} cars ended as they should.[/bold green]")
            if as_json:
                _print_result(ok, forecourt, report, problems, time.monotonic() - started)
            if not headless:
                _stay_up(station, console)
            return 0 if ok else 1
    except CommandError as error:
        if as_json:
            sys.stdout.write(json.dumps({"ok": False, "problems": [str(error)]}, ensure_ascii=False) + "\n")
        sys.stderr.write(f"platepay: {error}\n")
        return EXIT_FAILURE
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _play(station: DemoStation, console: Console) -> Forecourt:
    """Set the scene and let every car come and go."""
    devices = station.register()
    station.start_service()
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("filming the forecourt", total=None)
        film = rendered(
            film_script(), None, lambda done, total: progress.update(bar, completed=done, total=total)
        )
    station.wait_until_ready()
    station.log_in()
    accounts = {customer.plate: station.welcome(customer) for customer in CUSTOMERS}
    console.print(
        f"service on {station.url}, {len(accounts)} accounts opened and recharged through the sandbox channel"
    )
    with RtspServer(film.parent) as server:
        url = server.url(film.name)
        console.print(f"camera on {url}")
        station.start_camera(devices["camera"], url)
        stream_started = _wait_for_play(server, film.name, station)
        forecourt = Forecourt(
            station,
            [CarRecord(car) for car in CARS],
            {accounts[customer.plate]: customer.name for customer in CUSTOMERS},
            accounts,
            datetime.now(UTC) - timedelta(seconds=time.monotonic() - stream_started),
            [],
        )
        _watch_the_cars(forecourt, devices["pump"], stream_started, console)
        # The worker tells of the last departures when it is told to stop.
        station.stop("camera")
        forecourt.look()
    return forecourt


def _watch_the_cars(
    forecourt: Forecourt, pump: DeviceIdentity, stream_started: float, console: Console
) -> None:
    """Run a pump for each car and show the table until every car is settled, or too late."""
    stop = threading.Event()
    client = PumpClient(forecourt.station.url, pump)
    last_leaves_s = max(car.leaves_s for car in CARS)
    deadline = stream_started + last_leaves_s + SETTLE_WITHIN_S
    # A console that is no terminal gets the finished table once, not every state of it.
    live = Live(console=console, refresh_per_second=4)
    with ThreadPoolExecutor(len(CARS)) as pool, live:
        try:
            sales = {
                id(record): pool.submit(serve_car, client, record.car, stream_started, stop)
                for record in forecourt.records
            }
            while time.monotonic() < deadline:
                forecourt.look()
                _note_the_till(forecourt.records, sales)
                live.update(cars_table(forecourt.records, forecourt.names))
                if all(record.is_settled for record in forecourt.records) and all(
                    sale.done() for sale in sales.values()
                ):
                    break
                time.sleep(LOOK_EVERY_S)
            for sale in sales.values():
                sale.result(timeout=SETTLE_WITHIN_S)
        finally:
            stop.set()
            client.close()


def _note_the_till(records: list[CarRecord], sales: dict[int, Future[dict[str, Any] | None]]) -> None:
    for record in records:
        sale = sales[id(record)]
        record.at_till = sale.done() and sale.exception() is None and sale.result() is None


def _wait_for_play(server: RtspServer, film: str, station: DemoStation) -> float:
    try:
        return server.wait_for_play(film, PLAY_WITHIN_S)
    except RtspServerError:
        station.check_alive()
        raise


def _audit(station: DemoStation) -> AuditReport:
    wallet = open_existing_wallet(station.settings)
    try:
        return wallet.audit()
    finally:
        wallet.close()


def _print_result(
    ok: bool, forecourt: Forecourt, report: AuditReport, problems: list[str], seconds: float
) -> None:
    result = {
        "ok": ok,
        "cars": [record.as_dict() for record in forecourt.records],
        "audit": as_dict(report),
        "problems": problems,
        "seconds": round(seconds, 1),
    }
    sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _stay_up(station: DemoStation, console: Console) -> None:
    """Keep the service and its page until Ctrl-C."""
    console.print(
        f"\nThe match log: [bold]{station.url}/operator[/bold]   "
        f"name [bold]{OPERATOR}[/bold]  password [bold]{station.password}[/bold]\nCtrl-C ends the demo."
    )
    try:
        while True:
            station.check_alive()
            time.sleep(1.0)
    except KeyboardInterrupt:
        console.print("ending")


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
