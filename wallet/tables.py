"""The tables of the service: people and cars, and the ledger; import the others from here too.

Every rule about money stands here again as a constraint; guards.py adds the triggers.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

from wallet import near_plates, wallet_rules
from wallet.columns import fen_column, id_column, metadata, one_of, time_column
from wallet.command_tables import (
    adjustment_decisions,
    adjustments,
    audit_proofs,
    blocks,
    charges,
    commands,
    consumed_events,
    key_conflicts,
    outbox,
    refunds,
    seals,
)
from wallet.door_tables import camera_status, devices, evidence_looks, nonces, operators, sessions
from wallet.fee_tables import fee_lines, fee_settlements, fee_terms
from wallet.forecourt_tables import departures, holds, matches, pumps, sales, sightings, visits
from wallet.limit_tables import (
    guarantees,
    limits,
    plate_releases,
    plate_stops,
    station_places,
    station_prices,
    station_tariffs,
)
from wallet.proof_tables import (
    deciders,
    decision_inputs,
    erasures,
    evidence_reads,
    plate_index,
    sighting_readings,
    traffic_snapshots,
)
from wallet.review_tables import corrections, known_case_answers, known_cases, review_answers, review_ends
from wallet.twin_tables import nightly_counts, station_traffic, twins

__all__ = [
    "accounts",
    "adjustment_decisions",
    "adjustments",
    "audit_proofs",
    "blocks",
    "camera_status",
    "captures",
    "channel_payments",
    "charges",
    "commands",
    "consumed_events",
    "corrections",
    "deciders",
    "decision_inputs",
    "departures",
    "devices",
    "erasures",
    "evidence_looks",
    "evidence_reads",
    "fee_lines",
    "fee_settlements",
    "fee_terms",
    "guarantees",
    "holds",
    "idempotency_keys",
    "key_conflicts",
    "known_case_answers",
    "known_cases",
    "ledger_accounts",
    "ledger_transfers",
    "limits",
    "matches",
    "metadata",
    "nightly_counts",
    "nonces",
    "operators",
    "outbox",
    "plate_index",
    "plate_keys",
    "plate_releases",
    "plate_stops",
    "pumps",
    "recharge_orders",
    "refunds",
    "review_answers",
    "review_ends",
    "reviews",
    "sales",
    "seals",
    "sessions",
    "sighting_readings",
    "sightings",
    "station_places",
    "station_prices",
    "station_tariffs",
    "station_traffic",
    "traffic_snapshots",
    "transfers",
    "twins",
    "vehicles",
    "visits",
    "wallets",
]

# People and cars --------------------------------------------------------------------------------------------

accounts = Table(
    "accounts",
    metadata,
    id_column("id", primary_key=True),
    Column("name", String(200), nullable=False),
    Column("phone", String(40)),
    time_column("created_at"),
    # Set where the account was deleted: see erasures.
    id_column("erasure_id"),
)

vehicles = Table(
    "vehicles",
    metadata,
    id_column("id", primary_key=True),
    id_column("account_id", nullable=False),
    Column("plate", String(12), nullable=False),
    Column("colour", String(12), nullable=False),
    time_column("bound_at"),
    time_column("unbound_at", nullable=True),
    id_column("erasure_id"),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    one_of("colour", "blue", "green", "yellow", "white", "black"),
    Index("ix_vehicles_account_id", "account_id"),
    Index(
        "uq_vehicles_bound_plate",
        "plate",
        unique=True,
        sqlite_where=text("unbound_at IS NULL"),
        postgresql_where=text("unbound_at IS NULL"),
    ),
    *near_plates.indexes(),
)

# Plates with one position replaced by `_`, as versions before 0007 looked for them. Nothing is added now; the
# table goes when no such version can run beside this one.
plate_keys = Table(
    "plate_keys",
    metadata,
    Column("plate_key", String(12), primary_key=True),
    id_column("vehicle_id", primary_key=True),
    ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"]),
    Index("ix_plate_keys_vehicle_id", "vehicle_id"),
    sqlite_with_rowid=False,
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("scope", String(40), primary_key=True),
    Column("idempotency_key", String(255), primary_key=True),
    Column("body_hash", String(64), nullable=False),
    id_column("answer_id", nullable=False),
    time_column("created_at"),
)

# The ledger -------------------------------------------------------------------------------------------------

# The live balance of a wallet. Accounts that are only ever credited (stations, channels) have no such row.
wallets = Table(
    "wallets",
    metadata,
    id_column("account_id", primary_key=True),
    fen_column("principal_fen"),
    fen_column("bonus_fen"),
    fen_column("held_fen"),
    Column("version", BigInteger, nullable=False),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    # On PostgreSQL a trigger looks: see wallet_rules.
    *(CheckConstraint(rule, name=name).ddl_if(dialect="sqlite") for name, rule in wallet_rules.checks()),
)

ledger_accounts = Table(
    "ledger_accounts",
    metadata,
    Column("id", String(120), primary_key=True),
    Column("kind", String(20), nullable=False),
    id_column("account_id"),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    one_of("kind", "principal", "bonus", "clearing", "revenue", "marketing", "suspense", "adjustment", "fee"),
    CheckConstraint(
        "(account_id IS NOT NULL) = (kind IN ('principal', 'bonus'))", name="wallet_side_has_owner"
    ),
)

recharge_orders = Table(
    "recharge_orders",
    metadata,
    id_column("id", primary_key=True),
    id_column("account_id", nullable=False),
    fen_column("amount_fen"),
    Column("channel", String(40), nullable=False),
    Column("state", String(10), nullable=False),
    time_column("created_at"),
    time_column("paid_at", nullable=True),
    Column("channel_txn_id", String(128)),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    UniqueConstraint("channel", "channel_txn_id"),
    one_of("state", "open", "paid"),
    CheckConstraint("amount_fen > 0", name="amount_positive"),
    CheckConstraint(
        "(state = 'paid') = (paid_at IS NOT NULL) AND (state = 'paid') = (channel_txn_id IS NOT NULL)",
        name="paid_has_payment",
    ),
    Index("ix_recharge_orders_account_id", "account_id"),
)

# Every payment a channel has told us of, once; what was refused stands in suspense.
channel_payments = Table(
    "channel_payments",
    metadata,
    Column("channel", String(40), primary_key=True),
    Column("channel_txn_id", String(128), primary_key=True),
    id_column("order_id", nullable=False),
    fen_column("amount_fen"),
    time_column("paid_at"),
    Column("outcome", String(10), nullable=False),
    Column("reason", String(40)),
    time_column("recorded_at"),
    one_of("outcome", "applied", "refused"),
    CheckConstraint("amount_fen > 0", name="amount_positive"),
    CheckConstraint("(outcome = 'refused') = (reason IS NOT NULL)", name="refused_has_reason"),
    Index(
        "uq_channel_payments_applied_order",
        "order_id",
        unique=True,
        sqlite_where=text("outcome = 'applied'"),
        postgresql_where=text("outcome = 'applied'"),
    ),
)

# One row for each capture, for ever: no visit, hold or sale can appear twice.
captures = Table(
    "captures",
    metadata,
    id_column("visit_id", primary_key=True),
    id_column("hold_id", nullable=False, unique=True),
    Column("station", String(64), nullable=False),
    Column("sale_id", String(64), nullable=False),
    id_column("account_id", nullable=False),
    fen_column("amount_fen"),
    fen_column("bonus_fen"),
    fen_column("principal_fen"),
    time_column("captured_at"),
    ForeignKeyConstraint(["visit_id"], ["visits.id"]),
    ForeignKeyConstraint(["hold_id"], ["holds.id"]),
    ForeignKeyConstraint(["station", "sale_id"], ["sales.station", "sales.sale_id"]),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    UniqueConstraint("station", "sale_id"),
    CheckConstraint("amount_fen > 0 AND bonus_fen >= 0 AND principal_fen >= 0", name="not_negative"),
    CheckConstraint("bonus_fen + principal_fen = amount_fen", name="parts_make_the_whole"),
)

# One row is both legs: the money leaves one account and enters another, so it is balanced by construction.
transfers = Table(
    "transfers",
    metadata,
    id_column("id", primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("kind", String(20), nullable=False),
    Column("from_account", String(120), nullable=False),
    Column("to_account", String(120), nullable=False),
    fen_column("amount_fen"),
    id_column("account_id"),
    Column("wallet_version", BigInteger),
    Column("wallet_after_fen", BigInteger),
    id_column("visit_id"),
    Column("station", String(64)),
    Column("sale_id", String(64)),
    id_column("recharge_order_id"),
    time_column("recorded_at"),
    id_column("charge_id"),
    id_column("refund_id"),
    id_column("adjustment_id"),
    id_column("reverses_id"),
    ForeignKeyConstraint(["from_account"], ["ledger_accounts.id"]),
    ForeignKeyConstraint(["to_account"], ["ledger_accounts.id"]),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    ForeignKeyConstraint(["visit_id"], ["visits.id"]),
    ForeignKeyConstraint(["station", "sale_id"], ["sales.station", "sales.sale_id"]),
    ForeignKeyConstraint(["recharge_order_id"], ["recharge_orders.id"]),
    ForeignKeyConstraint(["charge_id"], ["charges.id"]),
    ForeignKeyConstraint(["refund_id"], ["refunds.id"]),
    ForeignKeyConstraint(["adjustment_id"], ["adjustments.id"]),
    # What it reverses may be a charge that is its own transfer: a trigger looks for it.
    UniqueConstraint("account_id", "wallet_version"),
    one_of(
        "kind",
        "recharge",
        "bonus",
        "capture",
        "suspense",
        "charge",
        "refund",
        "reversal",
        "adjustment",
        "fee",
    ),
    CheckConstraint("amount_fen > 0", name="amount_positive"),
    CheckConstraint("from_account <> to_account", name="two_accounts"),
    CheckConstraint("wallet_after_fen >= 0", name="wallet_after_not_negative"),
    CheckConstraint(
        "(account_id IS NULL) = (wallet_version IS NULL) AND (account_id IS NULL) = "
        "(wallet_after_fen IS NULL)",
        name="wallet_transfer_is_numbered",
    ),
    CheckConstraint("(kind = 'reversal') = (reverses_id IS NOT NULL)", name="reversal_names_what"),
    # A transfer is taken back once.
    Index(
        "uq_transfers_reverses_id",
        "reverses_id",
        unique=True,
        sqlite_where=text("reverses_id IS NOT NULL"),
        postgresql_where=text("reverses_id IS NOT NULL"),
    ),
)

# A view, so not of the metadata: all transfers, those that are the row of a charge among them.
ledger_transfers = Table(
    "ledger_transfers", MetaData(), *(Column(column.name, column.type) for column in transfers.columns)
)

reviews = Table(
    "reviews",
    metadata,
    id_column("id", primary_key=True),
    Column("kind", String(30), nullable=False),
    Column("state", String(10), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("station", String(64)),
    id_column("sighting_id"),
    Column("sale_id", String(64)),
    id_column("visit_id"),
    id_column("account_id"),
    fen_column("amount_fen"),
    Column("reasons", JSON, nullable=False),
    time_column("created_at"),
    time_column("closed_at", nullable=True),
    id_column("erasure_id"),
    UniqueConstraint("kind", "subject"),
    ForeignKeyConstraint(["sighting_id"], ["sightings.id"]),
    ForeignKeyConstraint(["visit_id"], ["visits.id"]),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    one_of(
        "kind",
        "sighting",
        "sale_without_visit",
        "another_car_at_pump",
        "cars_at_one_pump",
        "amount_above_hold",
        "payment_refused",
        "outside_limits",
        "not_me",
        "clone_suspected",
        "wrong_debit",
    ),
    one_of("state", "open", "closed"),
    CheckConstraint("(state = 'open') = (closed_at IS NULL)", name="open_is_not_closed"),
    Index("ix_reviews_state_created_at_id", "state", "created_at", "id"),
    # The queue is merged from the kinds, each by its age: what is due when follows from both.
    Index(
        "ix_reviews_open_kind",
        "kind",
        "created_at",
        "id",
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
    Index("ix_reviews_station_sale_id", "station", "sale_id"),
)
