"""Tables of fees: the terms of stations, and what was settled under them. All of them are facts.

No sale touches a row of them: a settlement covers what blocks of the chain seal.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Integer,
    String,
    Table,
    UniqueConstraint,
)

from wallet.columns import fen_column, id_column, metadata, time_column

# What each sale of a station costs it, for sales recorded from a moment on, until the next row.
fee_terms = Table(
    "fee_terms",
    metadata,
    id_column("id", primary_key=True),
    Column("station", String(64), nullable=False),
    Column("rate_ppm", Integer, nullable=False),
    fen_column("fixed_fen"),
    time_column("valid_from"),
    Column("reason", String(200), nullable=False),
    Column("actor", String(100), nullable=False),
    time_column("recorded_at"),
    UniqueConstraint("station", "valid_from"),
    CheckConstraint("rate_ppm >= 0 AND rate_ppm <= 1000000", name="rate_range"),
    CheckConstraint("fixed_fen >= 0", name="fixed_not_negative"),
)

# Each settlement begins where the one before ends: whoever follows none is the first, and nobody follows the
# same one twice. after_block null: from the beginning. command_key: of the command it was asked for by.
fee_settlements = Table(
    "fee_settlements",
    metadata,
    id_column("id", primary_key=True),
    Column("station", String(64), nullable=False),
    Column("number", Integer, nullable=False),
    Column("after_block", BigInteger),
    Column("to_block", BigInteger, nullable=False),
    Column("debits", BigInteger, nullable=False),
    Column("refunds", BigInteger, nullable=False),
    fen_column("debited_fen"),
    fen_column("refunded_fen"),
    fen_column("fee_fen"),
    time_column("latest_at", nullable=True),
    id_column("transfer_id", unique=True),
    Column("command_key", String(255), nullable=False),
    Column("actor", String(100), nullable=False),
    time_column("recorded_at"),
    UniqueConstraint("station", "number"),
    UniqueConstraint("station", "after_block"),
    UniqueConstraint("station", "to_block"),
    ForeignKeyConstraint(["station", "after_block"], ["fee_settlements.station", "fee_settlements.to_block"]),
    ForeignKeyConstraint(["to_block"], ["blocks.number"]),
    ForeignKeyConstraint(["transfer_id"], ["transfers.id"]),
    CheckConstraint("number >= 1 AND (number = 1) = (after_block IS NULL)", name="first_follows_none"),
    CheckConstraint("to_block > COALESCE(after_block, 0)", name="covers_blocks"),
    CheckConstraint(
        "debits >= 0 AND refunds >= 0 AND debited_fen >= 0 AND refunded_fen >= 0", name="not_negative"
    ),
    CheckConstraint("(debits + refunds = 0) = (latest_at IS NULL)", name="newest_sale_is_known"),
    CheckConstraint("(fee_fen = 0) = (transfer_id IS NULL)", name="fee_is_transferred"),
)

# What a settlement counted under each terms. Refunds count under the terms of the sale they give back.
fee_lines = Table(
    "fee_lines",
    metadata,
    id_column("id", primary_key=True),
    id_column("settlement_id", nullable=False),
    id_column("terms_id", nullable=False),
    Column("debits", BigInteger, nullable=False),
    Column("refunds", BigInteger, nullable=False),
    fen_column("debited_fen"),
    fen_column("refunded_fen"),
    fen_column("fee_fen"),
    UniqueConstraint("settlement_id", "terms_id"),
    ForeignKeyConstraint(["settlement_id"], ["fee_settlements.id"]),
    ForeignKeyConstraint(["terms_id"], ["fee_terms.id"]),
    CheckConstraint("debits >= 0 AND refunds >= 0 AND debits + refunds > 0", name="counts_something"),
    CheckConstraint("debited_fen >= 0 AND refunded_fen >= 0", name="not_negative"),
)
