"""What was touched since a block was proven: temporary rows that an incremental audit looks things up in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, text

from wallet.columns import UtcTime

# In their order: each may use what the ones before have found. The last is found by an index each.
_FIND = (
    """
    INSERT INTO touched_rows (kind, id)
    SELECT DISTINCT CASE sealed_table WHEN 'commands' THEN 'command' ELSE 'transfer' END, row_id
    FROM seals WHERE block > :block AND sealed_table IN ('transfers', 'charges', 'commands')
    """,
    """
    INSERT INTO touched_rows (kind, id)
    SELECT 'transfer', t.id FROM transfers t
    WHERE t.id >= :first_id
        AND NOT EXISTS (SELECT 1 FROM seals s WHERE s.sealed_table = 'transfers' AND s.row_id = t.id)
    """,
    """
    INSERT INTO touched_rows (kind, id)
    SELECT 'transfer', c.id FROM charges c
    WHERE c.id >= :first_id
        AND NOT EXISTS (SELECT 1 FROM seals s WHERE s.sealed_table = 'charges' AND s.row_id = c.id)
    """,
    """
    INSERT INTO touched_rows (kind, id)
    SELECT 'command', c.id FROM commands c
    WHERE c.id >= :first_id
        AND NOT EXISTS (SELECT 1 FROM seals s WHERE s.sealed_table = 'commands' AND s.row_id = c.id)
    """,
    """
    INSERT INTO touched_rows (kind, id)
    SELECT 'visit', visit_id FROM transfers
    WHERE visit_id IS NOT NULL AND id IN (SELECT id FROM touched_rows WHERE kind = 'transfer')
    UNION SELECT 'visit', visit_id FROM matches WHERE visit_id IS NOT NULL AND decided_at >= :since
    UNION SELECT 'visit', visit_id FROM holds WHERE state = 'live'
    """,
    """
    INSERT INTO touched_rows (kind, id)
    SELECT 'wallet', account_id FROM transfers
    WHERE account_id IS NOT NULL AND id IN (SELECT id FROM touched_rows WHERE kind = 'transfer')
    UNION SELECT 'wallet', account_id FROM charges
    WHERE id IN (SELECT id FROM touched_rows WHERE kind = 'transfer')
    UNION SELECT 'wallet', account_id FROM visits
    WHERE id IN (SELECT id FROM touched_rows WHERE kind = 'visit')
    """,
)


def list_touched(connection: Connection, block: int, since: datetime, first_id: str = "") -> None:
    """Makes `touched_rows`: transfers and commands after this block, the wallets and visits they touch."""
    forget(connection)
    connection.execute(
        text("CREATE TEMPORARY TABLE touched_rows (kind VARCHAR(10) NOT NULL, id VARCHAR(64) NOT NULL)")
    )
    given = {"block": block, "since": since, "first_id": first_id}
    for find in _FIND:
        statement = text(find)
        if ":since" in find:
            statement = statement.bindparams(bindparam("since", type_=UtcTime))
        connection.execute(statement, {name: value for name, value in given.items() if f":{name}" in find})
    connection.execute(text("CREATE INDEX ix_touched_rows ON touched_rows (kind, id)"))


def forget(connection: Connection) -> None:
    """Drops `touched_rows`: the connection goes back to a pool."""
    connection.execute(text("DROP TABLE IF EXISTS touched_rows"))
