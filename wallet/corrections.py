"""What people said of readings is remembered: a misreading that was corrected debits no wrong account again.

A correction names what was read at which camera, and which plate it was wrongly taken for. Any later sighting
there that reads as that text and matches that plate goes to a person, until enough of them were confirmed
(`Rules.confirmations_needed`, counted after the newest correction). The same picture goes to a person at
every camera. Every verdict is a labelled sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from wallet.facts import Reason, SightingFact
from wallet.review_facts import Correction
from wallet.store import corrections as rows

if TYPE_CHECKING:
    from wallet.objections import Case


def objections(case: Case) -> Sequence[Reason]:
    """Why this reading may not debit this plate by itself: a person has said before that it is another."""
    if not case.on_record.corrections:
        return ()
    plate = case.likely.vehicle.plate
    wrong = rows.newest_wrong(case.connection, case.sighting, plate)
    if wrong is None:
        return ()
    confirmed = rows.count_right_since(case.connection, wrong)
    needed = case.rules.confirmations_needed
    if confirmed >= needed:
        return ()
    return (
        Reason(
            "corrected_before",
            f"A person said on {wrong.recorded_at:%Y-%m-%d} that {case.sighting.text} at camera "
            f"{wrong.camera} was not {plate}; {confirmed} of {needed} confirmations since.",
        ),
    )


def remember(
    connection: Connection,
    new_id: str,
    review_id: str,
    sighting: SightingFact,
    plate: str,
    label: str | None,
    decided_by: str,
    now: datetime,
) -> None:
    """Writes that this reading is this plate (label: the same plate) or is not (another one, or None)."""
    rows.add_correction(
        connection,
        Correction(
            id=new_id,
            review_id=review_id,
            sighting_id=sighting.sighting_id,
            station=sighting.station,
            camera=sighting.camera,
            text=sighting.text,
            plate=plate,
            verdict="right" if label == plate else "wrong",
            label=label,
            evidence_crop=sighting.evidence_crop,
            decided_by=decided_by,
            recorded_at=now,
        ),
    )
