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


@dataclass(frozen=True, slots=True)
class Case:
    """A sighting of a likely vehicle whose wallet is locked, and the stay it continues, if any."""

    connection: Connection
    sighting: SightingFact
    likely: Likely
    stay: Visit | None
    rules: Rules
    now: datetime


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
