"""What another camera surely read of the same car: the same, or something else.

Where it read otherwise, the car goes to a person. Where it opened the stay, what it read counts at the pump.

Whoever stands at a pump has passed the entry. Where a camera there was sure of a text one character off, and
none of them said this one, it was most likely this car, and one of the two readings is wrong. A car whose
text was then seen at a pump is another one, and says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import ne
from typing import TYPE_CHECKING, Final

from wallet.decide import Proof
from wallet.facts import Reason
from wallet.rules import Rules
from wallet.store import second_looks as rows
from wallet.twins import is_sure_of, looked_since, other_looks

if TYPE_CHECKING:
    from wallet.objections import Case


# Of two provinces the one whose cars come so many times oftener is believed.
COMES_OFTENER: Final = 10


@dataclass(frozen=True, slots=True)
class Look:
    """What a camera that watches no pump read at this station, on the way of the car to its pump."""

    camera: str
    text: str | None
    wrong_ppm: int
    colour: str


@dataclass(frozen=True, slots=True)
class Station:
    """What is known at a station.

    stands_elsewhere: whether a text was lately seen at a pump. cars_with: how many cars with such first two
    characters came, as counted last night.
    """

    stands_elsewhere: Callable[[str], bool]
    cars_with: Callable[[str], int]


def objections(case: Case) -> Sequence[Reason]:
    """Why a car at a pump needs a person: a camera on its way there was sure of another text."""
    sighting, rules, connection = case.sighting, case.rules, case.connection
    vehicle = case.likely.vehicle
    if sighting.pump is None or sighting.text is None:
        return ()
    since = looked_since(sighting, rules)
    found = rows.on_the_way(connection, sighting.station, sighting.camera, since, sighting.last_seen_at)

    def stands_elsewhere(text: str) -> bool:
        return rows.was_at_a_pump(connection, sighting.station, text, since)

    def cars_with(prefix: str) -> int:
        return rows.cars_with(connection, sighting.station, prefix)

    looks = [Look(*row) for row in found]
    return doubts(vehicle.plate, vehicle.colour, looks, Station(stands_elsewhere, cars_with), rules)


def doubts(
    text: str, colour: str, looks: Sequence[Look], station: Station, rules: Rules
) -> tuple[Reason, ...]:
    """The reason `read_otherwise` where one of these looks tells of this car and says another plate.

    text, colour: of the plate that would pay; plates of two colours may have one text. The words of the
    reason do not tell what was read: it may be a stranger's plate.
    """
    sure = [look for look in looks if look.wrong_ppm <= rules.auto_ceiling_ppm]
    if any(look.text == text and look.colour == colour for look in sure):
        return ()
    for look in sure:
        if look.text == text:
            what = "the same text on another colour"
        elif look.text is not None and _may_be_its_plate(look.text, text, station):
            what = "another text, one character off, and not this one"
        else:
            continue
        numbers = (("other_wrong_ppm", look.wrong_ppm), ("auto_ceiling_ppm", rules.auto_ceiling_ppm))
        return (Reason("read_otherwise", f"Camera {look.camera} surely read {what}.", numbers),)
    return ()


def _may_be_its_plate(other: str, text: str, station: Station) -> bool:
    """Whether this car may have the other text: one character off, and seen at no pump.

    A province that hardly comes here is more likely a misread one, where the plate's own comes far oftener.
    """
    if not is_one_off(other, text) or station.stands_elsewhere(other):
        return False
    if other[1:] != text[1:]:
        return True
    return station.cars_with(text[:2]) < COMES_OFTENER * (station.cars_with(other[:2]) + 1)


def proof_of(case: Case) -> Proof | None:
    """What another camera surely said of this car: of the open stay that the sighting continues, or lately.

    Of a stay: what was itself enough to open or join it, the surest. Where there is no such look, one on its
    way to the pump that was sure of the same plate still counts beside a look there that is sure of it too. A
    car that has left, or stands at another pump, is not known to stand here.
    """
    stay, sighting = case.stay, case.sighting
    if stay is None:
        return _of_its_way(case)
    if stay.state != "open" or stay.left_at is not None or stay.pump not in (None, sighting.pump):
        return None
    found = [
        Proof(look.wrong_ppm, wrong_ppm, runner_up_ppm)
        for look, wrong_ppm, runner_up_ppm in rows.sure_looks_of(case.connection, stay.id)
        if is_sure_of(case.likely.vehicle, sighting, look, case.rules)
    ]
    best = min(found, key=lambda proof: (proof.wrong_ppm, proof.reading_wrong_ppm), default=None)
    return best or _of_its_way(case)


def _of_its_way(case: Case) -> Proof | None:
    sighting, vehicle, rules = case.sighting, case.likely.vehicle, case.rules
    if sighting.pump is None or sighting.text != vehicle.plate or sighting.wrong_ppm > rules.auto_ceiling_ppm:
        return None
    found = [
        look.wrong_ppm
        for look in other_looks(case)
        if look.pump is None and is_sure_of(vehicle, sighting, look, rules)
    ]
    return Proof(min(found)) if found else None


def is_one_off(one: str, other: str) -> bool:
    """Whether two texts of one length differ in exactly one character."""
    return len(one) == len(other) and sum(map(ne, one, other)) == 1
