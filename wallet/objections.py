"""What speaks against an automatic debit, however sure the reading is: each rule in a module of its own.

An objection never makes a decision surer. It only sends a car to a person, with a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from wallet import clones, corrections, second_looks, stops, terms, twins
from wallet.decide import Likely
from wallet.facts import Reason, SightingFact, Visit
from wallet.rules import Rules
from wallet.store.on_record import NOBODY_LOOKED, OnRecord, on_record


@dataclass(frozen=True, slots=True)
class Case:
    """A sighting of a likely vehicle whose wallet is locked, and the stay it continues, if any.

    on_record: what there is to look at; everything, where nobody has asked.
    """

    connection: Connection
    sighting: SightingFact
    likely: Likely
    stay: Visit | None
    rules: Rules
    now: datetime
    on_record: OnRecord = NOBODY_LOOKED


def looked_up(
    connection: Connection,
    sighting: SightingFact,
    likely: Likely,
    stay: Visit | None,
    rules: Rules,
    now: datetime,
) -> Case:
    """The case of an arrival: of most vehicles there is little on record, and nobody looks for the rest."""
    since = min(clones.seen_since(now, rules), twins.looked_since(sighting, rules))
    found = on_record(connection, likely.vehicle, sighting.station, sighting.pump, since)
    return Case(connection, sighting, likely, stay, rules, now, found)


Objection = Callable[[Case], Sequence[Reason]]

OBJECTIONS: tuple[Objection, ...] = (
    corrections.objections,
    twins.objections,
    second_looks.objections,
    terms.too_new,
    stops.objections,
    clones.objections,
)


def objections_to(case: Case) -> tuple[Reason, ...]:
    """Every reason why no money may move by itself in this case."""
    return tuple(reason for objection in OBJECTIONS for reason in objection(case))
