"""Registered look-alikes: who they are, and what it takes to debit one of them without a person.

Two plates are twins where they differ in one character, and our readers (or anybody) take the one character
for the other often enough. How often is handed in: this module knows no reader. A sighting that reads like a
plate with a twin of another account needs a second proof:

- the colour seen is that of its registration and not the twin's; or
- another camera of the same station saw the very same text within the same stay; or
- a person says so (the review that the objection leads to).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from wallet.facts import Reason, SightingFact, Vehicle
from wallet.rules import Rules
from wallet.store import habits, people
from wallet.store import twins as rows
from wallet.store.database import Store

if TYPE_CHECKING:
    from wallet.objections import Case

# For each character the others it is taken for, and how often, in ppm of single looks; symmetric.
Alike = Mapping[str, Mapping[str, int]]

NIGHTLY = "twins"
AT_ONCE = 500
MOST_LOOKS = 20


@dataclass(frozen=True, slots=True)
class Twin:
    """A vehicle bound now whose plate is taken for another's. alike_ppm: of single looks."""

    vehicle: Vehicle
    alike_ppm: int


def lookalikes(plate: str, alike: Alike, floor_ppm: int) -> dict[str, int]:
    """The plates one character away that are taken for this one at least so often, with how often."""
    return {
        plate[:place] + other + plate[place + 1 :]: ppm
        for place, character in enumerate(plate)
        for other, ppm in alike.get(character, {}).items()
        if ppm >= floor_ppm and other != character
    }


def doubts(
    sighting: SightingFact,
    vehicle: Vehicle,
    twins: Sequence[Twin],
    looks: Sequence[SightingFact],
    rules: Rules,
) -> tuple[Reason, ...]:
    """A reason `twin_needs_proof` for each twin of another account that nothing tells from `vehicle`.

    looks: other sightings that may be of the same stay.
    """
    others = [twin for twin in twins if twin.vehicle.account_id != vehicle.account_id]
    if not others or any(is_second_look(sighting, look, vehicle, rules) for look in looks):
        return ()
    return tuple(
        Reason(
            "twin_needs_proof",
            f"The registered {twin.vehicle.plate} is taken for {vehicle.plate} in {twin.alike_ppm} of "
            "a million looks; neither the colour nor another camera tells them apart.",
            (("alike_ppm", twin.alike_ppm), ("looks_asked", len(looks))),
        )
        for twin in others
        if not is_told_by_colour(sighting, vehicle, twin.vehicle)
    )


def is_told_by_colour(sighting: SightingFact, vehicle: Vehicle, twin: Vehicle) -> bool:
    """Whether the colour seen is the vehicle's and cannot be its twin's."""
    return sighting.colour == vehicle.colour != twin.colour


def is_second_look(sighting: SightingFact, look: SightingFact, vehicle: Vehicle, rules: Rules) -> bool:
    """Whether `look` is another camera's word for the same text in the same stay, and is sure enough."""
    return sighting.text == vehicle.plate and is_sure_of(vehicle, sighting, look, rules)


def is_sure_of(vehicle: Vehicle, sighting: SightingFact, look: SightingFact, rules: Rules) -> bool:
    """Whether `look`, of another camera about when the sighting was, was sure of this vehicle's plate."""
    near = timedelta(seconds=rules.twin_proof_s)
    return (
        look.sighting_id != sighting.sighting_id
        and look.station == sighting.station
        and look.camera != sighting.camera
        and look.text == vehicle.plate
        and look.colour == vehicle.colour
        and look.wrong_ppm <= rules.auto_ceiling_ppm
        and look.first_seen_at <= sighting.last_seen_at + near
        and look.last_seen_at >= sighting.first_seen_at - near
    )


def objections(case: Case) -> Sequence[Reason]:
    """Why a sighting of a plate with a twin needs a person; nothing where none is left in doubt."""
    if not case.on_record.twins:
        return ()
    vehicle, sighting, rules = case.likely.vehicle, case.sighting, case.rules
    twins = [Twin(*pair) for pair in rows.twins_of(case.connection, vehicle.id, rules.twin_floor_ppm)]
    if not twins:
        return ()
    return doubts(sighting, vehicle, twins, other_looks(case), rules)


def other_looks(case: Case) -> Sequence[SightingFact]:
    """Sightings that were taken for the vehicle's plate and may be of the same stay, newest first."""
    if not case.on_record.looks:
        return ()
    since = looked_since(case.sighting, case.rules)
    return rows.looks_before(case.connection, case.likely.vehicle.plate, since, MOST_LOOKS)


def looked_since(sighting: SightingFact, rules: Rules) -> datetime:
    """From when on looks of other cameras of the station count beside this one."""
    return sighting.first_seen_at - timedelta(seconds=rules.twin_proof_s)


def note(connection: Connection, vehicle: Vehicle, alike: Alike, rules: Rules, now: datetime) -> list[Twin]:
    """The twins of a vehicle that is being bound, written down."""
    texts = lookalikes(vehicle.plate, alike, rules.twin_floor_ppm)
    found = people.bound_vehicles(connection, list(texts))
    for plate, twin in found.items():
        rows.add_pair(connection, vehicle, twin, texts[plate], now)
    return [Twin(twin, texts[plate]) for plate, twin in found.items()]


class Twins:
    """The table of look-alikes; part of the wallet. alike: how often characters are taken for each other."""

    def __init__(self, store: Store, rules: Rules, alike: Alike) -> None:
        self._store = store
        self._rules = rules
        self.alike = alike

    def of(self, vehicle_id: str) -> list[Twin]:
        """The vehicles bound now whose plates are taken for this one's, whoever's they are; worst first."""
        floor_ppm = self._rules.twin_floor_ppm
        return [Twin(*pair) for pair in self._store.read(lambda tx: rows.twins_of(tx, vehicle_id, floor_ppm))]

    def pairs(self, limit: int = 100) -> list[tuple[str, str, int]]:
        """Plates of two accounts that are taken for each other, both bound, and how often; worst first."""
        return self._store.read(lambda tx: rows.live_pairs(tx, self._rules.twin_floor_ppm, limit))

    def refresh(self, now: datetime, progress: Callable[[int], None] | None = None) -> tuple[int, int]:
        """Looks for the twins of every bound plate again; how many plates and how many pairs were found.

        Finds what two bindings at the same moment could not see of each other, and what a new measure of the
        readers makes twins. progress: called with the plates done.
        """
        plates, pairs = 0, 0
        self._store.write(self._measure_again)
        for vehicles in self._all():
            found = self._store.read(partial(self._pairs_among, vehicles=vehicles))
            if found:
                self._store.write(partial(_write, pairs=found, now=now))
            plates += len(vehicles)
            pairs += len(found)
            if progress is not None:
                progress(plates)
        self._store.write(lambda tx: habits.note_count(tx, NIGHTLY, pairs, now))
        return plates, pairs

    def refresh_when_due(self, now: datetime, every: timedelta) -> bool:
        """Refreshes where the last time is longer ago than `every`; whether it did."""
        last = self._store.read(lambda tx: habits.last_count(tx, NIGHTLY))
        if last is not None and now - last[1] < every:
            return False
        self.refresh(now)
        return True

    def _measure_again(self, connection: Connection) -> None:
        """How alike the known pairs are now: a better reader takes the mark away; one ppm at least."""
        for one, other, plates, known_ppm in rows.all_pairs(connection):
            first, second = plates
            ppm = lookalikes(first, self.alike, 1).get(second, 1)
            if ppm != known_ppm:
                rows.change_pair(connection, one, other, ppm)

    def _all(self) -> Iterator[list[Vehicle]]:
        after = ""
        while vehicles := self._store.read(partial(people.bound_after, plate=after, limit=AT_ONCE)):
            yield vehicles
            after = vehicles[-1].plate

    def _pairs_among(
        self, connection: Connection, vehicles: Sequence[Vehicle]
    ) -> list[tuple[Vehicle, Vehicle, int]]:
        """The pairs of these vehicles, each once: from the plate that sorts first."""
        wanted = [
            (vehicle, plate, ppm)
            for vehicle in vehicles
            for plate, ppm in lookalikes(vehicle.plate, self.alike, self._rules.twin_floor_ppm).items()
            if plate > vehicle.plate
        ]
        bound = people.bound_vehicles(connection, sorted({plate for _, plate, _ in wanted}))
        return [(vehicle, bound[plate], ppm) for vehicle, plate, ppm in wanted if plate in bound]


def _write(connection: Connection, pairs: Sequence[tuple[Vehicle, Vehicle, int]], now: datetime) -> None:
    for one, other, ppm in pairs:
        rows.add_pair(connection, one, other, ppm, now)
