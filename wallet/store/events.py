"""Rows of the outbox and of the review queue: what other processes and people have to hear of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from wallet.facts import OutboxEvent, Reason, Review
from wallet.store.database import Store, add, insert_new
from wallet.tables import outbox, reviews


def tell(connection: Connection, kind: str, body: dict[str, object], now: datetime) -> None:
    """Adds an event to the outbox, in the transaction of what it tells of."""
    add(connection, outbox, kind=kind, body=body, created_at=now, published_at=None)


def tell_answer(connection: Connection, kind: str, answer: Any, now: datetime) -> None:
    """Adds the event that a command was done, with its answer (a dataclass) as the body."""
    tell(connection, kind, asdict(answer), now)


class Outbox:
    """Events that wait to be carried on, in the order they were written."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def pending(self, limit: int = 100) -> list[OutboxEvent]:
        """The oldest events that nobody has marked as published."""
        query = select(outbox).where(outbox.c.published_at.is_(None)).order_by(outbox.c.id).limit(limit)
        rows = self._store.read(lambda connection: connection.execute(query).all())
        return [OutboxEvent(row.id, row.kind, row.body, row.created_at) for row in rows]

    def mark_published(self, ids: Iterable[int], now: datetime | None = None) -> int:
        """Takes events out of `pending`, at the database's own time by default; says how many were in it."""
        statement = (
            update(outbox)
            .where(outbox.c.id.in_(list(ids)), outbox.c.published_at.is_(None))
            .values(published_at=func.current_timestamp() if now is None else now)
        )
        return self._store.write(lambda connection: connection.execute(statement).rowcount)


def ask_for_review(connection: Connection, review: Review) -> None:
    """Adds an item to the queue unless one of its kind and subject is there."""
    insert_new(
        connection,
        reviews,
        id=review.id,
        kind=review.kind,
        state=review.state,
        subject=review.subject,
        station=review.station,
        sighting_id=review.sighting_id,
        sale_id=review.sale_id,
        visit_id=review.visit_id,
        account_id=review.account_id,
        amount_fen=review.amount_fen,
        reasons=reasons_to_json(review.reasons),
        created_at=review.created_at,
        closed_at=review.closed_at,
    )


def list_reviews(
    connection: Connection,
    *,
    state: str | None,
    kind: str | None,
    station: str | None,
    limit: int,
    before: str | None,
) -> list[Review]:
    """Items of the queue, newest first, older than the item with the id `before`."""
    query = select(reviews).order_by(reviews.c.id.desc()).limit(limit)
    for column, wanted in ((reviews.c.state, state), (reviews.c.kind, kind), (reviews.c.station, station)):
        if wanted is not None:
            query = query.where(column == wanted)
    if before is not None:
        query = query.where(reviews.c.id < before)
    return [_review(row) for row in connection.execute(query)]


def find_review(connection: Connection, review_id: str) -> Review | None:
    """The item with this id."""
    row = connection.execute(select(reviews).where(reviews.c.id == review_id)).one_or_none()
    return None if row is None else _review(row)


def reasons_to_json(reasons: Sequence[Reason]) -> list[dict[str, str]]:
    """Reasons as they are stored."""
    return [{"code": reason.code, "text": reason.text} for reason in reasons]


def reasons_from_json(stored: Any) -> tuple[Reason, ...]:
    """Stored reasons as values."""
    return tuple(Reason(str(item["code"]), str(item["text"])) for item in stored)


def _review(row: Row[tuple[object, ...]]) -> Review:
    return Review(
        id=row.id,
        kind=row.kind,
        state=row.state,
        subject=row.subject,
        station=row.station,
        sighting_id=row.sighting_id,
        sale_id=row.sale_id,
        visit_id=row.visit_id,
        account_id=row.account_id,
        amount_fen=row.amount_fen,
        reasons=reasons_from_json(row.reasons),
        created_at=row.created_at,
        closed_at=row.closed_at,
    )
