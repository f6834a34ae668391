"""`platepay bench watch`: what one camera costs, in memory and CPU, and where the time of one car goes."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from api.commands.bench_stages import StageTimes, time_stages
from api.demo.script import CUSTOMERS
from api.demo.station import DemoStation
from cameras.forecourt import Script, ScriptedCar
from cameras.rtsp_server import RtspServer
from cameras.simulator import rendered

SAMPLE_EVERY_S = 1.0
PLAY_WITHIN_S = 40.0
MEGABYTE = 1024 * 1024
# Each car of the benchmark's film stands this long, at each of two pumps in turn.
STAND_S = 8.0
TURN_S = 12.0
FILM_S = 96.0


@dataclass(slots=True)
class Usage:
    """Resident memory and CPU of one process, a sample a second."""

    process: psutil.Process
    rss_mb: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)

    def sample(self) -> None:
        """Look once."""
        with self.process.oneshot():
            self.rss_mb.append(self.process.memory_info().rss / MEGABYTE)
            times = self.process.cpu_times()
        self.cpu_s.append(times.user + times.system)
        self.at_s.append(time.monotonic())

    def as_dict(self) -> dict[str, float]:
        """rss_settled_mb: after the first minute, or half-way through a shorter run."""
        settled = next((i for i, at in enumerate(self.at_s) if at - self.at_s[0] >= 60), len(self.at_s) // 2)
        elapsed_s = self.at_s[-1] - self.at_s[0]
        return {
            "cores": round((self.cpu_s[-1] - self.cpu_s[0]) / elapsed_s, 3),
            "rss_first_mb": round(self.rss_mb[0], 1),
            "rss_settled_mb": round(self.rss_mb[settled], 1),
            "rss_last_mb": round(self.rss_mb[-1], 1),
            "rss_most_mb": round(max(self.rss_mb), 1),
        }


def bench_watch(*, seconds: int, as_json: bool, engine: str) -> None:
    """Run service and worker on a 720p stream at 10 frames a second, measure, and print."""
    console = Console(stderr=True)
    folder = Path(tempfile.mkdtemp(prefix="platepay-bench-"))
    try:
        with Progress(console=console, transient=True) as progress:
            bar = progress.add_task("filming", total=None)
            film = rendered(
                bench_script(),
                progress=lambda done, total: progress.update(bar, completed=done, total=total),
            )
            processes = _measure_processes(folder, film, seconds, progress)
            bar = progress.add_task("timing the stages", total=None)
            stages = time_stages(film, engine, folder)
        result = {"seconds": seconds, **processes, "stages": stages.as_dict()}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if as_json:
        sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
    else:
        _print(result, stages)


def bench_script() -> Script:
    """A busy quarter of a forecourt: a car at one of two pumps nearly all the time."""
    cars = []
    for number in range(int((FILM_S - 4.0) // (TURN_S / 2))):
        pump = "1" if number % 2 == 0 else "2"
        arrives_s = 2.5 + number * TURN_S / 2
        plate = CUSTOMERS[number % len(CUSTOMERS)]
        cars.append(ScriptedCar(plate.plate, plate.colour, pump, arrives_s, arrives_s + STAND_S - 1.0))
    return Script(tuple(cars), length_s=FILM_S)


def _measure_processes(folder: Path, film: Path, seconds: int, progress: Progress) -> dict[str, Any]:
    from api.demo.run import free_port

    with DemoStation(folder, free_port(), page=True) as station:
        devices = station.register()
        station.start_service()
        station.wait_until_ready()
        station.log_in()
        for customer in CUSTOMERS:
            station.welcome(customer)
        # Each time the film ends the worker connects again and sees it from the start.
        with RtspServer(film.parent, at_end="end", shared_clock=False) as server:
            station.start_camera(devices["camera"], server.url(film.name))
            server.wait_for_play(film.name, PLAY_WITHIN_S)
            usages = {name: Usage(psutil.Process(pid)) for name, pid in station.pids().items()}
            bar = progress.add_task("watching one camera", total=seconds)
            started = time.monotonic()
            while (elapsed := time.monotonic() - started) < seconds:
                station.check_alive()
                for usage in usages.values():
                    usage.sample()
                progress.update(bar, completed=elapsed)
                time.sleep(SAMPLE_EVERY_S)
            cameras = station.get("/v1/health")["cameras"]
            return {
                "machine": {"cores": os.cpu_count()},
                "camera": usages["camera"].as_dict(),
                "service": usages["service"].as_dict(),
                "frames": {name: cameras[0][name] for name in ("frames", "dropped", "broken_frames")},
                "sightings": len(station.matches()),
            }


def _print(result: dict[str, Any], stages: StageTimes) -> None:
    console = Console()
    table = Table(title=f"one 720p camera, 10 frames a second, {result['seconds']} s", title_justify="left")
    for heading in ("process", "cores", "MB at first", "MB settled", "MB last", "MB most"):
        table.add_column(heading, justify="left" if heading == "process" else "right")
    for name in ("camera", "service"):
        usage = result[name]
        table.add_row(
            name,
            f"{usage['cores']:.2f}",
            *(f"{usage[f'rss_{when}_mb']:.0f}" for when in ("first", "settled", "last", "most")),
        )
    console.print(table)
    console.print(stages.table())
