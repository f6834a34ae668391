"""From a camera's sighting to a decision about money: candidates, habits, posterior, arrival."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from api.auth import Speaker
from api.errors import EvidenceMissing
from api.evidence import EvidenceStore
from api.metrics import Metrics
from api.schemas.devices import DepartureMessage, ReadingMessage, SaidMessage, SightingMessage
from vision.confusion import Confusion, measured_confusion
from vision.posterior import Judgement, Registered, Traffic, judge
from wallet.facts import Arrival, Candidate, Posterior, PosteriorPart, SightingFact
from wallet.habits import StationTraffic
from wallet.reading_facts import ReadingFact, Said
from wallet.service import Wallet

Position = tuple[tuple[str, int], ...]
# What comes to a station is asked for again after this time; it is counted once a night.
TRAFFIC_KEPT = timedelta(minutes=10)
# Of the registered plates near a reading so many are kept with the decision.
PARTS_KEPT = 8


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
        self._prior_customer_ppm = prior_customer_ppm
        self._confusion = measured_confusion()
        self._traffic: dict[str, tuple[datetime, Traffic]] = {}
        self._evidence = evidence
        self._metrics = metrics
        self._clock = clock

    def arrive(self, message: SightingMessage) -> Arrival:
        """The decision, once match, visit, hold and event are on disk; the same again gets the first.

        Raises EvidenceMissing, and KeyReused where the same id came with another body.
        """
        started = time.perf_counter()
        for kind, sha256 in (("frame", message.evidence.frame), ("crop", message.evidence.crop)):
            if not self._evidence.has(sha256):
                raise EvidenceMissing(kind=kind, sha256=sha256)
        positions = tuple(tuple(position) for position in message.positions)
        now = self._clock()
        posterior = self.posterior(message.station, message.text, message.colour, positions, now)
        arrival = self._wallet.arrive(to_fact(message, positions), posterior, now)
        if not arrival.repeated:
            self._metrics.sightings.labels(arrival.match.outcome).inc()
            self._metrics.decision_seconds.observe(time.perf_counter() - started)
        return arrival

    def posterior(
        self, station: str, text: str | None, colour: str, positions: tuple[Position, ...], now: datetime
    ) -> Posterior:
        """How likely each registered plate is, given a reading here; nobody where nothing was read."""
        if text is None:
            return Posterior((), 1_000_000)
        candidates = self._wallet.habits.candidates(positions, station, now)
        return weigh(positions, colour, candidates, self.traffic(station, now), self._confusion)

    def traffic(self, station: str, now: datetime) -> Traffic:
        """What usually comes to the station, as counted last night."""
        known = self._traffic.get(station)
        if known is None or not timedelta() <= now - known[0] < TRAFFIC_KEPT:
            counted = to_traffic(self._wallet.habits.traffic(station), self._prior_customer_ppm)
            known = self._traffic[station] = (now, counted)
        return known[1]

    def depart(self, message: DepartureMessage, camera: Speaker) -> None:
        """The car of a sighting has left. Raises SightingUnknown, WrongStation."""
        sighting = self._wallet.sighting(message.sighting_id)
        if sighting is not None:
            camera.must_speak_for(sighting.station)
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


def to_traffic(counted: StationTraffic, prior_customer_ppm: int) -> Traffic:
    """The wallet's counts in the words of the posterior."""
    return Traffic(
        cars=counted.cars,
        customers=counted.customers,
        prefixes=counted.prefixes,
        registered=counted.registered,
        customer_share_ppm=prior_customer_ppm,
    )


def weigh(
    positions: Sequence[Position],
    colour: str,
    candidates: Sequence[Candidate],
    traffic: Traffic,
    confusion: Confusion,
) -> Posterior:
    """How likely each candidate is and that it is none of them, in whole ppm, with the sum that says so."""
    registered = [
        Registered(one.plate, one.colour, one.visits_here, one.visits_elsewhere) for one in candidates
    ]
    return to_posterior(judge(positions, colour, registered, traffic, confusion))


def to_posterior(judgement: Judgement) -> Posterior:
    """The judgement as the wallet keeps it: likelihoods, colours and visits in whole numbers."""
    lines = [*judgement.candidates[:PARTS_KEPT], judgement.none]
    parts = tuple(
        PosteriorPart(
            plate=line.plate,
            likelihood_ppb=line.likelihood_ppb,
            colour_ppm=line.colour_ppm,
            visits_ppm=line.visits_ppm,
            ppm=line.ppm,
        )
        for line in lines
    )
    return Posterior(judgement.ranked, judgement.none.ppm, parts)
