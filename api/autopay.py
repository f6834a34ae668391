"""From a camera's sighting to a decision about money: candidates, habits, posterior, arrival."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from api.auth import Speaker
from api.errors import EvidenceMissing
from api.evidence import EvidenceStore
from api.metrics import Metrics
from api.schemas.devices import DepartureMessage, ReadingMessage, SaidMessage, SightingMessage
from api.weighing import Position, Weigher
from wallet.facts import Arrival, SightingFact
from wallet.reading_facts import ReadingFact, Said
from wallet.service import Wallet


class Autopay:
    """Carries sightings from cameras to the wallet."""

    def __init__(
        self,
        wallet: Wallet,
        evidence: EvidenceStore,
        metrics: Metrics,
        clock: Callable[[], datetime],
        prior_customer_ppm: int,
    ) -> None:
        self._wallet = wallet
        self._weigher = Weigher(wallet, prior_customer_ppm)
        self._evidence = evidence
        self._metrics = metrics
        self._clock = clock

    def arrive(self, message: SightingMessage) -> Arrival:
        """The decision, once match, visit, hold and event are on disk; the same again gets the first.

        Raises EvidenceMissing, and KeyReused where the same id came with another body.
        """
        started = time.perf_counter()
        arrival = self.decide(message)
        if not arrival.repeated:
            self.count(arrival, time.perf_counter() - started)
        return arrival

    def count(self, arrival: Arrival, seconds: float) -> None:
        """Tell the metrics of a new sighting and of how long its decision took."""
        self._metrics.sightings.labels(arrival.match.outcome).inc()
        self._metrics.decision_seconds.observe(seconds)

    def decide(self, message: SightingMessage) -> Arrival:
        """The same as arrive, and nobody is told."""
        for kind, sha256 in (("frame", message.evidence.frame), ("crop", message.evidence.crop)):
            if not self._evidence.has(sha256):
                raise EvidenceMissing(kind=kind, sha256=sha256)
        positions = tuple(tuple(position) for position in message.positions)
        now = self._clock()
        posterior, weighed = self._weigher.weigh(
            message.station, message.text, message.colour, positions, now
        )
        return self._wallet.arrive(to_fact(message, positions), posterior, now, weighed)

    def depart(self, message: DepartureMessage, camera: Speaker) -> None:
        """The car of a sighting has left. Raises SightingUnknown, WrongStation."""
        station = self._wallet.station_of(message.sighting_id)
        if station is not None:
            camera.must_speak_for(station)
        self._wallet.depart(message.sighting_id, message.left_at, self._clock())


def to_fact(message: SightingMessage, positions: tuple[Position, ...]) -> SightingFact:
    """The message in the wallet's words."""
    return SightingFact(
        sighting_id=message.sighting_id,
        station=message.station,
        camera=message.camera,
        pump=message.pump,
        first_seen_at=message.first_seen_at,
        last_seen_at=message.last_seen_at,
        text=message.text,
        colour=message.colour,
        wrong_ppm=message.wrong_ppm,
        looks=message.looks,
        positions=positions,
        evidence_frame=message.evidence.frame,
        evidence_crop=message.evidence.crop,
        detector_model=message.models.detector,
        reader_model=message.models.reader,
        plate_corners=tuple(message.plate_corners),
        readings=tuple(_to_reading(reading) for reading in message.readings),
    )


def _to_reading(message: ReadingMessage) -> ReadingFact:
    return ReadingFact(
        captured_at=message.captured_at,
        colour=message.colour,
        quality_ppm=message.quality_ppm,
        weight_ppm=message.weight_ppm,
        said=_to_said(message),
        second=None if message.second is None else _to_said(message.second),
    )


def _to_said(message: SaidMessage) -> Said:
    return Said(message.text, message.wrong_ppm, tuple(tuple(position) for position in message.positions))
