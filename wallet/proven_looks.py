"""Questions that answered themselves: another camera told a car from its look-alikes after all."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from wallet.facts import Match, Review
from wallet.review_facts import EndFact
from wallet.rules import Rules
from wallet.store import events, forecourt, people, reviewing
from wallet.twins import is_second_look

# The doubts that a sure look of another camera resolves. Whoever was asked about more is still needed.
_DOUBTS = {"twin_needs_proof", "look_alike"}


def asked_since(rules: Rules, now: datetime) -> datetime:
    """Items older than this are no more ended by a look: their stay is over."""
    return now - timedelta(seconds=rules.longest_stay_s)


def end_if_proven(connection: Connection, review_id: str, rules: Rules, now: datetime) -> bool:
    """Ends an item about a car that a later look debited without a person; whether it did.

    It moves nothing: the visit is that of the later look. An item that somebody has answered is left alone.
    """
    review = reviewing.lock_review(connection, review_id)
    if review is None or review.state != "open" or reviewing.answers_to(connection, review_id):
        return False
    proof = _proof_of(connection, review, rules)
    if proof is None:
        return False
    reviewing.close_review(connection, review_id, now)
    end = EndFact(
        review_id=review_id,
        ended_as="settled_elsewhere",
        answer_id=None,
        first_answer_id=None,
        plate=proof.plate,
        account_id=proof.account_id,
        visit_id=None,
        station=None,
        sale_id=None,
        refund_id=None,
        moved_fen=0,
        recorded_at=now,
    )
    reviewing.add_end(connection, end)
    told: dict[str, object] = {
        "review_id": review_id,
        "state": "closed",
        "ended_as": end.ended_as,
        "why": "proven_by_another_look",
        "sighting_id": proof.sighting_id,
        "visit_id": proof.visit_id,
        "account_id": proof.account_id,
        "moved_fen": 0,
    }
    events.tell(connection, "review_closed", told, now)
    return True


def _proof_of(connection: Connection, review: Review, rules: Rules) -> Match | None:
    """The decision that needed no person because of the look this item is about."""
    if review.sighting_id is None or not {reason.code for reason in review.reasons} <= _DOUBTS:
        return None
    look = forecourt.find_sighting(connection, review.sighting_id)
    asked = forecourt.find_match(connection, review.sighting_id)
    if look is None or asked is None or asked.vehicle_id is None:
        return None
    vehicle = people.find_vehicle(connection, asked.vehicle_id)
    if vehicle is None:
        return None
    for sighting_id in reviewing.debited_after(connection, vehicle.plate, asked.decided_at):
        later = forecourt.find_sighting(connection, sighting_id)
        match = forecourt.find_match(connection, sighting_id)
        if later is None or match is None or match.vehicle_id != vehicle.id:
            continue
        if is_second_look(later, look, vehicle, rules):
            return match
    return None
