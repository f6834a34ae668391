"""Where the time of one car goes: each stage timed in this process, on one thread."""

from __future__ import annotations

import itertools
import secrets
import statistics
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.table import Table

from api.demo.script import CUSTOMERS
from api.weighing import weigh
from cameras.config import CameraConfig
from cameras.forecourt import zones
from cameras.sinks import new_sighting_id
from cameras.sources import open_source
from vision.backends import load_detector, load_reader, load_second_reader
from vision.confusion import measured_confusion
from vision.pipeline import PipelineOptions, Stopwatch, build_pipeline
from vision.posterior import Traffic
from vision.types import Sighting, Zone
from wallet.facts import ChannelPayment, Sale, SightingFact
from wallet.service import Wallet, open_wallet

FRAMES = 300
CARS = 60
ROUNDS = ("decode", "gate", "detect", "level", "read", "second", "track", "match", "hold", "debit")


@dataclass(slots=True)
class StageTimes:
    """Milliseconds of each call of each stage."""

    calls_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, stage: str, seconds: float) -> None:
        """One call of a stage."""
        self.calls_ms[stage].append(seconds * 1000)

    def as_dict(self) -> dict[str, dict[str, float]]:
        """By stage: how often it ran, median and 95th percentile in milliseconds."""
        return {
            stage: {
                "calls": len(calls),
                "median_ms": round(statistics.median(calls), 3),
                "p95_ms": round(sorted(calls)[int(len(calls) * 0.95)], 3),
            }
            for stage in ROUNDS
            if (calls := self.calls_ms.get(stage))
        }

    def table(self) -> Table:
        """For people."""
        table = Table(title="where the time of one car goes", title_justify="left")
        for heading in ("stage", "calls", "median ms", "p95 ms"):
            table.add_column(heading, justify="left" if heading == "stage" else "right")
        for stage, row in self.as_dict().items():
            table.add_row(stage, str(row["calls"]), f"{row['median_ms']:.2f}", f"{row['p95_ms']:.2f}")
        return table


def time_stages(film: Path, engine: str, folder: Path) -> StageTimes:
    """Run the film through decoder and pipeline, then cars through a wallet of their own."""
    times = StageTimes()
    sightings = _time_vision(film, engine, times)
    _time_wallet(sightings, folder, times)
    return times


def _time_vision(film: Path, engine: str, times: StageTimes) -> list[Sighting]:
    options = PipelineOptions(
        zones=tuple(Zone(zone.name, zone.polygon) for zone in zones()), reentry_s=3.0, decide_within_s=5.0
    )
    stopwatch = Stopwatch(time.perf_counter, times.add)
    pipeline = build_pipeline(
        options,
        load_detector(engine),
        load_reader(engine),
        stopwatch,
        second_reader=load_second_reader(engine),
    )
    source = open_source(CameraConfig("bench", "bench", str(film)))
    sightings: list[Sighting] = []
    try:
        for _ in range(FRAMES):
            started = time.perf_counter()
            frame = source.read(5.0)
            if frame is None:
                break
            times.add("decode", time.perf_counter() - started)
            sightings += [event for event in pipeline.process(frame) if isinstance(event, Sighting)]
    finally:
        source.close()
    return sightings


def _time_wallet(sightings: list[Sighting], folder: Path, times: StageTimes) -> None:
    wallet = open_wallet(f"sqlite:///{folder / 'bench.db'}")
    try:
        now = datetime.now(UTC)
        for customer in CUSTOMERS:
            _open(wallet, customer.name, customer.plate, customer.colour, now)
        seen = itertools.cycle([sighting for sighting in sightings if sighting.text is not None])
        for number in range(CARS if sightings else 0):
            # A day between the visits keeps each a stay of its own.
            _one_car(wallet, next(seen), now + timedelta(days=number), times)
    finally:
        wallet.close()


def _open(wallet: Wallet, name: str, plate: str, colour: str, now: datetime) -> None:
    account = wallet.open_account(name, None, f"open-{plate}", now)
    wallet.bind_vehicle(account.id, plate, colour, f"bind-{plate}", now)
    order = wallet.create_recharge_order(account.id, 500_000, "bench", f"order-{plate}", now)
    wallet.channel_paid(ChannelPayment("bench", f"paid-{plate}", order.id, 500_000, now), now)


def _one_car(wallet: Wallet, sighting: Sighting, at: datetime, times: StageTimes) -> None:
    positions = tuple(
        tuple((char, round(p * 1_000_000)) for char, p in position) for position in sighting.positions
    )
    started = time.perf_counter()
    candidates = wallet.habits.candidates(positions, "bench", at)
    posterior = weigh(positions, sighting.colour, candidates, Traffic(), measured_confusion())
    matched = time.perf_counter()
    fact = SightingFact(
        sighting_id=new_sighting_id(),
        station="bench",
        camera="bench",
        pump="1",
        first_seen_at=at,
        last_seen_at=at,
        text=sighting.text,
        colour=sighting.colour,
        wrong_ppm=sighting.wrong_ppm,
        looks=sighting.looks,
        positions=positions,
    )
    wallet.arrive(fact, posterior, at)
    held = time.perf_counter()
    sale = Sale(
        sale_id=secrets.token_hex(8),
        station="bench",
        pump="1",
        grade="92",
        litres_ml=10_000,
        unit_price_fen=785,
        amount_fen=7_850,
        started_at=at + timedelta(seconds=30),
        ended_at=at + timedelta(seconds=90),
    )
    wallet.record_sale(sale, at + timedelta(seconds=91))
    times.add("match", matched - started)
    times.add("hold", held - matched)
    times.add("debit", time.perf_counter() - held)
