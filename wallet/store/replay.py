"""Stored decisions with all they were made of, in the order they were made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, Row, select, tuple_

from wallet.deciding import Inputs
from wallet.facts import Match, SightingFact, Vehicle
from wallet.store.forecourt import match_from, sighting_from
from wallet.store.proof import inputs_from
from wallet.tables import captures, corrections, decision_inputs, matches, refunds, sightings, vehicles


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """A decision with what it was made of, and what has become of it.

    decider_id: None where nobody said who decided. inputs: None where it was decided before inputs were kept.
    captured_fen: what its visit paid, where this sighting opened it; is_reversed: all of it went back.
    truth: plates that a person said are this car's (None: of nobody we know), none where nobody was asked.
    wrong: plates that a person said are not.
    """

    sighting: SightingFact
    match: Match
    decider_id: str | None
    inputs: Inputs | None
    is_erased: bool
    captured_fen: int
    is_reversed: bool
    truth: tuple[str | None, ...] = ()
    wrong: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """Which decisions: from `since` on, before `until`, of one station; None: all."""

    since: datetime | None = None
    until: datetime | None = None
    station: str | None = None


def page(
    connection: Connection, span: Span, after: tuple[datetime, str] | None, most: int
) -> list[StoredDecision]:
    """The next decisions after this one (when it was decided, its sighting), oldest first."""
    query = (
        select(
            matches,
            decision_inputs.c.decider_id,
            decision_inputs.c.inputs,
            decision_inputs.c.erasure_id.label("inputs_erased"),
        )
        .join(decision_inputs, decision_inputs.c.sighting_id == matches.c.sighting_id, isouter=True)
        .order_by(matches.c.decided_at, matches.c.sighting_id)
        .limit(most)
    )
    if after is not None:
        query = query.where(tuple_(matches.c.decided_at, matches.c.sighting_id) > after)
    if span.since is not None:
        query = query.where(matches.c.decided_at >= span.since)
    if span.until is not None:
        query = query.where(matches.c.decided_at < span.until)
    if span.station is not None:
        query = query.join(sightings, sightings.c.id == matches.c.sighting_id)
        query = query.where(sightings.c.station == span.station)
    return _whole(connection, list(connection.execute(query)))


def _whole(connection: Connection, found: list[Row[tuple[object, ...]]]) -> list[StoredDecision]:
    ids = [row.sighting_id for row in found]
    visits = [row.visit_id for row in found if row.visit_id is not None]
    seen = {row.id: row for row in connection.execute(select(sightings).where(sightings.c.id.in_(ids)))}
    paid = {
        row.visit_id: row.amount_fen
        for row in connection.execute(select(captures).where(captures.c.visit_id.in_(visits)))
    }
    reversed_ = set(
        connection.execute(
            select(refunds.c.visit_id).where(refunds.c.visit_id.in_(visits), refunds.c.kind == "reversal")
        ).scalars()
    )
    said: dict[str, list[Row[tuple[object, ...]]]] = {}
    for row in connection.execute(
        select(corrections).where(corrections.c.sighting_id.in_(ids)).order_by(corrections.c.id)
    ):
        said.setdefault(row.sighting_id, []).append(row)
    return [
        StoredDecision(
            sighting=sighting_from(seen[row.sighting_id]),
            match=match_from(row),
            decider_id=row.decider_id,
            inputs=_inputs(row),
            is_erased=row.erasure_id is not None,
            captured_fen=0 if row.joined else paid.get(row.visit_id, 0),
            is_reversed=row.visit_id in reversed_,
            **_told(said.get(row.sighting_id, [])),
        )
        for row in found
    ]


def _told(said: list[Row[tuple[object, ...]]]) -> Mapping[str, tuple[str, ...]]:
    """What people said of a sighting: plates that are its car's, and plates that are not."""
    return {
        "truth": tuple(row.label for row in said if row.label is not None),
        "wrong": tuple(row.plate for row in said if row.verdict == "wrong"),
    }


def _inputs(row: Row[tuple[object, ...]]) -> Inputs | None:
    if row.inputs is not None and row.inputs_erased is None:
        return inputs_from(row.inputs)
    return None


def bound_then(connection: Connection, match: Match) -> tuple[Vehicle, ...]:
    """The candidates that were bound when this was decided, for decisions without inputs: by their times."""
    plates = [plate for plate, _ in match.posterior.candidates]
    query = (
        select(vehicles)
        .where(
            vehicles.c.plate.in_(plates),
            vehicles.c.bound_at <= match.decided_at,
            vehicles.c.unbound_at.is_(None) | (vehicles.c.unbound_at > match.decided_at),
        )
        .order_by(vehicles.c.plate, vehicles.c.id)
    )
    return tuple(
        Vehicle(row.id, row.account_id, row.plate, row.colour, row.bound_at, None)
        for row in connection.execute(query)
    )


def page_with_bound(
    connection: Connection, span: Span, after: tuple[datetime, str] | None, most: int
) -> list[StoredDecision]:
    """The next decisions; old ones with the bindings they must have seen."""
    return [with_bound(connection, stored) for stored in page(connection, span, after, most)]


def with_bound(connection: Connection, stored: StoredDecision) -> StoredDecision:
    """An old decision with the bindings it must have seen; what its wallet held then is not known."""
    if stored.inputs is not None or stored.is_erased:
        return stored
    return replace(stored, inputs=Inputs(bound=bound_then(connection, stored.match)))
