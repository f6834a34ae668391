"""Rows of the review queue, and events put into the outbox: what people and other processes must hear of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from wallet.facts import Reason, Review
from wallet.store.statements import add, insert_new
from wallet.tables import outbox, reviews


def tell(connection: Connection, kind: str, body: dict[str, object], now: datetime) -> None:
    """Adds an event to the outbox, in the transaction of what it tells of."""
    add(connection, outbox, kind=kind, body=body, created_at=now, published_at=None)


def has_open_review(connection: Connection, account_id: str) -> bool:
    """Whether a person has still to answer something about this account."""
    query = select(reviews.c.id).where(reviews.c.account_id == account_id, reviews.c.state == "open").limit(1)
    return connection.execute(query).first() is not None


def tell_answer(connection: Connection, kind: str, answer: Any, now: datetime) -> None:
    """Adds the event that a command was done, with its answer (a dataclass) as the body."""
    tell(connection, kind, asdict(answer), now)


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
    return [review_from(row) for row in connection.execute(query)]


def find_review(connection: Connection, review_id: str) -> Review | None:
    """The item with this id."""
    row = connection.execute(select(reviews).where(reviews.c.id == review_id)).one_or_none()
    return None if row is None else review_from(row)


def reasons_to_json(reasons: Sequence[Reason]) -> list[dict[str, Any]]:
    """Reasons as they are stored."""
    return [
        {"code": reason.code, "text": reason.text, "numbers": dict(reason.numbers)}
        if reason.numbers
        else {"code": reason.code, "text": reason.text}
        for reason in reasons
    ]


def reasons_from_json(stored: Any) -> tuple[Reason, ...]:
    """Stored reasons as values."""
    return tuple(
        Reason(
            str(item["code"]),
            str(item["text"]),
            tuple((str(name), int(number)) for name, number in item.get("numbers", {}).items()),
        )
        for item in stored
    )


def review_from(row: Row[tuple[object, ...]]) -> Review:
    """A row of reviews as a value."""
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
