"""Sealing the ledger's rows into the chain, and auditing it from scratch or from the last proof."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from wallet import audit, chain
from wallet.chain import Block
from wallet.facts import AuditReport
from wallet.store import sealing
from wallet.store.clock import database_time
from wallet.store.database import Store

BLOCK_ROWS = 1_000


class Proving:
    """Thread-safe. key: what blocks are signed with; it stays outside the database."""

    def __init__(self, store: Store, new_id: Callable[[], str]) -> None:
        self._store = store
        self._new_id = new_id

    def seal(self, key: bytes, *, everything: bool = False, most: int = BLOCK_ROWS) -> int:
        """Seals rows that no block seals yet; gives how many.

        everything: also rows that were written long after their ids were made; it looks at the whole ledger.
        """
        rows = 0
        while sealed := self._store.write(lambda tx: _seal_next(tx, key, everything, most)):
            rows += sealed
            if sealed < most:
                break
        return rows

    def seal_when_due(self, key: bytes, after: timedelta) -> int:
        """Seals where the newest block is older than this by the database's clock; gives how many rows."""
        return self.seal(key) if self._store.read(lambda tx: _is_due(tx, after)) else 0

    def head(self) -> Block | None:
        """The newest block. A copy of its number and hash outside shows later that nothing was cut off."""
        return self._store.read(sealing.newest_block)

    def block(self, number: int) -> Block | None:
        """The block with this number."""
        return self._store.read(lambda tx: sealing.find_block(tx, number))

    def audit(self, key: bytes | None = None, *, since_last: bool = False) -> AuditReport:
        """Every proof, or with since_last only what was touched after the last one; changes nothing."""
        return self._store.read(
            lambda tx: audit.audit(tx, key, audit.last_mark(tx) if since_last else None), snapshot=True
        )

    def prove(self, key: bytes, now: datetime, *, since_last: bool = False) -> AuditReport:
        """Seals everything, audits, and where all is right writes down up to which block."""
        self.seal(key, everything=not since_last)
        report = self.audit(key, since_last=since_last)
        if report.ok and report.head is not None:
            number = report.head[0]
            self._store.write(lambda tx: self._write_down(tx, number, now))
        return report

    def _write_down(self, connection: Connection, number: int, now: datetime) -> None:
        block = sealing.find_block(connection, number)
        mark = audit.last_mark(connection)
        if block is not None and (mark is None or mark.block < number):
            sealing.add_proof(connection, self._new_id(), block, now)


def _seal_next(connection: Connection, key: bytes, everything: bool, most: int) -> int:
    sealing.take_turn(connection)
    head = sealing.newest_block(connection)
    rows = sealing.unsealed(connection, None if everything or head is None else chain.window(head), most)
    if rows:
        block = chain.seal_block(head, rows, key, database_time(connection))
        sealing.add_block(connection, block, rows)
    return len(rows)


def _is_due(connection: Connection, after: timedelta) -> bool:
    head = sealing.newest_block(connection)
    return head is None or database_time(connection) - head.sealed_at >= after
