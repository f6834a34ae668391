"""The real decision over an in-memory register: what the service would do with the sightings of a stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from api.simulation.drawing import Seen
from api.simulation.register import Register
from api.weighing import weigh
from vision.confusion import Confusion, measured_confusion, measured_lookalikes
from vision.posterior import Traffic
from wallet import decide, second_looks, twins
from wallet.decide import Decision
from wallet.facts import Reason, SightingFact, Vehicle
from wallet.rules import Rules

AT: Final = datetime(2026, 6, 1, 8, tzinfo=UTC)
# A stay is seen at the entry first, then at the pump.
CAMERAS: Final = ("entry", "pump")
APART: Final = timedelta(seconds=30)


@dataclass(slots=True)
class Judge:
    """Decides as `Autopay` and `Wallet.arrive` do, for a wallet that has enough money and a first stay.

    traffic: what usually comes to the station; without it that of one that has just opened.
    """

    register: Register
    rules: Rules = field(default_factory=Rules)
    traffic: Traffic | None = None
    confusion: Confusion = field(default_factory=measured_confusion)
    alike: Mapping[str, Mapping[str, int]] = field(default_factory=measured_lookalikes)

    def decide(
        self,
        seen: Seen,
        camera: int = 1,
        before: Sequence[SightingFact] = (),
        station: int | None = None,
        opened: Sequence[Decision] = (),
    ) -> Decision:
        """What is done with a sighting. before: those of the same stay; camera: its place in CAMERAS.

        opened: what was decided about those before.
        """
        sighting = fact_of(seen, camera)
        if seen.text is None:
            return decide.stranger(sighting, Reason("not_readable", "No plate could be read."))
        candidates = self.register.candidates(seen.positions, station)
        traffic = self.traffic or Traffic(registered=len(self.register))
        posterior = weigh(seen.positions, seen.colour, candidates, traffic, self.confusion)
        # Of those that nothing speaks for, only the best two are ever looked at.
        bound = self.register.bound([plate for plate, _ in posterior.candidates[:2]])
        likely = decide.most_likely(posterior, bound)
        why = decide.is_stranger(sighting, likely, self.rules)
        if why is not None or likely is None:
            return decide.stranger(sighting, why or Reason("not_registered", "No registered plate fits."))
        vehicle = likely.vehicle
        objections = (
            *self._twins(sighting, vehicle, before),
            *self._second_looks(sighting, vehicle, before),
        )
        proof = self._proof(sighting, vehicle, before, opened)
        return decide.decide(sighting, likely, self.rules.hold_fen, self.rules, objections, proof)

    def _twins(
        self, sighting: SightingFact, vehicle: Vehicle, before: Sequence[SightingFact]
    ) -> tuple[Reason, ...]:
        """The objection of registered look-alikes."""
        texts = twins.lookalikes(vehicle.plate, self.alike, self.rules.twin_floor_ppm)
        found = [
            twins.Twin(self.register.vehicle(plate), ppm)
            for plate, ppm in texts.items()
            if plate in self.register
        ]
        return twins.doubts(sighting, vehicle, found, before, self.rules) if found else ()

    def _second_looks(
        self, sighting: SightingFact, vehicle: Vehicle, before: Sequence[SightingFact]
    ) -> tuple[Reason, ...]:
        """The objection of a camera on the way to the pump. One car at a time: none stands elsewhere."""
        if sighting.pump is None or sighting.text is None:
            return ()
        looks = [
            second_looks.Look(look.camera, look.text, look.wrong_ppm, look.colour)
            for look in before
            if look.pump is None
        ]
        prefixes = {} if self.traffic is None else self.traffic.prefixes
        station = second_looks.Station(lambda _: False, lambda prefix: prefixes.get(prefix, 0))
        return second_looks.doubts(vehicle.plate, vehicle.colour, looks, station, self.rules)

    def _proof(
        self,
        sighting: SightingFact,
        vehicle: Vehicle,
        before: Sequence[SightingFact],
        opened: Sequence[Decision],
    ) -> decide.Proof | None:
        """What an earlier camera surely said of the stay it opened, or of a plate the pump is sure of."""
        sure = [
            (look, decision)
            for look, decision in zip(before, opened, strict=False)
            if decision.vehicle == vehicle and twins.is_sure_of(vehicle, sighting, look, self.rules)
        ]
        for look, decision in sure:
            if decision.outcome == "auto":
                return decide.Proof(look.wrong_ppm, decision.wrong_ppm, decision.runner_up_ppm)
        if sighting.pump is None or sighting.text != vehicle.plate or not sure:
            return None
        if sighting.wrong_ppm > self.rules.auto_ceiling_ppm:
            return None
        return decide.Proof(min(look.wrong_ppm for look, _ in sure))

    def stay(self, looks: Sequence[Seen], station: int | None = None) -> list[Decision]:
        """The decisions about one stay, a sighting for each camera in turn."""
        before: list[SightingFact] = []
        decisions: list[Decision] = []
        for camera, seen in enumerate(looks):
            decisions.append(self.decide(seen, camera, before, station, decisions))
            before.append(fact_of(seen, camera))
        return decisions


def fact_of(seen: Seen, camera: int = 1) -> SightingFact:
    """The sighting in the wallet's words."""
    at = AT + camera * APART
    return SightingFact(
        sighting_id=f"simulated-{camera}",
        station="city",
        camera=CAMERAS[camera],
        pump="1" if camera else None,
        first_seen_at=at,
        last_seen_at=at,
        text=seen.text,
        colour=seen.colour,
        wrong_ppm=seen.wrong_ppm,
        looks=max(1, len(seen.looks)),
        positions=seen.positions,
    )
