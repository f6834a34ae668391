"""The outbox: events that wait for workers, who take them on a lease and say what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, select, update

from wallet.facts import DeadEvent, OutboxEvent
from wallet.store.clock import database_time
from wallet.store.database import Store, insert_new
from wallet.tables import consumed_events, outbox

# How often an event is handed out before a person must look at it.
MOST_ATTEMPTS = 8
_LONGEST_ERROR = 200


class Outbox:
    """Events in the order they were written, each delivered at least once.

    A worker leases events, acts on them and says that they are done or have failed, or gives them back. Who
    says nothing (a crash) loses the lease when its time is over, and another worker gets them. An event that
    has been handed out too often without getting done is dead: the others go on, a person looks.
    Leases are measured by the database's clock.
    """

    def __init__(self, store: Store, most_attempts: int = MOST_ATTEMPTS) -> None:
        self._store = store
        self._most_attempts = most_attempts

    def lease(self, worker: str, limit: int = 100, lease_s: int = 60) -> list[OutboxEvent]:
        """The oldest events nobody works on, for this worker until the lease ends; counts an attempt each."""
        return self._store.write(lambda tx: self._lease(tx, worker, limit, timedelta(seconds=lease_s)))

    def _lease(self, connection: Connection, worker: str, limit: int, lasts: timedelta) -> list[OutboxEvent]:
        now = database_time(connection)
        free = outbox.c.leased_until.is_(None) | (outbox.c.leased_until <= now)
        query = select(outbox).where(_waiting(), free).order_by(outbox.c.id).limit(limit)
        rows = connection.execute(query.with_for_update(skip_locked=True)).all()
        spent = [row.id for row in rows if row.attempts >= self._most_attempts]
        if spent:
            # Its worker never came back to say what is wrong with it.
            _bury(connection, spent, "every worker that took it lost its lease", now)
        leased = [row for row in rows if row.attempts < self._most_attempts]
        if leased:
            connection.execute(
                update(outbox)
                .where(outbox.c.id.in_([row.id for row in leased]))
                .values(attempts=outbox.c.attempts + 1, leased_by=worker, leased_until=now + lasts)
            )
        return [_event(row) for row in leased]

    def done(self, worker: str, ids: Iterable[int]) -> int:
        """These events need no more delivery; gives how many the worker still had.

        One whose lease was lost meanwhile stays with its new worker, who does it again.
        """
        return self._store.write(
            lambda tx: (
                tx.execute(
                    update(outbox).where(_held(worker, ids)).values(published_at=database_time(tx), **_FREE)
                ).rowcount
            )
        )

    def failed(self, worker: str, event_id: int, error: str) -> bool:
        """This event could not be done: it waits for its next turn, or is dead; says whether it is dead."""
        return self._store.write(lambda tx: self._failed(tx, worker, event_id, error[:_LONGEST_ERROR]))

    def _failed(self, connection: Connection, worker: str, event_id: int, error: str) -> bool:
        mine = _held(worker, [event_id])
        attempts = connection.execute(select(outbox.c.attempts).where(mine).with_for_update()).scalar()
        if attempts is None:
            return False
        if attempts >= self._most_attempts:
            _bury(connection, [event_id], error, database_time(connection))
            return True
        connection.execute(update(outbox).where(mine).values(last_error=error, **_FREE))
        return False

    def give_back(self, worker: str, ids: Iterable[int]) -> int:
        """Ends the lease without counting the attempt: the way was blocked, not the event; gives how many."""
        freed = {**_FREE, "attempts": outbox.c.attempts - 1}
        return self._store.write(
            lambda tx: tx.execute(update(outbox).where(_held(worker, ids)).values(**freed)).rowcount
        )

    def handle_once(
        self, consumer: str, event: OutboxEvent, work: Callable[[Connection], object], now: datetime
    ) -> bool:
        """Does the work of a consumer in this database, once for each event; says whether it was done now."""
        return self._store.write(lambda tx: _consume(tx, consumer, event, work, now))

    # For people ---------------------------------------------------------------------------------------------

    def pending(self, limit: int = 100) -> list[OutboxEvent]:
        """The oldest events that are not done, whether somebody works on them or not."""
        return [_event(row) for row in self._rows(select(outbox).where(_waiting()), limit)]

    def dead(self, limit: int = 100) -> list[DeadEvent]:
        """The oldest events that were given up."""
        rows = self._rows(select(outbox).where(outbox.c.dead_at.is_not(None)), limit)
        return [DeadEvent(_event(row), row.attempts, row.last_error or "", row.dead_at) for row in rows]

    def _rows(self, query: Select[tuple[object, ...]], limit: int) -> list[Row[tuple[object, ...]]]:
        ordered = query.order_by(outbox.c.id).limit(limit)
        return self._store.read(lambda tx: list(tx.execute(ordered).all()))

    def requeue(self, ids: Iterable[int] | None = None) -> int:
        """Dead events wait again, with no attempt counted; None: all of them. Gives how many."""
        which: ColumnElement[bool] = outbox.c.dead_at.is_not(None)
        if ids is not None:
            which = and_(which, outbox.c.id.in_(list(ids)))
        fresh = {**_FREE, "attempts": 0, "dead_at": None}
        return self._store.write(lambda tx: tx.execute(update(outbox).where(which).values(**fresh)).rowcount)


_FREE: dict[str, object] = {"leased_by": None, "leased_until": None}


def _waiting() -> ColumnElement[bool]:
    return and_(outbox.c.published_at.is_(None), outbox.c.dead_at.is_(None))


def _held(worker: str, ids: Iterable[int]) -> ColumnElement[bool]:
    return and_(outbox.c.id.in_(list(ids)), outbox.c.leased_by == worker, _waiting())


def _bury(connection: Connection, ids: list[int], error: str, now: datetime) -> None:
    connection.execute(
        update(outbox).where(outbox.c.id.in_(ids)).values(dead_at=now, last_error=error, **_FREE)
    )


def _consume(
    connection: Connection,
    consumer: str,
    event: OutboxEvent,
    work: Callable[[Connection], object],
    now: datetime,
) -> bool:
    if not insert_new(connection, consumed_events, consumer=consumer, event_id=event.id, consumed_at=now):
        return False
    work(connection)
    return True


def _event(row: Row[tuple[object, ...]]) -> OutboxEvent:
    return OutboxEvent(row.id, row.kind, row.body, row.created_at)
