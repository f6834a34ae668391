"""Fees: the terms of stations and what was settled of their sales.

Expand only: three new tables of facts; the kinds `fee` of transfers and of ledger accounts were there before.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from api.migrations.steps import guard_facts, refuse_to_lose

revision = "0008"
down_revision = "0007"

FACTS = ("fee_terms", "fee_settlements", "fee_lines")


def upgrade() -> None:
    """To this version."""
    op.create_table(
        "fee_terms",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("rate_ppm", sa.Integer(), nullable=False),
        sa.Column("fixed_fen", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("rate_ppm >= 0 AND rate_ppm <= 1000000", name=op.f("ck_fee_terms_rate_range")),
        sa.CheckConstraint("fixed_fen >= 0", name=op.f("ck_fee_terms_fixed_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fee_terms")),
        sa.UniqueConstraint("station", "valid_from", name=op.f("uq_fee_terms_station_valid_from")),
    )
    _make_settlements()
    op.create_table(
        "fee_lines",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("settlement_id", sa.String(length=64), nullable=False),
        sa.Column("terms_id", sa.String(length=64), nullable=False),
        sa.Column("debits", sa.BigInteger(), nullable=False),
        sa.Column("refunds", sa.BigInteger(), nullable=False),
        sa.Column("debited_fen", sa.BigInteger(), nullable=False),
        sa.Column("refunded_fen", sa.BigInteger(), nullable=False),
        sa.Column("fee_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "debits >= 0 AND refunds >= 0 AND debits + refunds > 0",
            name=op.f("ck_fee_lines_counts_something"),
        ),
        sa.CheckConstraint("debited_fen >= 0 AND refunded_fen >= 0", name=op.f("ck_fee_lines_not_negative")),
        sa.ForeignKeyConstraint(
            ["settlement_id"], ["fee_settlements.id"], name=op.f("fk_fee_lines_settlement_id")
        ),
        sa.ForeignKeyConstraint(["terms_id"], ["fee_terms.id"], name=op.f("fk_fee_lines_terms_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fee_lines")),
        sa.UniqueConstraint("settlement_id", "terms_id", name=op.f("uq_fee_lines_settlement_id_terms_id")),
    )
    guard_facts(FACTS)


def _make_settlements() -> None:
    op.create_table(
        "fee_settlements",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("after_block", sa.BigInteger(), nullable=True),
        sa.Column("to_block", sa.BigInteger(), nullable=False),
        sa.Column("debits", sa.BigInteger(), nullable=False),
        sa.Column("refunds", sa.BigInteger(), nullable=False),
        sa.Column("debited_fen", sa.BigInteger(), nullable=False),
        sa.Column("refunded_fen", sa.BigInteger(), nullable=False),
        sa.Column("fee_fen", sa.BigInteger(), nullable=False),
        sa.Column("latest_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("transfer_id", sa.String(length=64), nullable=True),
        sa.Column("command_key", sa.String(length=255), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "number >= 1 AND (number = 1) = (after_block IS NULL)",
            name=op.f("ck_fee_settlements_first_follows_none"),
        ),
        sa.CheckConstraint(
            "to_block > COALESCE(after_block, 0)", name=op.f("ck_fee_settlements_covers_blocks")
        ),
        sa.CheckConstraint(
            "debits >= 0 AND refunds >= 0 AND debited_fen >= 0 AND refunded_fen >= 0",
            name=op.f("ck_fee_settlements_not_negative"),
        ),
        sa.CheckConstraint(
            "(debits + refunds = 0) = (latest_at IS NULL)",
            name=op.f("ck_fee_settlements_newest_sale_is_known"),
        ),
        sa.CheckConstraint(
            "(fee_fen = 0) = (transfer_id IS NULL)", name=op.f("ck_fee_settlements_fee_is_transferred")
        ),
        sa.ForeignKeyConstraint(
            ["station", "after_block"],
            ["fee_settlements.station", "fee_settlements.to_block"],
            name=op.f("fk_fee_settlements_station_after_block"),
        ),
        sa.ForeignKeyConstraint(["to_block"], ["blocks.number"], name=op.f("fk_fee_settlements_to_block")),
        sa.ForeignKeyConstraint(
            ["transfer_id"], ["transfers.id"], name=op.f("fk_fee_settlements_transfer_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fee_settlements")),
        sa.UniqueConstraint("station", "after_block", name=op.f("uq_fee_settlements_station_after_block")),
        sa.UniqueConstraint("station", "number", name=op.f("uq_fee_settlements_station_number")),
        sa.UniqueConstraint("station", "to_block", name=op.f("uq_fee_settlements_station_to_block")),
        sa.UniqueConstraint("transfer_id", name=op.f("uq_fee_settlements_transfer_id")),
    )


def downgrade() -> None:
    """Back to the version before, where no fee was agreed: it could not prove what was settled."""
    fees = ("fee-terms", "fee-settlement")
    answered = " OR ".join(f"scope = '{scope}'" for scope in fees)
    refuse_to_lose("0007", (*((table, "1 = 1") for table in FACTS), ("commands", answered)))
    for table in reversed(FACTS):
        op.drop_table(table)
