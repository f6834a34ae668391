"""The tables of the service.

Every rule about money stands here again as a constraint; guards.py adds the triggers.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcTime(TypeDecorator[datetime]):
    """Aware UTC datetimes; SQLite keeps them as text that sorts by time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone: {value!r}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _id(name: str, **options: Any) -> Column[str]:
    return Column(name, String(64), **options)


def _fen(name: str, **options: Any) -> Column[int]:
    return Column(name, BigInteger, nullable=False, **options)


def _at(name: str, **options: Any) -> Column[datetime]:
    return Column(name, UtcTime, nullable=options.pop("nullable", False), **options)


def _one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


# People and cars --------------------------------------------------------------------------------------------

accounts = Table(
    "accounts",
    metadata,
    _id("id", primary_key=True),
    Column("name", String(200), nullable=False),
    Column("phone", String(40)),
    _at("created_at"),
)

vehicles = Table(
    "vehicles",
    metadata,
    _id("id", primary_key=True),
    _id("account_id", nullable=False),
    Column("plate", String(12), nullable=False),
    Column("colour", String(12), nullable=False),
    _at("bound_at"),
    _at("unbound_at", nullable=True),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    _one_of("colour", "blue", "green", "yellow", "white", "black"),
    Index("ix_vehicles_account_id", "account_id"),
    Index(
        "uq_vehicles_bound_plate",
        "plate",
        unique=True,
        sqlite_where=text("unbound_at IS NULL"),
        postgresql_where=text("unbound_at IS NULL"),
    ),
)

# For each bound vehicle its plate with one position replaced by `_`, once for each position.
plate_keys = Table(
    "plate_keys",
    metadata,
    Column("plate_key", String(12), primary_key=True),
    _id("vehicle_id", primary_key=True),
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
    _id("answer_id", nullable=False),
    _at("created_at"),
)

# The ledger -------------------------------------------------------------------------------------------------

# The live balance of a wallet. Accounts that are only ever credited (stations, channels) have no such row.
wallets = Table(
    "wallets",
    metadata,
    _id("account_id", primary_key=True),
    _fen("principal_fen"),
    _fen("bonus_fen"),
    _fen("held_fen"),
    Column("version", BigInteger, nullable=False),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    CheckConstraint("principal_fen >= 0 AND bonus_fen >= 0 AND held_fen >= 0", name="not_negative"),
    CheckConstraint("principal_fen + bonus_fen - held_fen >= 0", name="available_not_negative"),
    CheckConstraint("version >= 0", name="version_not_negative"),
)

ledger_accounts = Table(
    "ledger_accounts",
    metadata,
    Column("id", String(120), primary_key=True),
    Column("kind", String(20), nullable=False),
    _id("account_id"),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    _one_of("kind", "principal", "bonus", "clearing", "revenue", "marketing", "suspense"),
    CheckConstraint(
        "(account_id IS NOT NULL) = (kind IN ('principal', 'bonus'))", name="wallet_side_has_owner"
    ),
)

recharge_orders = Table(
    "recharge_orders",
    metadata,
    _id("id", primary_key=True),
    _id("account_id", nullable=False),
    _fen("amount_fen"),
    Column("channel", String(40), nullable=False),
    Column("state", String(10), nullable=False),
    _at("created_at"),
    _at("paid_at", nullable=True),
    Column("channel_txn_id", String(128)),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    UniqueConstraint("channel", "channel_txn_id"),
    _one_of("state", "open", "paid"),
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
    _id("order_id", nullable=False),
    _fen("amount_fen"),
    _at("paid_at"),
    Column("outcome", String(10), nullable=False),
    Column("reason", String(40)),
    _at("recorded_at"),
    _one_of("outcome", "applied", "refused"),
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

# The forecourt ----------------------------------------------------------------------------------------------

# A row to lock: sightings and sales of one pump are decided one after the other.
pumps = Table(
    "pumps",
    metadata,
    Column("station", String(64), primary_key=True),
    Column("pump", String(64), primary_key=True),
)

sightings = Table(
    "sightings",
    metadata,
    _id("id", primary_key=True),
    Column("station", String(64), nullable=False),
    Column("camera", String(64), nullable=False),
    Column("pump", String(64)),
    _at("first_seen_at"),
    _at("last_seen_at"),
    Column("text", String(12)),
    Column("colour", String(12), nullable=False),
    Column("wrong_ppm", Integer, nullable=False),
    Column("looks", Integer, nullable=False),
    Column("positions", JSON, nullable=False),
    Column("evidence_frame", String(64)),
    Column("evidence_crop", String(64)),
    Column("detector_model", String(64)),
    Column("reader_model", String(64)),
    Column("body_hash", String(64), nullable=False),
    _at("recorded_at"),
    CheckConstraint("wrong_ppm >= 0 AND wrong_ppm <= 1000000", name="wrong_ppm_range"),
    CheckConstraint("last_seen_at >= first_seen_at", name="seen_in_order"),
    Index("ix_sightings_station_pump_first_seen_at", "station", "pump", "first_seen_at"),
    Index("ix_sightings_recorded_at_id", "recorded_at", "id"),
)

visits = Table(
    "visits",
    metadata,
    _id("id", primary_key=True),
    Column("station", String(64), nullable=False),
    Column("pump", String(64)),
    _id("account_id", nullable=False),
    _id("vehicle_id", nullable=False),
    Column("plate", String(12), nullable=False),
    Column("state", String(10), nullable=False),
    Column("ended_by", String(30)),
    _at("opened_at"),
    _at("last_seen_at"),
    _at("left_at", nullable=True),
    _at("settled_at", nullable=True),
    _at("recorded_at"),
    _id("first_sighting_id", nullable=False, unique=True),
    _id("last_sighting_id", nullable=False),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"]),
    ForeignKeyConstraint(["first_sighting_id"], ["sightings.id"]),
    ForeignKeyConstraint(["last_sighting_id"], ["sightings.id"]),
    _one_of("state", "open", "captured", "voided"),
    _one_of("ended_by", "captured", "zero_sale", "left_without_sale", "stayed_too_long"),
    CheckConstraint(
        "(state = 'open') = (ended_by IS NULL) AND (state = 'open') = (settled_at IS NULL)"
        " AND (state = 'captured') = (ended_by IS NOT NULL AND ended_by = 'captured')",
        name="end_fits_state",
    ),
    # A vehicle that stands here and was not seen leaving has one visit, so one hold.
    Index(
        "uq_visits_standing",
        "station",
        "vehicle_id",
        unique=True,
        sqlite_where=text("state = 'open' AND left_at IS NULL"),
        postgresql_where=text("state = 'open' AND left_at IS NULL"),
    ),
    Index("ix_visits_vehicle_id_station_opened_at", "vehicle_id", "station", "opened_at"),
    Index(
        "ix_visits_open_pump",
        "station",
        "pump",
        "opened_at",
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
    Index(
        "ix_visits_open_age",
        "opened_at",
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
    Index("ix_visits_account_id_opened_at", "account_id", "opened_at"),
)

matches = Table(
    "matches",
    metadata,
    _id("sighting_id", primary_key=True),
    Column("outcome", String(10), nullable=False),
    _id("account_id"),
    _id("vehicle_id"),
    Column("plate", String(12)),
    Column("wrong_ppm", Integer, nullable=False),
    _fen("amount_fen"),
    _fen("expected_loss_fen"),
    Column("runner_up", String(12)),
    Column("runner_up_ppm", Integer, nullable=False),
    Column("reasons", JSON, nullable=False),
    _id("visit_id"),
    _fen("hold_fen"),
    Column("joined", Boolean, nullable=False),
    Column("posterior", JSON, nullable=False),
    _at("decided_at"),
    ForeignKeyConstraint(["sighting_id"], ["sightings.id"]),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"]),
    ForeignKeyConstraint(["visit_id"], ["visits.id"]),
    _one_of("outcome", "auto", "review", "none"),
    CheckConstraint("(outcome = 'auto') = (visit_id IS NOT NULL)", name="only_auto_has_visit"),
    CheckConstraint("outcome = 'auto' OR hold_fen = 0", name="only_auto_holds"),
    CheckConstraint("hold_fen >= 0 AND (NOT joined OR hold_fen = 0)", name="joined_holds_nothing"),
    CheckConstraint("wrong_ppm >= 0 AND wrong_ppm <= 1000000", name="wrong_ppm_range"),
    Index("ix_matches_decided_at_sighting_id", "decided_at", "sighting_id"),
    Index("ix_matches_plate_decided_at", "plate", "decided_at"),
    Index("ix_matches_visit_id", "visit_id"),
)

departures = Table(
    "departures",
    metadata,
    _id("sighting_id", primary_key=True),
    _at("left_at"),
    _at("recorded_at"),
    ForeignKeyConstraint(["sighting_id"], ["sightings.id"]),
)

holds = Table(
    "holds",
    metadata,
    _id("id", primary_key=True),
    _id("visit_id", nullable=False, unique=True),
    _id("account_id", nullable=False),
    _fen("amount_fen"),
    Column("state", String(10), nullable=False),
    _fen("captured_fen"),
    _at("placed_at"),
    _at("closed_at", nullable=True),
    ForeignKeyConstraint(["visit_id"], ["visits.id"]),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    _one_of("state", "live", "captured", "voided"),
    CheckConstraint("amount_fen > 0", name="amount_positive"),
    CheckConstraint("captured_fen >= 0 AND captured_fen <= amount_fen", name="capture_within_hold"),
    CheckConstraint("(state = 'captured') = (captured_fen > 0)", name="captured_has_amount"),
    CheckConstraint("(state = 'live') = (closed_at IS NULL)", name="live_is_not_closed"),
    Index(
        "ix_holds_live",
        "account_id",
        sqlite_where=text("state = 'live'"),
        postgresql_where=text("state = 'live'"),
    ),
)

sales = Table(
    "sales",
    metadata,
    Column("station", String(64), primary_key=True),
    Column("sale_id", String(64), primary_key=True),
    Column("pump", String(64), nullable=False),
    Column("grade", String(40), nullable=False),
    Column("litres_ml", BigInteger, nullable=False),
    _fen("unit_price_fen"),
    _fen("amount_fen"),
    _at("started_at"),
    _at("ended_at"),
    Column("body_hash", String(64), nullable=False),
    Column("state", String(10), nullable=False),
    _id("visit_id"),
    _fen("captured_fen"),
    Column("reasons", JSON, nullable=False),
    _at("recorded_at"),
    _at("settled_at", nullable=True),
    ForeignKeyConstraint(["visit_id"], ["visits.id"]),
    UniqueConstraint("visit_id"),
    _one_of("state", "captured", "void", "waiting", "review"),
    CheckConstraint("litres_ml >= 0 AND unit_price_fen >= 0 AND amount_fen >= 0", name="not_negative"),
    CheckConstraint("captured_fen >= 0 AND captured_fen <= amount_fen", name="capture_within_sale"),
    CheckConstraint("(state = 'captured') = (captured_fen > 0)", name="captured_has_amount"),
    CheckConstraint("state <> 'captured' OR visit_id IS NOT NULL", name="captured_has_visit"),
    CheckConstraint("ended_at >= started_at", name="in_order"),
    Index(
        "ix_sales_waiting",
        "station",
        "pump",
        sqlite_where=text("state = 'waiting'"),
        postgresql_where=text("state = 'waiting'"),
    ),
)

# One row for each capture, for ever: no visit, hold or sale can appear twice.
captures = Table(
    "captures",
    metadata,
    _id("visit_id", primary_key=True),
    _id("hold_id", nullable=False, unique=True),
    Column("station", String(64), nullable=False),
    Column("sale_id", String(64), nullable=False),
    _id("account_id", nullable=False),
    _fen("amount_fen"),
    _fen("bonus_fen"),
    _fen("principal_fen"),
    _at("captured_at"),
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
    _id("id", primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("kind", String(20), nullable=False),
    Column("from_account", String(120), nullable=False),
    Column("to_account", String(120), nullable=False),
    _fen("amount_fen"),
    _id("account_id"),
    Column("wallet_version", BigInteger),
    Column("wallet_after_fen", BigInteger),
    _id("visit_id"),
    Column("station", String(64)),
    Column("sale_id", String(64)),
    _id("recharge_order_id"),
    _at("recorded_at"),
    ForeignKeyConstraint(["from_account"], ["ledger_accounts.id"]),
    ForeignKeyConstraint(["to_account"], ["ledger_accounts.id"]),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    ForeignKeyConstraint(["visit_id"], ["visits.id"]),
    ForeignKeyConstraint(["station", "sale_id"], ["sales.station", "sales.sale_id"]),
    ForeignKeyConstraint(["recharge_order_id"], ["recharge_orders.id"]),
    UniqueConstraint("account_id", "wallet_version"),
    _one_of("kind", "recharge", "bonus", "capture", "suspense"),
    CheckConstraint("amount_fen > 0", name="amount_positive"),
    CheckConstraint("from_account <> to_account", name="two_accounts"),
    CheckConstraint("wallet_after_fen >= 0", name="wallet_after_not_negative"),
    CheckConstraint(
        "(account_id IS NULL) = (wallet_version IS NULL) AND (account_id IS NULL) = "
        "(wallet_after_fen IS NULL)",
        name="wallet_transfer_is_numbered",
    ),
)

reviews = Table(
    "reviews",
    metadata,
    _id("id", primary_key=True),
    Column("kind", String(30), nullable=False),
    Column("state", String(10), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("station", String(64)),
    _id("sighting_id"),
    Column("sale_id", String(64)),
    _id("visit_id"),
    _id("account_id"),
    _fen("amount_fen"),
    Column("reasons", JSON, nullable=False),
    _at("created_at"),
    _at("closed_at", nullable=True),
    UniqueConstraint("kind", "subject"),
    ForeignKeyConstraint(["sighting_id"], ["sightings.id"]),
    ForeignKeyConstraint(["visit_id"], ["visits.id"]),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    _one_of(
        "kind",
        "sighting",
        "sale_without_visit",
        "another_car_at_pump",
        "cars_at_one_pump",
        "amount_above_hold",
        "payment_refused",
    ),
    _one_of("state", "open", "closed"),
    CheckConstraint("(state = 'open') = (closed_at IS NULL)", name="open_is_not_closed"),
    Index("ix_reviews_state_created_at_id", "state", "created_at", "id"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("kind", String(40), nullable=False),
    Column("body", JSON, nullable=False),
    _at("created_at"),
    _at("published_at", nullable=True),
    Index(
        "ix_outbox_pending",
        "id",
        sqlite_where=text("published_at IS NULL"),
        postgresql_where=text("published_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

# Who may do what --------------------------------------------------------------------------------------------

operators = Table(
    "operators",
    metadata,
    _id("id", primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("role", String(20), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    _at("locked_until", nullable=True),
    _at("created_at"),
    _at("disabled_at", nullable=True),
    CheckConstraint("failures >= 0", name="failures_not_negative"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    _id("operator_id", nullable=False),
    _at("created_at"),
    _at("expires_at"),
    _at("ended_at", nullable=True),
    ForeignKeyConstraint(["operator_id"], ["operators.id"]),
    Index("ix_sessions_expires_at", "expires_at"),
)

devices = Table(
    "devices",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("role", String(10), nullable=False),
    Column("station", String(64), nullable=False),
    Column("key_version", Integer, nullable=False),
    _at("created_at"),
    _at("disabled_at", nullable=True),
    _one_of("role", "camera", "pump"),
    CheckConstraint("key_version >= 1", name="key_version_positive"),
)

nonces = Table(
    "nonces",
    metadata,
    Column("device_id", String(100), primary_key=True),
    Column("nonce", String(64), primary_key=True),
    _at("expires_at"),
    Index("ix_nonces_expires_at", "expires_at"),
)

camera_status = Table(
    "camera_status",
    metadata,
    Column("station", String(64), primary_key=True),
    Column("camera", String(64), primary_key=True),
    Column("state", String(20), nullable=False),
    Column("frames", BigInteger, nullable=False),
    Column("dropped", BigInteger, nullable=False),
    Column("broken_frames", BigInteger, nullable=False),
    Column("reconnects", BigInteger, nullable=False),
    Column("width", Integer),
    Column("height", Integer),
    Column("detail", Text),
    _at("last_frame_at", nullable=True),
    _at("reported_at"),
)

evidence_looks = Table(
    "evidence_looks",
    metadata,
    _id("id", primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("operator_id", String(64), ForeignKey("operators.id"), nullable=False),
    Column("purpose", String(200), nullable=False),
    _at("looked_at"),
    Index("ix_evidence_looks_sha256", "sha256"),
)
