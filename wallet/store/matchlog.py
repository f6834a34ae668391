"""The operator's log: sighting, decision, visit and money together."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from wallet.facts import Match, MatchRow
from wallet.store.forecourt import match_from, sighting_from, visit_from, visits_with_money
from wallet.tables import matches, plate_index, sightings, visits


def list_matches(
    connection: Connection,
    *,
    plate: str | None,
    plate_hash: str | None,
    station: str | None,
    outcome: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    before: str | None,
) -> list[MatchRow]:
    """Decisions, newest first.

    `plate` finds what was read and what was matched, what was read by its keyed hash where there is one;
    `before` is a sighting's id.
    """
    query = select(matches).order_by(matches.c.decided_at.desc(), matches.c.sighting_id.desc()).limit(limit)
    if plate is not None or station is not None:
        query = query.join(sightings, sightings.c.id == matches.c.sighting_id)
    if plate is not None:
        read_so = sightings.c.text == plate
        if plate_hash is not None:
            known = select(plate_index.c.sighting_id).where(plate_index.c.plate_hash == plate_hash)
            read_so = matches.c.sighting_id.in_(known)
        query = query.where((matches.c.plate == plate) | read_so)
    if station is not None:
        query = query.where(sightings.c.station == station)
    if outcome is not None:
        query = query.where(matches.c.outcome == outcome)
    if since is not None:
        query = query.where(matches.c.decided_at >= since)
    if until is not None:
        query = query.where(matches.c.decided_at < until)
    if before is not None:
        of_mark = select(matches.c.decided_at).where(matches.c.sighting_id == before)
        mark = connection.execute(of_mark).scalar_one_or_none()
        if mark is None:
            return []
        query = query.where(
            (matches.c.decided_at < mark)
            | ((matches.c.decided_at == mark) & (matches.c.sighting_id < before))
        )
    return _with_their_rows(connection, [match_from(row) for row in connection.execute(query)])


def _with_their_rows(connection: Connection, page: list[Match]) -> list[MatchRow]:
    sighting_ids = [match.sighting_id for match in page]
    visit_ids = {match.visit_id for match in page if match.visit_id is not None}
    sighting_rows = connection.execute(select(sightings).where(sightings.c.id.in_(sighting_ids)))
    seen = {row.id: (sighting_from(row), row.recorded_at) for row in sighting_rows}
    visit_rows = connection.execute(visits_with_money().where(visits.c.id.in_(visit_ids)))
    stayed = {row.id: visit_from(row) for row in visit_rows}
    lines = []
    for match in page:
        sighting, recorded_at = seen[match.sighting_id]
        visit = stayed.get(match.visit_id or "")
        lines.append(
            MatchRow(
                sighting=sighting,
                match=match,
                recorded_at=recorded_at,
                visit_state=visit.state if visit else None,
                visit_end=visit.end if visit else None,
                hold_fen=visit.hold_fen if visit else 0,
                captured_fen=visit.captured_fen if visit else 0,
                sale_id=visit.sale_id if visit else None,
            )
        )
    return lines
