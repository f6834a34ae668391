"""Which stay a sighting continues, and whose stay a sale belongs to.

Pure: works on what cameras and pumps said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from wallet.facts import Sale, SightingFact, Visit
from wallet.rules import Rules


def stay_of(sighting: SightingFact, visits: Sequence[Visit], rules: Rules) -> Visit | None:
    """The newest of a vehicle's visits (all of one vehicle at one station) that this sighting continues."""
    continued = [visit for visit in visits if _continues(sighting, visit, rules)]
    return max(continued, key=lambda visit: (visit.opened_at, visit.id), default=None)


def _continues(sighting: SightingFact, visit: Visit, rules: Rules) -> bool:
    if visit.state == "voided":
        return False
    reentry = timedelta(seconds=rules.reentry_s)
    if sighting.last_seen_at < visit.opened_at - reentry:
        return False
    if visit.left_at is not None:
        return sighting.first_seen_at <= visit.left_at + reentry
    if visit.state == "captured" and visit.sale_id != entry_sale_id(visit.id):
        settled_at = visit.settled_at or visit.last_seen_at
        return sighting.first_seen_at <= settled_at + timedelta(seconds=rules.captured_stay_s)
    return sighting.first_seen_at <= visit.opened_at + timedelta(seconds=rules.longest_stay_s)


def with_sighting(stay: Visit, sighting: SightingFact, *, newest: bool) -> Visit:
    """The stay with a sighting that continues it: where the car was seen, and that it has not left after all.

    newest: no later stay of this vehicle is known; where one is, the car cannot still stand in this one.
    """
    is_latest = sighting.last_seen_at >= stay.last_seen_at
    left_at, pump = stay.left_at, stay.pump
    if left_at is not None and sighting.last_seen_at > left_at:
        left_at = None if newest else sighting.last_seen_at
    if sighting.pump is not None and (is_latest or pump is None):
        pump = sighting.pump
    return replace(
        stay,
        opened_at=min(stay.opened_at, sighting.first_seen_at),
        last_seen_at=max(stay.last_seen_at, sighting.last_seen_at),
        left_at=left_at,
        pump=pump,
        last_sighting_id=sighting.sighting_id if is_latest else stay.last_sighting_id,
    )


def entry_sale_id(visit_id: str) -> str:
    """Name of the sale that is charged on arrival: one a visit."""
    return f"entry:{visit_id}"


@dataclass(frozen=True, slots=True)
class Found:
    """The visit a sale belongs to."""

    visit: Visit


@dataclass(frozen=True, slots=True)
class NotYet:
    """No open visit fits the sale."""


@dataclass(frozen=True, slots=True)
class TooMany:
    """Several cars fit equally well: a person must say whose sale it was."""

    plates: tuple[str, ...]


Whose = Found | NotYet | TooMany

# Ends after which the visit may still be paid, by a sale that began while its hold was live.
EXPIRED = ("left_without_sale", "stayed_too_long")


def is_payable(visit: Visit) -> bool:
    """Whether a sale may still be taken from what the visit guaranteed."""
    return visit.state == "open" or visit.end in EXPIRED


def visit_for_sale(sale: Sale, visits: Sequence[Visit]) -> Whose:
    """Which of the payable visits at the pump of a sale it belongs to.

    The newest arrival whose stay covers the start of the sale. Where no stay does (the camera saw the plate
    only after the nozzle was lifted), the one car that arrived before the end; two such cars cannot be told
    apart.
    """
    fitting = [visit for visit in visits if _fits(visit, sale.started_at, sale.ended_at)]
    covering = [visit for visit in fitting if visit.opened_at <= sale.started_at]
    if covering:
        return Found(max(covering, key=lambda visit: (visit.opened_at, visit.id)))
    if len(fitting) == 1:
        return Found(fitting[0])
    if fitting:
        return TooMany(tuple(sorted(visit.plate for visit in fitting)))
    return NotYet()


def _fits(visit: Visit, started_at: datetime, ended_at: datetime) -> bool:
    if not is_payable(visit) or visit.opened_at > ended_at:
        return False
    if visit.settled_at is not None and not visit.opened_at <= started_at <= visit.settled_at:
        return False
    return visit.left_at is None or visit.left_at >= started_at
