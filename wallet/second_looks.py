"""What another camera surely read of the same car: the same, or something else.

Where it read otherwise, the car goes to a person. Where it opened the stay, what it read counts at the pump.

Whoever stands at a pump has passed the entry. Where a camera there was sure of a text one character off, and
none of them said this one, it was most likely this car, and one of the two readings is wrong. A car whose
text was then seen at a pump is another one, and says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from wallet.decide import Proof
from wallet.facts import Reason
from wallet.rules import Rules
from wallet.store import second_looks as rows
from wallet.twins import is_second_look

if TYPE_CHECKING:
    from wallet.objections import Case


@dataclass(frozen=True, slots=True)
class Look:
    """What a camera that watches no pump read at this station, on the way of the car to its pump."""

    camera: str
    text: str | None
    wrong_ppm: int


def objections(case: Case) -> Sequence[Reason]:
    """Why a car at a pump needs a person: a camera on its way there was sure of another text."""
    sighting, rules, connection = case.sighting, case.rules, case.connection
    if sighting.pump is None or sighting.text is None:
        return ()
    since = sighting.first_seen_at - timedelta(seconds=rules.twin_proof_s)
    found = rows.on_the_way(connection, sighting.station, sighting.camera, since, sighting.last_seen_at)

    def stands_elsewhere(text: str) -> bool:
        return rows.was_at_a_pump(connection, sighting.station, text, since)

    return doubts(sighting.text, [Look(*row) for row in found], stands_elsewhere, rules)


def doubts(
    text: str, looks: Sequence[Look], stands_elsewhere: Callable[[str], bool], rules: Rules
) -> tuple[Reason, ...]:
    """The reason `read_otherwise` where one of these looks tells of this car and says another text.

    stands_elsewhere: whether a text was lately seen at a pump. The words of the reason do not tell what was
    read: it may be a stranger's plate.
    """
    sure = [look for look in looks if look.wrong_ppm <= rules.auto_ceiling_ppm]
    if any(look.text == text for look in sure):
        return ()
    for look in sure:
        if look.text is not None and is_one_off(look.text, text) and not stands_elsewhere(look.text):
            return (
                Reason(
                    "read_otherwise",
                    f"Camera {look.camera} surely read another text, one character off, and not this one.",
                    (("other_wrong_ppm", look.wrong_ppm), ("auto_ceiling_ppm", rules.auto_ceiling_ppm)),
                ),
            )
    return ()


def proof_of(case: Case) -> Proof | None:
    """What another camera surely said of the open stay that this sighting continues: the surest, or None.

    It must be such a look as tells twins apart, and must itself have been enough to open or join that stay. A
    car that has left, or stands at another pump, is not known to stand here.
    """
    stay, sighting, vehicle = case.stay, case.sighting, case.likely.vehicle
    if stay is None or stay.state != "open" or stay.left_at is not None:
        return None
    if stay.pump not in (None, sighting.pump) or sighting.text != vehicle.plate:
        return None
    found = [
        Proof(look.wrong_ppm, wrong_ppm, runner_up_ppm)
        for look, wrong_ppm, runner_up_ppm in rows.sure_looks_of(case.connection, stay.id)
        if is_second_look(sighting, look, vehicle, case.rules)
    ]
    return min(found, key=lambda proof: (proof.wrong_ppm, proof.reading_wrong_ppm), default=None)


def is_one_off(one: str, other: str) -> bool:
    """Whether two texts of one length differ in exactly one character."""
    return len(one) == len(other) and sum(a != b for a, b in zip(one, other, strict=True)) == 1
