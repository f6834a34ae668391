"""Rows of the chain: which rows are not sealed yet, blocks, seals, and up to where an audit proved them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, and_, func, insert, select, text

from wallet.chain import FORMAT, FORMATS, Block, Seal, row_hash
from wallet.store.database import add
from wallet.tables import audit_proofs, blocks, metadata, seals

# Sealers of several services take turns; the number only has to be ours.
_POSTGRESQL_LOCK = 7_528_360


@dataclass(frozen=True, slots=True)
class SealedRow:
    """A row that a block seals: its seal, and the hash it has now; None where it is gone."""

    seal: Seal
    hash_now: str | None


def take_turn(connection: Connection) -> None:
    """Waits until nobody else seals; held until this transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _POSTGRESQL_LOCK})


def newest_block(connection: Connection) -> Block | None:
    """The last link of the chain."""
    row = connection.execute(select(blocks).order_by(blocks.c.number.desc()).limit(1)).one_or_none()
    return None if row is None else _block(row)


def find_block(connection: Connection, number: int) -> Block | None:
    """The block with this number."""
    row = connection.execute(select(blocks).where(blocks.c.number == number)).one_or_none()
    return None if row is None else _block(row)


def blocks_after(connection: Connection, number: int, most: int) -> list[Block]:
    """The next blocks after this number, in their order."""
    query = select(blocks).where(blocks.c.number > number).order_by(blocks.c.number).limit(most)
    return [_block(row) for row in connection.execute(query)]


def unsealed(connection: Connection, from_id: str | None, most: int) -> list[Seal]:
    """Rows that no block seals, in the order of their ids, at most so many.

    from_id: rows with smaller ids are taken as sealed, which spares looking at all of them.
    """
    found: list[Seal] = []
    for name, columns in FORMATS[FORMAT].items():
        table = metadata.tables[name]
        query = select(*_columns(table, columns)).where(_not_sealed(table, from_id)).order_by(table.c.id)
        rows = connection.execute(query.limit(most - len(found)))
        found.extend(Seal(name, row.id, row_hash(name, tuple(row))) for row in rows)
        if len(found) == most:
            break
    return found


def count_unsealed(connection: Connection, from_id: str | None) -> int:
    """How many rows no block seals; from_id as for `unsealed`."""
    counts = (
        select(func.count())
        .select_from(metadata.tables[name])
        .where(_not_sealed(metadata.tables[name], from_id))
        for name in FORMATS[FORMAT]
    )
    return sum(int(connection.execute(count).scalar_one()) for count in counts)


def _not_sealed(table: Table, from_id: str | None) -> Any:
    mine = (seals.c.sealed_table == table.name) & (seals.c.row_id == table.c.id)
    missing = ~select(seals.c.row_id).where(mine).exists()
    return missing if from_id is None else and_(missing, table.c.id >= from_id)


def add_block(connection: Connection, block: Block, sealed: Sequence[Seal]) -> None:
    """Writes a block with its seals."""
    add(
        connection,
        blocks,
        number=block.number,
        format=block.format,
        row_count=block.row_count,
        first_transfer=block.first_transfer,
        last_transfer=block.last_transfer,
        previous_hash=block.previous_hash,
        block_hash=block.block_hash,
        signature=block.signature,
        sealed_at=block.sealed_at,
    )
    connection.execute(
        insert(seals),
        [
            {
                "sealed_table": seal.table,
                "row_id": seal.row_id,
                "block": block.number,
                "place": place,
                "row_hash": seal.row_hash,
            }
            for place, seal in enumerate(sealed)
        ],
    )


def sealed_rows(connection: Connection, block: Block) -> list[SealedRow]:
    """The rows of a block in their order, as they were sealed and as they are now."""
    places: dict[int, SealedRow] = {}
    of_block = seals.c.block == block.number
    for name, columns in FORMATS[block.format].items():
        table = metadata.tables[name]
        # The id again under another name tells a row that is gone from one that is there.
        query = (
            select(
                seals.c.place,
                seals.c.row_id,
                seals.c.row_hash,
                table.c.id.label("found_id"),
                *_columns(table, columns),
            )
            .select_from(seals.join(table, table.c.id == seals.c.row_id, isouter=True))
            .where(of_block, seals.c.sealed_table == name)
        )
        for row in connection.execute(query):
            values = tuple(row)[4:]
            hash_now = None if row.found_id is None else row_hash(name, values)
            places[row.place] = SealedRow(Seal(name, row.row_id, row.row_hash), hash_now)
    return [places[place] for place in sorted(places)]


def _columns(table: Table, names: Sequence[str]) -> Iterator[Any]:
    return (table.c[name] for name in names)


def add_proof(connection: Connection, proof_id: str, block: Block, now: datetime) -> None:
    """Writes down that everything up to this block was found right."""
    add(
        connection,
        audit_proofs,
        id=proof_id,
        block=block.number,
        block_hash=block.block_hash,
        proved_at=now,
    )


def newest_proof(connection: Connection) -> tuple[int, str, datetime] | None:
    """(block, its hash, when) of the audit that proved most."""
    row = connection.execute(
        select(audit_proofs).order_by(audit_proofs.c.block.desc(), audit_proofs.c.proved_at.desc()).limit(1)
    ).one_or_none()
    return None if row is None else (row.block, row.block_hash, row.proved_at)


def _block(row: Row[tuple[object, ...]]) -> Block:
    return Block(
        row.number,
        row.format,
        row.row_count,
        row.first_transfer,
        row.last_transfer,
        row.previous_hash,
        row.block_hash,
        row.signature,
        row.sealed_at,
    )
