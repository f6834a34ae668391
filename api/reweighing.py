"""A stored reading weighed again by the posterior of this version, from what it was weighed with then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from api.weighing import to_posterior
from vision.confusion import Confusion, measured_confusion
from vision.posterior import Registered, Traffic, judge
from wallet.deciding import Weighed
from wallet.facts import Posterior, SightingFact
from wallet.proof import Proof

MILLION = 1_000_000
Position = Sequence[tuple[str, int]]


class Reweighing:
    """Weighs stored sightings. sharpness: exponent of each character's chance; above 1 trusts more."""

    def __init__(self, proof: Proof, sharpness: float = 1.0) -> None:
        self._proof = proof
        self._sharpness = sharpness
        self._confusion: Confusion = measured_confusion()
        self._traffic: dict[str, Traffic | None] = {}

    def sighting(self, sighting: SightingFact) -> SightingFact:
        """The sighting as readers calibrated otherwise would have said it."""
        if self._sharpness == 1.0 or sighting.text is None or not sighting.positions:
            return sighting
        positions = tuple(calibrated(position, self._sharpness) for position in sighting.positions)
        right = 1.0
        for position, character in zip(positions, sighting.text, strict=True):
            right *= dict(position).get(character, 0) / MILLION
        before = 1.0
        for position, character in zip(sighting.positions, sighting.text, strict=True):
            before *= dict(position).get(character, 0) / MILLION
        # What the characters do not explain (the length, the cap of certainty) stays as it was said.
        known = (MILLION - sighting.wrong_ppm) / MILLION
        share = min(1.0, known / before) if before > 0 else 0.0
        wrong_ppm = min(MILLION, max(0, round(MILLION * (1 - right * share))))
        return replace(sighting, positions=positions, wrong_ppm=wrong_ppm)

    def posterior(self, sighting: SightingFact, weighed: Weighed | None, then: Posterior) -> Posterior:
        """How likely each candidate of then is by the posterior of now; that of then if it is not known."""
        traffic = None if weighed is None else self._known(weighed.traffic_id)
        if weighed is None or traffic is None:
            return then
        registered = [Registered(*candidate) for candidate in weighed.candidates]
        return to_posterior(judge(sighting.positions, sighting.colour, registered, traffic, self._confusion))

    def _known(self, traffic_id: str) -> Traffic | None:
        if traffic_id not in self._traffic:
            found: Mapping[str, Any] | None = self._proof.traffic(traffic_id)
            self._traffic[traffic_id] = None if found is None else Traffic(**found)
        return self._traffic[traffic_id]


def calibrated(position: Position, sharpness: float) -> tuple[tuple[str, int], ...]:
    """One position with its chances raised to this power; what it leaves to others is raised as one."""
    listed = [(character, (ppm / MILLION) ** sharpness) for character, ppm in position]
    left = max(0.0, 1 - sum(ppm for _, ppm in position) / MILLION) ** sharpness
    total = sum(share for _, share in listed) + left
    return tuple((character, int(MILLION * share / total)) for character, share in listed)
