"""Tables of commands and their answers, of money given back or put right, and of the proof of it all."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    text,
)

from wallet.columns import fen_column, id_column, metadata, one_of, time_column

# Commands ---------------------------------------------------------------------------------------------------

# Every named command with the answer it got, rejections too: the same again gets the same for ever.
commands = Table(
    "commands",
    metadata,
    id_column("id", primary_key=True),
    Column("scope", String(40), nullable=False),
    Column("idempotency_key", String(255), nullable=False),
    Column("body_hash", String(64), nullable=False),
    Column("outcome", String(10), nullable=False),
    Column("code", String(40), nullable=False),
    Column("answer", JSON, nullable=False),
    Column("actor", String(100), nullable=False),
    time_column("recorded_at"),
    UniqueConstraint("scope", "idempotency_key"),
    one_of("outcome", "done", "rejected"),
    CheckConstraint("(outcome = 'done') = (code = 'done')", name="rejected_has_code"),
)

# A name that came again with another body: refused, and written down once for each such body.
key_conflicts = Table(
    "key_conflicts",
    metadata,
    Column("scope", String(40), primary_key=True),
    Column("idempotency_key", String(255), primary_key=True),
    Column("body_hash", String(64), primary_key=True),
    time_column("recorded_at"),
)

# Money taken without a hold ---------------------------------------------------------------------------------

# One row is the command, its answer, the charge and, where one part of the wallet paid for all of it, the
# transfer: `ledger_transfers` shows it as one. Where both parts paid (part is null), transfers of its own
# moved the money; so it was with every charge of version 0002, whose answer stands in `commands`.
# code: why it was rejected, said: in words; such a row moved nothing. wallet_after_fen: the wallet's total.
charges = Table(
    "charges",
    metadata,
    id_column("id", primary_key=True),
    id_column("account_id", nullable=False),
    Column("station", String(64), nullable=False),
    Column("purpose", String(200), nullable=False),
    fen_column("amount_fen"),
    fen_column("bonus_fen"),
    fen_column("principal_fen"),
    time_column("charged_at"),
    Column("idempotency_key", String(255), unique=True),
    Column("body_hash", String(64)),
    Column("actor", String(100)),
    Column("code", String(40)),
    Column("said", String(200)),
    Column("part", String(10)),
    Column("wallet_version", BigInteger),
    Column("wallet_after_fen", BigInteger),
    UniqueConstraint("account_id", "wallet_version"),
    # No foreign key, and no CHECK, which PostgreSQL reads anew for each statement: who charges changes the
    # wallet, which has both; a trigger looks at each new row (guards.NEW_ROWS), and the audit looks again.
)

# Money given back -------------------------------------------------------------------------------------------

# The refunds of one capture or charge are numbered and carry their running total, so that two at once cannot
# both take the last fen: one of them would have a number that is taken.
refunds = Table(
    "refunds",
    metadata,
    id_column("id", primary_key=True),
    Column("kind", String(10), nullable=False),
    id_column("visit_id"),
    id_column("charge_id"),
    id_column("account_id", nullable=False),
    Column("number", Integer, nullable=False),
    fen_column("amount_fen"),
    fen_column("bonus_fen"),
    fen_column("principal_fen"),
    fen_column("refunded_fen"),
    fen_column("debited_fen"),
    Column("reason", String(200), nullable=False),
    time_column("recorded_at"),
    ForeignKeyConstraint(["visit_id"], ["captures.visit_id"]),
    ForeignKeyConstraint(["charge_id"], ["charges.id"]),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    UniqueConstraint("visit_id", "number"),
    UniqueConstraint("charge_id", "number"),
    one_of("kind", "refund", "reversal"),
    CheckConstraint("(visit_id IS NULL) <> (charge_id IS NULL)", name="of_one_debit"),
    CheckConstraint("amount_fen > 0 AND bonus_fen >= 0 AND principal_fen >= 0", name="not_negative"),
    CheckConstraint("bonus_fen + principal_fen = amount_fen", name="parts_make_the_whole"),
    CheckConstraint("refunded_fen >= amount_fen AND refunded_fen <= debited_fen", name="within_debit"),
    CheckConstraint("number >= 1 AND (number = 1) = (refunded_fen = amount_fen)", name="numbered"),
    CheckConstraint("kind <> 'reversal' OR refunded_fen = debited_fen", name="reversal_leaves_nothing"),
    Index(
        "uq_refunds_reversed_visit",
        "visit_id",
        unique=True,
        sqlite_where=text("kind = 'reversal'"),
        postgresql_where=text("kind = 'reversal'"),
    ),
    Index(
        "uq_refunds_reversed_charge",
        "charge_id",
        unique=True,
        sqlite_where=text("kind = 'reversal'"),
        postgresql_where=text("kind = 'reversal'"),
    ),
)

# Money put right by two people ------------------------------------------------------------------------------

adjustments = Table(
    "adjustments",
    metadata,
    id_column("id", primary_key=True),
    id_column("account_id", nullable=False),
    Column("part", String(10), nullable=False),
    Column("change_fen", BigInteger, nullable=False),
    Column("reason", String(200), nullable=False),
    Column("proposed_by", String(100), nullable=False),
    time_column("recorded_at"),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    UniqueConstraint("id", "proposed_by"),
    one_of("part", "principal", "bonus"),
    CheckConstraint("change_fen <> 0", name="changes_something"),
)

adjustment_decisions = Table(
    "adjustment_decisions",
    metadata,
    id_column("id", primary_key=True),
    id_column("adjustment_id", nullable=False, unique=True),
    Column("proposed_by", String(100), nullable=False),
    Column("decided_by", String(100), nullable=False),
    Column("decision", String(10), nullable=False),
    time_column("recorded_at"),
    ForeignKeyConstraint(["adjustment_id", "proposed_by"], ["adjustments.id", "adjustments.proposed_by"]),
    one_of("decision", "approved", "declined"),
    CheckConstraint("decided_by <> proposed_by", name="two_people"),
)

# Events -----------------------------------------------------------------------------------------------------

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("kind", String(40), nullable=False),
    Column("body", JSON, nullable=False),
    time_column("created_at"),
    time_column("published_at", nullable=True),
    # Who works on it and until when; attempts counts how often it was handed out.
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    time_column("leased_until", nullable=True),
    Column("leased_by", String(64)),
    time_column("dead_at", nullable=True),
    Column("last_error", String(200)),
    Index(
        "ix_outbox_pending",
        "id",
        sqlite_where=text("published_at IS NULL"),
        postgresql_where=text("published_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

# Events that a consumer inside this database has acted on ---------------------------------------------------

consumed_events = Table(
    "consumed_events",
    metadata,
    Column("consumer", String(60), primary_key=True),
    Column("event_id", BigInteger, primary_key=True, autoincrement=False),
    time_column("consumed_at"),
)

# The proof --------------------------------------------------------------------------------------------------

# A block seals rows that were written since the last one; its hash covers theirs and the block before.
blocks = Table(
    "blocks",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("format", Integer, nullable=False),
    Column("row_count", Integer, nullable=False),
    id_column("first_transfer"),
    id_column("last_transfer"),
    Column("previous_hash", String(64), nullable=False, unique=True),
    Column("block_hash", String(64), nullable=False, unique=True),
    Column("signature", String(64), nullable=False),
    time_column("sealed_at"),
    CheckConstraint("number >= 1 AND row_count >= 1", name="positive"),
)

# Which rows a block seals, in their order there, each with its own hash so that an edited row can be named.
seals = Table(
    "seals",
    metadata,
    Column("sealed_table", String(30), primary_key=True),
    id_column("row_id", primary_key=True),
    Column("block", BigInteger, nullable=False),
    Column("place", Integer, nullable=False),
    Column("row_hash", String(64), nullable=False),
    ForeignKeyConstraint(["block"], ["blocks.number"]),
    UniqueConstraint("block", "place"),
    sqlite_with_rowid=False,
)

# Up to which block an audit has found everything right: the next one may begin there.
audit_proofs = Table(
    "audit_proofs",
    metadata,
    id_column("id", primary_key=True),
    Column("block", BigInteger, nullable=False),
    Column("block_hash", String(64), nullable=False),
    time_column("proved_at"),
    ForeignKeyConstraint(["block"], ["blocks.number"]),
)
