"""Proves the money from the rows alone, from scratch or from the last block that was proven.

Each check counts what it looked at and names the first row that breaks it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from wallet import chain
from wallet.audit_commands import COMMANDS
from wallet.audit_fees import FEES
from wallet.audit_forecourt import FORECOURT
from wallet.audit_ledger import LEDGER, RECHARGE
from wallet.audit_reviews import REVIEWS
from wallet.audit_sql import Proof, statement
from wallet.chain import GENESIS, Block, Seal
from wallet.facts import AuditCheck, AuditReport
from wallet.store import sealing, touched

PROOFS: tuple[Proof, ...] = LEDGER + FORECOURT + RECHARGE + COMMANDS + REVIEWS + FEES
CHAIN = "chain_is_unbroken"

# A service's clock may differ from the database's, and a visit lasts hours: an incremental audit begins so
# much before the last proof.
_BEFORE = timedelta(days=1)
_BLOCKS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Mark:
    """Up to which block everything was proven, and when."""

    block: int
    block_hash: str
    proved_at: datetime


def last_mark(connection: Connection) -> Mark | None:
    """Where the last proof ended."""
    found = sealing.newest_proof(connection)
    return None if found is None else Mark(*found)


def audit(connection: Connection, key: bytes | None = None, since: Mark | None = None) -> AuditReport:
    """Every proof against the rows as they are now.

    key: what the blocks are signed with; None leaves signatures unchecked. since: look only at what was
    touched after this mark.
    """
    first = None if since is None else since.proved_at - _BEFORE
    if since is not None and first is not None:
        head = sealing.newest_block(connection)
        touched.list_touched(connection, since.block, first, "" if head is None else chain.window(head))
    checks = [_check(connection, proof, first) for proof in PROOFS if since is None or not proof.whole]
    checks.append(_check_chain(connection, key, since))
    if since is not None:
        touched.forget(connection)
    head = sealing.newest_block(connection)
    return AuditReport(
        tuple(checks),
        head=None if head is None else (head.number, head.block_hash),
        since_block=None if since is None else since.block,
        unsealed=sealing.count_unsealed(
            connection, None if since is None or head is None else chain.window(head)
        ),
        signatures_checked=key is not None,
    )


def _check(connection: Connection, proof: Proof, since: datetime | None) -> AuditCheck:
    count = int(connection.execute(statement(proof.rows, since)).scalar_one())
    # The list is cut after its first row: one is enough to know, and a broken ledger may have millions.
    first_bad = connection.execute(statement(proof.bad + " LIMIT 1", since)).scalar_one_or_none()
    return AuditCheck(proof.name, first_bad is None, count, first_bad, proof.rule)


# The chain --------------------------------------------------------------------------------------------------


def _check_chain(connection: Connection, key: bytes | None, since: Mark | None) -> AuditCheck:
    rows = 0
    number, previous_hash = (0, GENESIS) if since is None else (since.block, since.block_hash)
    bad = _lost_mark(connection)
    while bad is None:
        found = sealing.blocks_after(connection, number, _BLOCKS_AT_ONCE)
        if not found:
            break
        for block in found:
            bad = _broken_link(block, number, previous_hash, key) or _broken_row(connection, block)
            if bad is not None:
                break
            rows += block.row_count
            number, previous_hash = block.number, block.block_hash
    return AuditCheck(CHAIN, bad is None, rows, bad, "I7")


def _lost_mark(connection: Connection) -> str | None:
    """A block that an audit has proven before and that is not there any more, or is another."""
    mark = last_mark(connection)
    if mark is None:
        return None
    block = sealing.find_block(connection, mark.block)
    if block is not None and block.block_hash == mark.block_hash:
        return None
    return f"block {mark.block}, proven at {mark.proved_at.isoformat()}, is gone or is another"


def _broken_link(block: Block, before: int, previous_hash: str, key: bytes | None) -> str | None:
    if block.number != before + 1:
        return f"block {before + 1} is missing"
    if block.previous_hash != previous_hash:
        return f"block {block.number} does not follow block {before}"
    if key is not None and not chain.is_signed(block, key):
        return f"block {block.number} was not signed by this service"
    return None


def _broken_row(connection: Connection, block: Block) -> str | None:
    if block.format not in chain.FORMATS:
        return f"block {block.number} has the unknown format {block.format}"
    sealed = sealing.sealed_rows(connection, block)
    for row in sealed:
        if row.hash_now is None:
            return f"{_words(row.seal)} of block {block.number} is gone"
        if row.hash_now != row.seal.row_hash:
            return f"{_words(row.seal)} is not as block {block.number} sealed it"
    if chain.block_hash(block, [row.seal for row in sealed]) != block.block_hash:
        return f"block {block.number} and its seals do not fit its hash"
    return None


def _words(seal: Seal) -> str:
    return f"row {seal.row_id} of {seal.table}"
