"""Cars that leave: the end of a stay, and of holds that nobody will ask for any more."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from wallet.errors import InvalidFact, KeyReused, SightingUnknown
from wallet.facts import Visit
from wallet.fingerprint import body_hash
from wallet.rules import Rules
from wallet.settling import void
from wallet.store import balances, forecourt, looks, reviewing


def depart(connection: Connection, sighting_id: str, left_at: datetime, now: datetime) -> Visit | None:
    """The visit of a car that has left the picture, or None where it had none.

    Only the latest sighting of a visit can end its stay: a car that leaves the entry camera drives to its
    pump.
    """
    sighting = looks.find_look(connection, sighting_id)
    if sighting is None:
        raise SightingUnknown(sighting_id)
    if left_at < sighting.first_seen_at:
        raise InvalidFact("left_at", left_at.isoformat(), "must not be before the car was first seen")
    is_new = forecourt.add_departure(connection, sighting_id, left_at, now)
    if not is_new and forecourt.departure_of(connection, sighting_id) != left_at:
        raise KeyReused("departure", sighting_id, body_hash(left_at))
    visit_id = looks.visit_of(connection, sighting_id) or reviewing.visit_given_by_person(
        connection, sighting_id
    )
    visit = forecourt.find_visit(connection, visit_id) if visit_id else None
    if visit is None:
        return None
    balances.lock_wallet(connection, visit.account_id)
    # While we waited another camera may have seen the car.
    visit = forecourt.seen_again(connection, visit)
    if visit is None or not is_new or visit.last_sighting_id != sighting_id:
        return visit
    forecourt.change_visit(connection, visit.id, left_at=left_at)
    return replace(visit, left_at=left_at)


def end_if_overdue(connection: Connection, visit_id: str, rules: Rules, now: datetime) -> Visit | None:
    """The visit, its hold released, where its car left long ago or it stayed too long; else None."""
    visit = forecourt.find_visit(connection, visit_id)
    if visit is None:
        return None
    balances.lock_wallet(connection, visit.account_id)
    visit = forecourt.find_visit(connection, visit_id)
    if visit is None or visit.state != "open":
        return None
    left_before, opened_before = overdue_before(rules, now)
    if visit.left_at is not None and visit.left_at < left_before:
        void(connection, visit, "left_without_sale", now, now)
    elif min(visit.opened_at, visit.recorded_at) < opened_before:
        void(connection, visit, "stayed_too_long", now, now)
    else:
        return None
    return forecourt.find_visit(connection, visit_id)


def overdue_before(rules: Rules, now: datetime) -> tuple[datetime, datetime]:
    """A car that left, and a visit that was opened, before these times is overdue."""
    return now - timedelta(seconds=rules.leave_grace_s), now - timedelta(seconds=rules.longest_stay_s)
