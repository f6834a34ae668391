"""From a reading to a posterior: the registered plates near it, what is known of them, and Bayes' rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from vision.confusion import Confusion, measured_confusion
from vision.posterior import Judgement, Registered, Traffic, judge
from wallet.deciding import Weighed
from wallet.facts import Candidate, Posterior, PosteriorPart
from wallet.habits import StationTraffic
from wallet.service import Wallet

Position = tuple[tuple[str, int], ...]
# What comes to a station is asked for again after this time; it is counted once a night.
TRAFFIC_KEPT = timedelta(minutes=10)
# Of the registered plates near a reading so many are kept with the decision.
PARTS_KEPT = 8


class Weigher:
    """Says of readings how likely each registered plate is. prior_customer_ppm: of cars not yet counted."""

    def __init__(self, wallet: Wallet, prior_customer_ppm: int) -> None:
        self._wallet = wallet
        self._prior_customer_ppm = prior_customer_ppm
        self._confusion = measured_confusion()
        self._traffic: dict[str, tuple[datetime, Traffic]] = {}
        self._kept: dict[str, tuple[Traffic, str, int]] = {}

    def posterior(
        self, station: str, text: str | None, colour: str, positions: tuple[Position, ...], now: datetime
    ) -> Posterior:
        """How likely each registered plate is, given a reading here; nobody where nothing was read."""
        if text is None:
            return Posterior((), 1_000_000)
        candidates = self._wallet.habits.candidates(positions, station, now)
        return weigh(positions, colour, candidates, self.traffic(station, now), self._confusion)

    def weigh(
        self, station: str, text: str | None, colour: str, positions: tuple[Position, ...], now: datetime
    ) -> tuple[Posterior, Weighed | None]:
        """The same, and what it is made of, for replays."""
        if text is None:
            return Posterior((), 1_000_000), None
        candidates = self._wallet.habits.candidates(positions, station, now)
        traffic = self.traffic(station, now)
        kept = tuple((one.plate, one.colour, one.visits_here, one.visits_elsewhere) for one in candidates)
        weighed = Weighed(self._kept_under(station, traffic, now), kept)
        return weigh(positions, colour, candidates, traffic, self._confusion), weighed

    def _kept_under(self, station: str, traffic: Traffic, now: datetime) -> str:
        """The hash under which the traffic is in the database.

        The row may be of a transaction that is rolled back: where any was, it is written again.
        """
        undone = self._wallet.store.undone
        known = self._kept.get(station)
        if known is None or known[0] is not traffic or known[2] != undone:
            traffic_id = self._wallet.proof.keep_traffic(station, asdict(traffic), now)
            known = self._kept[station] = (traffic, traffic_id, undone)
        return known[1]

    def traffic(self, station: str, now: datetime) -> Traffic:
        """What usually comes to the station, as counted last night."""
        known = self._traffic.get(station)
        if known is None or not timedelta() <= now - known[0] < TRAFFIC_KEPT:
            counted = to_traffic(self._wallet.habits.traffic(station), self._prior_customer_ppm)
            known = self._traffic[station] = (now, counted)
        return known[1]


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
