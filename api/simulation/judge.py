"""The real decision over an in-memory register: what the service would do with a sighting."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from api.simulation.drawing import Seen
from api.simulation.register import Register
from api.weighing import weigh
from vision.confusion import Confusion, measured_confusion
from vision.posterior import Traffic
from wallet import decide
from wallet.decide import Decision
from wallet.facts import Reason, SightingFact
from wallet.rules import Rules

AT: Final = datetime(2026, 6, 1, 8, tzinfo=UTC)


@dataclass(slots=True)
class Judge:
    """Decides as `Autopay` and `Wallet.arrive` do, for a wallet that has enough money and a first stay.

    traffic: what usually comes to the station; without it that of one that has just opened.
    """

    register: Register
    rules: Rules = field(default_factory=Rules)
    traffic: Traffic | None = None
    confusion: Confusion = field(default_factory=measured_confusion)

    def decide(self, seen: Seen) -> Decision:
        """What is done with the sighting."""
        sighting = fact_of(seen)
        candidates = self.register.candidates(seen.positions) if seen.text is not None else []
        traffic = self.traffic or Traffic(registered=len(self.register.colours))
        posterior = weigh(seen.positions, seen.colour, candidates, traffic, self.confusion)
        bound = self.register.bound([plate for plate, _ in posterior.candidates])
        likely = decide.most_likely(posterior, bound)
        why = decide.is_stranger(sighting, likely, self.rules)
        if why is not None or likely is None:
            return decide.stranger(sighting, why or Reason("not_registered", "No registered plate fits."))
        return decide.decide(sighting, likely, self.rules.hold_fen, self.rules)


def fact_of(seen: Seen) -> SightingFact:
    """The sighting in the wallet's words; its car stands at a pump."""
    return SightingFact(
        sighting_id="simulated",
        station="city",
        camera="lane",
        pump="1",
        first_seen_at=AT,
        last_seen_at=AT,
        text=seen.text,
        colour=seen.colour,
        wrong_ppm=seen.wrong_ppm,
        looks=max(1, len(seen.looks)),
        positions=seen.positions,
    )
