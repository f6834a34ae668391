"""The durable spool of what the service must be told: on disk, in order, gone only when the service has it.

A sighting, its two pictures and its departure form a group. Within a group nothing overtakes; a group that
waits to be tried again does not hold up the others.
"""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from cameras.messages import (
    DEPARTURES_PATH,
    SIGHTINGS_PATH,
    Message,
    as_bytes,
    evidence_path,
)

Kind = Literal["evidence", "sighting", "departure"]
# kind, message_id, group_id, path, body, evidence
Row = tuple[str, str, str, str, bytes | None, str | None]
# A due time further ahead than any wait was written before the clock was set back.
LONGEST_WAIT_S = 400.0

TABLES = """
CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('evidence', 'sighting', 'departure')),
    message_id TEXT NOT NULL,
    group_id TEXT NOT NULL,
    path TEXT NOT NULL,
    body BLOB,
    evidence TEXT,
    created_at TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at REAL NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'aside')),
    error TEXT NOT NULL DEFAULT '',
    UNIQUE (kind, message_id),
    CHECK ((body IS NULL) <> (evidence IS NULL))
);
CREATE INDEX IF NOT EXISTS messages_by_group ON messages (group_id, state, seq);
CREATE INDEX IF NOT EXISTS messages_by_state ON messages (state, seq);
"""

# The first message of each group that waits, if it is due: what is sent next.
NEXT = """
SELECT seq, kind, message_id, group_id, path, body, evidence, created_at, attempts, error
FROM messages AS message
WHERE state = 'waiting' AND (due_at <= :now OR due_at > :now + :longest) AND NOT EXISTS (
    SELECT 1 FROM messages AS earlier
    WHERE earlier.group_id = message.group_id AND earlier.state = 'waiting' AND earlier.seq < message.seq
)
ORDER BY seq LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Spooled:
    """A message on disk. body: JSON to send, None for a picture; evidence: the picture's SHA-256."""

    seq: int
    kind: Kind
    message_id: str
    group_id: str
    path: str
    body: bytes | None
    evidence: str | None
    created_at: str
    attempts: int
    error: str


@dataclass(frozen=True, slots=True)
class OutboxCounts:
    """waiting: to be sent. set_aside: refused for good, kept for a person to look at."""

    waiting: int
    set_aside: int
    oldest_waiting_at: str | None


class Outbox:
    """One camera's spool, safe to use from several threads; a crash at any point loses nothing."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._changed = threading.Condition()
        self._additions = 0
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10.0)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.executescript(TABLES)
        # After a start everything is worth a try at once; waits from another run mean nothing.
        self._database.execute("UPDATE messages SET due_at = 0 WHERE state = 'waiting' AND due_at > 0")

    def put_sighting(self, message: Message, now: datetime) -> None:
        """Spools a sighting behind its two pictures; it is on disk when this returns.

        The same sighting again changes nothing. Raises ValueError for a message that holds a float.
        """
        sighting_id = str(message["sighting_id"])
        body = as_bytes(message)
        rows: list[Row] = [
            ("evidence", f"{sighting_id}/{what}", sighting_id, evidence_path(sha256), None, sha256)
            for what, sha256 in message["evidence"].items()
        ]
        rows.append(("sighting", sighting_id, sighting_id, SIGHTINGS_PATH, body, None))
        self._insert(rows, now)

    def put_departure(self, message: Message, now: datetime) -> None:
        """Spools a departure behind its sighting; it is on disk when this returns."""
        sighting_id = str(message["sighting_id"])
        row = ("departure", sighting_id, sighting_id, DEPARTURES_PATH, as_bytes(message), None)
        self._insert([row], now)

    def next_due(self, now_s: float) -> Spooled | None:
        """The message to send now, None where none is due. now_s: unix time."""
        with self._changed:
            row = self._database.execute(NEXT, {"now": now_s, "longest": LONGEST_WAIT_S}).fetchone()
        return None if row is None else Spooled(*row)

    def next_due_at(self) -> float | None:
        """When the next message that waits is due, in unix time; None where none waits."""
        query = "SELECT min(due_at) FROM messages WHERE state = 'waiting'"
        with self._changed:
            found: float | None = self._database.execute(query).fetchone()[0]
        return found

    def sent(self, message: Spooled) -> None:
        """The service has it. Pictures stay listed until their sighting is sent too: it may ask again."""
        with self._changed:
            if message.kind == "evidence":
                self._execute("UPDATE messages SET state = 'sent' WHERE seq = ?", (message.seq,))
                return
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute("DELETE FROM messages WHERE seq = ?", (message.seq,))
            self._database.execute(
                "DELETE FROM messages WHERE group_id = ? AND kind = 'evidence' AND state = 'sent'",
                (message.group_id,),
            )
            self._database.execute("COMMIT")
            self._changed.notify_all()

    def try_again(self, message: Spooled, due_at: float, error: str) -> None:
        """It did not get through; it is due again at that unix time."""
        with self._changed:
            self._execute(
                "UPDATE messages SET attempts = attempts + 1, due_at = ?, error = ? WHERE seq = ?",
                (due_at, error, message.seq),
            )

    def send_evidence_again(self, message: Spooled, due_at: float, error: str) -> bool:
        """The service lacks the pictures of this sighting: they go first again. False where none can."""
        lost = (
            "SELECT EXISTS (SELECT 1 FROM messages "
            "WHERE group_id = ? AND kind = 'evidence' AND state = 'aside')"
        )
        with self._changed:
            if self._database.execute(lost, (message.group_id,)).fetchone()[0]:
                return False
            changed = self._execute(
                "UPDATE messages SET state = 'waiting', due_at = ? WHERE group_id = ? AND state = 'sent'",
                (due_at, message.group_id),
            )
            self._execute(
                "UPDATE messages SET attempts = attempts + 1, due_at = ?, error = ? WHERE seq = ?",
                (due_at, error, message.seq),
            )
        return changed > 0

    def set_aside(self, message: Spooled, error: str) -> None:
        """The service will never take it: it is kept, no longer sent, and counted."""
        with self._changed:
            self._execute(
                "UPDATE messages SET state = 'aside', attempts = attempts + 1, error = ? WHERE seq = ?",
                (error, message.seq),
            )
            self._changed.notify_all()

    def restore_set_aside(self) -> int:
        """Puts what was set aside back in line, under the same ids; gives how many."""
        with self._changed:
            changed = self._execute(
                "UPDATE messages SET state = 'waiting', due_at = 0 WHERE state = 'aside'", ()
            )
            self._additions += 1
            self._changed.notify_all()
        return changed

    def set_aside_messages(self, limit: int = 100) -> list[Spooled]:
        """What was set aside, oldest first."""
        query = (
            "SELECT seq, kind, message_id, group_id, path, body, evidence, created_at, attempts, error "
            "FROM messages WHERE state = 'aside' ORDER BY seq LIMIT ?"
        )
        with self._changed:
            return [Spooled(*row) for row in self._database.execute(query, (limit,))]

    def counts(self) -> OutboxCounts:
        query = (
            "SELECT count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'aside'), "
            "min(created_at) FILTER (WHERE state = 'waiting') FROM messages"
        )
        with self._changed:
            return OutboxCounts(*self._database.execute(query).fetchone())

    def evidence_needed(self) -> set[str]:
        """The hashes of all pictures that must not be deleted yet."""
        with self._changed:
            rows = self._database.execute("SELECT evidence FROM messages WHERE evidence IS NOT NULL")
            return {row[0] for row in rows}

    @property
    def additions(self) -> int:
        """Grows with every message put in, and when somebody calls `wake`."""
        with self._changed:
            return self._additions

    def wait_for_addition(self, since: int, timeout_s: float) -> None:
        """Returns when `additions` is no longer what it was, or after the time."""
        with self._changed:
            self._changed.wait_for(lambda: self._additions != since, timeout_s)

    def wait_until_empty(self, timeout_s: float) -> bool:
        """Waits until nothing waits to be sent; False where that does not happen in time."""
        query = "SELECT NOT EXISTS (SELECT 1 FROM messages WHERE state = 'waiting')"
        with self._changed:
            return self._changed.wait_for(
                lambda: bool(self._database.execute(query).fetchone()[0]), timeout_s
            )

    def wake(self) -> None:
        """Lets everyone who waits look again."""
        with self._changed:
            self._additions += 1
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._database.close()

    def _insert(self, rows: list[Row], now: datetime) -> None:
        created_at = now.astimezone(UTC).isoformat()
        with self._changed:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._database.executemany(
                    "INSERT INTO messages (kind, message_id, group_id, path, body, evidence, created_at) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, message_id) DO NOTHING",
                    [(*row, created_at) for row in rows],
                )
                self._database.execute("COMMIT")
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._additions += 1
            self._changed.notify_all()

    def _execute(self, statement: str, values: tuple[object, ...]) -> int:
        return self._database.execute(statement, values).rowcount
