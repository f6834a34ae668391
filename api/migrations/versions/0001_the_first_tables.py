"""The first tables: people and cars, the ledger, the forecourt, who may do what."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# Facts are never updated or deleted, rows that carry a state never deleted.
FACTS = (
    "transfers",
    "ledger_accounts",
    "captures",
    "sightings",
    "matches",
    "departures",
    "channel_payments",
    "idempotency_keys",
    "evidence_looks",
)
KEPT = (
    "accounts",
    "wallets",
    "vehicles",
    "visits",
    "holds",
    "sales",
    "recharge_orders",
    "reviews",
)
# (name, table, event, when it refuses, what it says)
GUARDS = (
    *((f"{table}_no_update", table, "UPDATE", None, "rows are never updated") for table in FACTS),
    *((f"{table}_no_delete", table, "DELETE", None, "rows are never deleted") for table in (*FACTS, *KEPT)),
    ("holds_closed_for_ever", "holds", "UPDATE", "OLD.state <> 'live'", "a closed hold stays closed"),
    (
        "holds_same_hold",
        "holds",
        "UPDATE",
        (
            "NEW.id <> OLD.id OR NEW.visit_id <> OLD.visit_id OR NEW.account_id <> OLD.account_id OR "
            "NEW.placed_at <> OLD.placed_at OR NEW.amount_fen < OLD.amount_fen"
        ),
        "a hold keeps its visit and never shrinks",
    ),
    (
        "visits_end_once",
        "visits",
        "UPDATE",
        "OLD.state <> 'open' AND NEW.state <> OLD.state",
        "a visit that has ended stays ended",
    ),
    (
        "visits_same_visit",
        "visits",
        "UPDATE",
        (
            "NEW.id <> OLD.id OR NEW.station <> OLD.station OR NEW.account_id <> OLD.account_id OR "
            "NEW.vehicle_id <> OLD.vehicle_id OR NEW.plate <> OLD.plate OR NEW.first_sighting_id <> "
            "OLD.first_sighting_id"
        ),
        "a visit keeps its vehicle and account",
    ),
    (
        "sales_settle_once",
        "sales",
        "UPDATE",
        "OLD.state <> 'waiting'",
        "a sale that is settled stays settled",
    ),
    (
        "sales_same_sale",
        "sales",
        "UPDATE",
        (
            "NEW.station <> OLD.station OR NEW.sale_id <> OLD.sale_id OR NEW.pump <> OLD.pump OR "
            "NEW.litres_ml <> OLD.litres_ml OR NEW.unit_price_fen <> OLD.unit_price_fen OR "
            "NEW.amount_fen <> OLD.amount_fen OR NEW.body_hash <> OLD.body_hash"
        ),
        "a sale keeps its facts",
    ),
    ("wallets_version_grows", "wallets", "UPDATE", "NEW.version < OLD.version", "a wallet never goes back"),
    (
        "recharge_orders_paid_once",
        "recharge_orders",
        "UPDATE",
        (
            "OLD.state <> 'open' OR NEW.id <> OLD.id OR NEW.account_id <> OLD.account_id OR "
            "NEW.amount_fen <> OLD.amount_fen OR NEW.channel <> OLD.channel"
        ),
        "a recharge order is paid once and keeps its facts",
    ),
    (
        "vehicles_unbound_once",
        "vehicles",
        "UPDATE",
        (
            "OLD.unbound_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.account_id <> OLD.account_id OR "
            "NEW.plate <> OLD.plate"
        ),
        "a binding ends once",
    ),
)
ENTRIES_VIEW = (
    "CREATE VIEW entries AS SELECT id AS transfer_id, from_account AS ledger_account, "
    "-amount_fen AS amount_fen, recorded_at FROM transfers UNION ALL SELECT id AS "
    "transfer_id, to_account AS ledger_account, amount_fen AS amount_fen, recorded_at FROM "
    "transfers"
)
REFUSE = (
    "CREATE FUNCTION platepay_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE "
    "EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = TG_TABLE_NAME || "
    "': ' || TG_ARGV[0]; END $$"
)


def guards(dialect: str) -> list[str]:
    """Triggers and view as they were in this version."""
    made = [] if dialect == "sqlite" else [REFUSE]
    for name, table, event, when, says in GUARDS:
        trigger = f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW"
        if dialect == "sqlite":
            condition = f" WHEN {when}" if when else ""
            made.append(f"{trigger}{condition} BEGIN SELECT RAISE(ABORT, '{table}: {says}'); END")
        else:
            condition = f" WHEN ({when})" if when else ""
            made.append(f"{trigger}{condition} EXECUTE FUNCTION platepay_refuse('{says}')")
    if dialect == "postgresql":
        made += [
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION platepay_refuse('rows are never deleted')"
            for table in (*FACTS, *KEPT)
        ]
    return [*made, ENTRIES_VIEW]


def upgrade() -> None:
    """To this version."""
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("phone", sa.String(length=40), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
    )
    op.create_table(
        "camera_status",
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("camera", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("frames", sa.BigInteger(), nullable=False),
        sa.Column("dropped", sa.BigInteger(), nullable=False),
        sa.Column("broken_frames", sa.BigInteger(), nullable=False),
        sa.Column("reconnects", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("last_frame_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("station", "camera", name=op.f("pk_camera_status")),
    )
    op.create_table(
        "channel_payments",
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("channel_txn_id", sa.String(length=128), nullable=False),
        sa.Column("order_id", sa.String(length=64), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(outcome = 'refused') = (reason IS NOT NULL)",
            name=op.f("ck_channel_payments_refused_has_reason"),
        ),
        sa.CheckConstraint(
            "outcome IN ('applied', 'refused')", name=op.f("ck_channel_payments_outcome_known")
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_channel_payments_amount_positive")),
        sa.PrimaryKeyConstraint("channel", "channel_txn_id", name=op.f("pk_channel_payments")),
    )
    op.create_index(
        "uq_channel_payments_applied_order",
        "channel_payments",
        ["order_id"],
        unique=True,
        sqlite_where=sa.text("outcome = 'applied'"),
        postgresql_where=sa.text("outcome = 'applied'"),
    )
    op.create_table(
        "devices",
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("role IN ('camera', 'pump')", name=op.f("ck_devices_role_known")),
        sa.CheckConstraint("key_version >= 1", name=op.f("ck_devices_key_version_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_devices")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("scope", sa.String(length=40), nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("answer_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("scope", "idempotency_key", name=op.f("pk_idempotency_keys")),
    )
    op.create_table(
        "nonces",
        sa.Column("device_id", sa.String(length=100), nullable=False),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("device_id", "nonce", name=op.f("pk_nonces")),
    )
    op.create_index("ix_nonces_expires_at", "nonces", ["expires_at"], unique=False)
    op.create_table(
        "operators",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("failures >= 0", name=op.f("ck_operators_failures_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operators")),
        sa.UniqueConstraint("name", name=op.f("uq_operators_name")),
    )
    op.create_table(
        "outbox",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_outbox_pending",
        "outbox",
        ["id"],
        unique=False,
        sqlite_where=sa.text("published_at IS NULL"),
        postgresql_where=sa.text("published_at IS NULL"),
    )
    op.create_table(
        "pumps",
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("pump", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("station", "pump", name=op.f("pk_pumps")),
    )
    op.create_table(
        "sightings",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("camera", sa.String(length=64), nullable=False),
        sa.Column("pump", sa.String(length=64), nullable=True),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text", sa.String(length=12), nullable=True),
        sa.Column("colour", sa.String(length=12), nullable=False),
        sa.Column("wrong_ppm", sa.Integer(), nullable=False),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.Column("positions", sa.JSON(), nullable=False),
        sa.Column("evidence_frame", sa.String(length=64), nullable=True),
        sa.Column("evidence_crop", sa.String(length=64), nullable=True),
        sa.Column("detector_model", sa.String(length=64), nullable=True),
        sa.Column("reader_model", sa.String(length=64), nullable=True),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("last_seen_at >= first_seen_at", name=op.f("ck_sightings_seen_in_order")),
        sa.CheckConstraint(
            "wrong_ppm >= 0 AND wrong_ppm <= 1000000", name=op.f("ck_sightings_wrong_ppm_range")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sightings")),
    )
    op.create_index("ix_sightings_recorded_at_id", "sightings", ["recorded_at", "id"], unique=False)
    op.create_index(
        "ix_sightings_station_pump_first_seen_at",
        "sightings",
        ["station", "pump", "first_seen_at"],
        unique=False,
    )
    op.create_table(
        "departures",
        sa.Column("sighting_id", sa.String(length=64), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["sighting_id"], ["sightings.id"], name=op.f("fk_departures_sighting_id")),
        sa.PrimaryKeyConstraint("sighting_id", name=op.f("pk_departures")),
    )
    op.create_table(
        "evidence_looks",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("operator_id", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=200), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operators.id"], name=op.f("fk_evidence_looks_operator_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence_looks")),
    )
    op.create_index("ix_evidence_looks_sha256", "evidence_looks", ["sha256"], unique=False)
    op.create_table(
        "ledger_accounts",
        sa.Column("id", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=True),
        sa.CheckConstraint(
            "(account_id IS NOT NULL) = (kind IN ('principal', 'bonus'))",
            name=op.f("ck_ledger_accounts_wallet_side_has_owner"),
        ),
        sa.CheckConstraint(
            "kind IN ('principal', 'bonus', 'clearing', 'revenue', 'marketing', 'suspense')",
            name=op.f("ck_ledger_accounts_kind_known"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_ledger_accounts_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_accounts")),
    )
    op.create_table(
        "recharge_orders",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("channel_txn_id", sa.String(length=128), nullable=True),
        sa.CheckConstraint(
            "(state = 'paid') = (paid_at IS NOT NULL) AND (state = 'paid') = (channel_txn_id IS NOT NULL)",
            name=op.f("ck_recharge_orders_paid_has_payment"),
        ),
        sa.CheckConstraint("state IN ('open', 'paid')", name=op.f("ck_recharge_orders_state_known")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_recharge_orders_amount_positive")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_recharge_orders_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recharge_orders")),
        sa.UniqueConstraint(
            "channel", "channel_txn_id", name=op.f("uq_recharge_orders_channel_channel_txn_id")
        ),
    )
    op.create_index("ix_recharge_orders_account_id", "recharge_orders", ["account_id"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("operator_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_sessions_operator_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"], unique=False)
    op.create_table(
        "vehicles",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("plate", sa.String(length=12), nullable=False),
        sa.Column("colour", sa.String(length=12), nullable=False),
        sa.Column("bound_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("unbound_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "colour IN ('blue', 'green', 'yellow', 'white', 'black')", name=op.f("ck_vehicles_colour_known")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_vehicles_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vehicles")),
    )
    op.create_index("ix_vehicles_account_id", "vehicles", ["account_id"], unique=False)
    op.create_index(
        "uq_vehicles_bound_plate",
        "vehicles",
        ["plate"],
        unique=True,
        sqlite_where=sa.text("unbound_at IS NULL"),
        postgresql_where=sa.text("unbound_at IS NULL"),
    )
    op.create_table(
        "wallets",
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("principal_fen", sa.BigInteger(), nullable=False),
        sa.Column("bonus_fen", sa.BigInteger(), nullable=False),
        sa.Column("held_fen", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "principal_fen + bonus_fen - held_fen >= 0", name=op.f("ck_wallets_available_not_negative")
        ),
        sa.CheckConstraint(
            "principal_fen >= 0 AND bonus_fen >= 0 AND held_fen >= 0", name=op.f("ck_wallets_not_negative")
        ),
        sa.CheckConstraint("version >= 0", name=op.f("ck_wallets_version_not_negative")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_wallets_account_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_wallets")),
    )
    op.create_table(
        "plate_keys",
        sa.Column("plate_key", sa.String(length=12), nullable=False),
        sa.Column("vehicle_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"], name=op.f("fk_plate_keys_vehicle_id")),
        sa.PrimaryKeyConstraint("plate_key", "vehicle_id", name=op.f("pk_plate_keys")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_plate_keys_vehicle_id", "plate_keys", ["vehicle_id"], unique=False)
    op.create_table(
        "visits",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("pump", sa.String(length=64), nullable=True),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("vehicle_id", sa.String(length=64), nullable=False),
        sa.Column("plate", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("ended_by", sa.String(length=30), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_sighting_id", sa.String(length=64), nullable=False),
        sa.Column("last_sighting_id", sa.String(length=64), nullable=False),
        sa.CheckConstraint(
            (
                "(state = 'open') = (ended_by IS NULL) AND (state = 'open') = (settled_at IS NULL) AND "
                "(state = 'captured') = (ended_by IS NOT NULL AND ended_by = 'captured')"
            ),
            name=op.f("ck_visits_end_fits_state"),
        ),
        sa.CheckConstraint(
            "ended_by IN ('captured', 'zero_sale', 'left_without_sale', 'stayed_too_long')",
            name=op.f("ck_visits_ended_by_known"),
        ),
        sa.CheckConstraint("state IN ('open', 'captured', 'voided')", name=op.f("ck_visits_state_known")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_visits_account_id")),
        sa.ForeignKeyConstraint(
            ["first_sighting_id"], ["sightings.id"], name=op.f("fk_visits_first_sighting_id")
        ),
        sa.ForeignKeyConstraint(
            ["last_sighting_id"], ["sightings.id"], name=op.f("fk_visits_last_sighting_id")
        ),
        sa.ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"], name=op.f("fk_visits_vehicle_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visits")),
        sa.UniqueConstraint("first_sighting_id", name=op.f("uq_visits_first_sighting_id")),
    )
    op.create_index("ix_visits_account_id_opened_at", "visits", ["account_id", "opened_at"], unique=False)
    op.create_index(
        "ix_visits_open_age",
        "visits",
        ["opened_at"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index(
        "ix_visits_open_pump",
        "visits",
        ["station", "pump", "opened_at"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index(
        "ix_visits_vehicle_id_station_opened_at",
        "visits",
        ["vehicle_id", "station", "opened_at"],
        unique=False,
    )
    op.create_index(
        "uq_visits_standing",
        "visits",
        ["station", "vehicle_id"],
        unique=True,
        sqlite_where=sa.text("state = 'open' AND left_at IS NULL"),
        postgresql_where=sa.text("state = 'open' AND left_at IS NULL"),
    )
    op.create_table(
        "holds",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("visit_id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("captured_fen", sa.BigInteger(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'captured') = (captured_fen > 0)", name=op.f("ck_holds_captured_has_amount")
        ),
        sa.CheckConstraint(
            "(state = 'live') = (closed_at IS NULL)", name=op.f("ck_holds_live_is_not_closed")
        ),
        sa.CheckConstraint("state IN ('live', 'captured', 'voided')", name=op.f("ck_holds_state_known")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_holds_amount_positive")),
        sa.CheckConstraint(
            "captured_fen >= 0 AND captured_fen <= amount_fen", name=op.f("ck_holds_capture_within_hold")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_holds_account_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visits.id"], name=op.f("fk_holds_visit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
        sa.UniqueConstraint("visit_id", name=op.f("uq_holds_visit_id")),
    )
    op.create_index(
        "ix_holds_live",
        "holds",
        ["account_id"],
        unique=False,
        sqlite_where=sa.text("state = 'live'"),
        postgresql_where=sa.text("state = 'live'"),
    )
    op.create_table(
        "matches",
        sa.Column("sighting_id", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=True),
        sa.Column("vehicle_id", sa.String(length=64), nullable=True),
        sa.Column("plate", sa.String(length=12), nullable=True),
        sa.Column("wrong_ppm", sa.Integer(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("expected_loss_fen", sa.BigInteger(), nullable=False),
        sa.Column("runner_up", sa.String(length=12), nullable=True),
        sa.Column("runner_up_ppm", sa.Integer(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("visit_id", sa.String(length=64), nullable=True),
        sa.Column("hold_fen", sa.BigInteger(), nullable=False),
        sa.Column("joined", sa.Boolean(), nullable=False),
        sa.Column("posterior", sa.JSON(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(outcome = 'auto') = (visit_id IS NOT NULL)", name=op.f("ck_matches_only_auto_has_visit")
        ),
        sa.CheckConstraint("outcome = 'auto' OR hold_fen = 0", name=op.f("ck_matches_only_auto_holds")),
        sa.CheckConstraint("outcome IN ('auto', 'review', 'none')", name=op.f("ck_matches_outcome_known")),
        sa.CheckConstraint(
            "hold_fen >= 0 AND (NOT joined OR hold_fen = 0)", name=op.f("ck_matches_joined_holds_nothing")
        ),
        sa.CheckConstraint(
            "wrong_ppm >= 0 AND wrong_ppm <= 1000000", name=op.f("ck_matches_wrong_ppm_range")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_matches_account_id")),
        sa.ForeignKeyConstraint(["sighting_id"], ["sightings.id"], name=op.f("fk_matches_sighting_id")),
        sa.ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"], name=op.f("fk_matches_vehicle_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visits.id"], name=op.f("fk_matches_visit_id")),
        sa.PrimaryKeyConstraint("sighting_id", name=op.f("pk_matches")),
    )
    op.create_index(
        "ix_matches_decided_at_sighting_id", "matches", ["decided_at", "sighting_id"], unique=False
    )
    op.create_index("ix_matches_plate_decided_at", "matches", ["plate", "decided_at"], unique=False)
    op.create_index("ix_matches_visit_id", "matches", ["visit_id"], unique=False)
    op.create_table(
        "reviews",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=True),
        sa.Column("sighting_id", sa.String(length=64), nullable=True),
        sa.Column("sale_id", sa.String(length=64), nullable=True),
        sa.Column("visit_id", sa.String(length=64), nullable=True),
        sa.Column("account_id", sa.String(length=64), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'open') = (closed_at IS NULL)", name=op.f("ck_reviews_open_is_not_closed")
        ),
        sa.CheckConstraint(
            (
                "kind IN ('sighting', 'sale_without_visit', 'another_car_at_pump', 'cars_at_one_pump', "
                "'amount_above_hold', 'payment_refused')"
            ),
            name=op.f("ck_reviews_kind_known"),
        ),
        sa.CheckConstraint("state IN ('open', 'closed')", name=op.f("ck_reviews_state_known")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_reviews_account_id")),
        sa.ForeignKeyConstraint(["sighting_id"], ["sightings.id"], name=op.f("fk_reviews_sighting_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visits.id"], name=op.f("fk_reviews_visit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviews")),
        sa.UniqueConstraint("kind", "subject", name=op.f("uq_reviews_kind_subject")),
    )
    op.create_index("ix_reviews_state_created_at_id", "reviews", ["state", "created_at", "id"], unique=False)
    op.create_table(
        "sales",
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("sale_id", sa.String(length=64), nullable=False),
        sa.Column("pump", sa.String(length=64), nullable=False),
        sa.Column("grade", sa.String(length=40), nullable=False),
        sa.Column("litres_ml", sa.BigInteger(), nullable=False),
        sa.Column("unit_price_fen", sa.BigInteger(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("visit_id", sa.String(length=64), nullable=True),
        sa.Column("captured_fen", sa.BigInteger(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'captured') = (captured_fen > 0)", name=op.f("ck_sales_captured_has_amount")
        ),
        sa.CheckConstraint(
            "state <> 'captured' OR visit_id IS NOT NULL", name=op.f("ck_sales_captured_has_visit")
        ),
        sa.CheckConstraint(
            "state IN ('captured', 'void', 'waiting', 'review')", name=op.f("ck_sales_state_known")
        ),
        sa.CheckConstraint(
            "captured_fen >= 0 AND captured_fen <= amount_fen", name=op.f("ck_sales_capture_within_sale")
        ),
        sa.CheckConstraint("ended_at >= started_at", name=op.f("ck_sales_in_order")),
        sa.CheckConstraint(
            "litres_ml >= 0 AND unit_price_fen >= 0 AND amount_fen >= 0", name=op.f("ck_sales_not_negative")
        ),
        sa.ForeignKeyConstraint(["visit_id"], ["visits.id"], name=op.f("fk_sales_visit_id")),
        sa.PrimaryKeyConstraint("station", "sale_id", name=op.f("pk_sales")),
        sa.UniqueConstraint("visit_id", name=op.f("uq_sales_visit_id")),
    )
    op.create_index(
        "ix_sales_waiting",
        "sales",
        ["station", "pump"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "captures",
        sa.Column("visit_id", sa.String(length=64), nullable=False),
        sa.Column("hold_id", sa.String(length=64), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("sale_id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("bonus_fen", sa.BigInteger(), nullable=False),
        sa.Column("principal_fen", sa.BigInteger(), nullable=False),
        sa.Column("captured_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            ("amount_fen > 0 AND bonus_fen >= 0 AND principal_fen >= 0"),
            name=op.f("ck_captures_not_negative"),
        ),
        sa.CheckConstraint(
            "bonus_fen + principal_fen = amount_fen", name=op.f("ck_captures_parts_make_the_whole")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_captures_account_id")),
        sa.ForeignKeyConstraint(["hold_id"], ["holds.id"], name=op.f("fk_captures_hold_id")),
        sa.ForeignKeyConstraint(
            ["station", "sale_id"],
            ["sales.station", "sales.sale_id"],
            name=op.f("fk_captures_station_sale_id"),
        ),
        sa.ForeignKeyConstraint(["visit_id"], ["visits.id"], name=op.f("fk_captures_visit_id")),
        sa.PrimaryKeyConstraint("visit_id", name=op.f("pk_captures")),
        sa.UniqueConstraint("hold_id", name=op.f("uq_captures_hold_id")),
        sa.UniqueConstraint("station", "sale_id", name=op.f("uq_captures_station_sale_id")),
    )
    op.create_table(
        "transfers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("from_account", sa.String(length=120), nullable=False),
        sa.Column("to_account", sa.String(length=120), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=True),
        sa.Column("wallet_version", sa.BigInteger(), nullable=True),
        sa.Column("wallet_after_fen", sa.BigInteger(), nullable=True),
        sa.Column("visit_id", sa.String(length=64), nullable=True),
        sa.Column("station", sa.String(length=64), nullable=True),
        sa.Column("sale_id", sa.String(length=64), nullable=True),
        sa.Column("recharge_order_id", sa.String(length=64), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('recharge', 'bonus', 'capture', 'suspense')", name=op.f("ck_transfers_kind_known")
        ),
        sa.CheckConstraint(
            (
                "(account_id IS NULL) = (wallet_version IS NULL) AND (account_id IS NULL) = "
                "(wallet_after_fen IS NULL)"
            ),
            name=op.f("ck_transfers_wallet_transfer_is_numbered"),
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_transfers_amount_positive")),
        sa.CheckConstraint("from_account <> to_account", name=op.f("ck_transfers_two_accounts")),
        sa.CheckConstraint("wallet_after_fen >= 0", name=op.f("ck_transfers_wallet_after_not_negative")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_transfers_account_id")),
        sa.ForeignKeyConstraint(
            ["from_account"], ["ledger_accounts.id"], name=op.f("fk_transfers_from_account")
        ),
        sa.ForeignKeyConstraint(
            ["recharge_order_id"], ["recharge_orders.id"], name=op.f("fk_transfers_recharge_order_id")
        ),
        sa.ForeignKeyConstraint(
            ["station", "sale_id"],
            ["sales.station", "sales.sale_id"],
            name=op.f("fk_transfers_station_sale_id"),
        ),
        sa.ForeignKeyConstraint(["to_account"], ["ledger_accounts.id"], name=op.f("fk_transfers_to_account")),
        sa.ForeignKeyConstraint(["visit_id"], ["visits.id"], name=op.f("fk_transfers_visit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfers")),
        sa.UniqueConstraint(
            "account_id", "wallet_version", name=op.f("uq_transfers_account_id_wallet_version")
        ),
        sa.UniqueConstraint("name", name=op.f("uq_transfers_name")),
    )
    for statement in guards(op.get_bind().dialect.name):
        op.execute(sa.text(statement))


def downgrade() -> None:
    """Removes everything: this is the first version. Triggers go with their tables."""
    op.execute(sa.text("DROP VIEW entries"))
    op.drop_table("transfers")
    op.drop_table("captures")
    op.drop_index(
        "ix_sales_waiting",
        table_name="sales",
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.drop_table("sales")
    op.drop_index("ix_reviews_state_created_at_id", table_name="reviews")
    op.drop_table("reviews")
    op.drop_index("ix_matches_visit_id", table_name="matches")
    op.drop_index("ix_matches_plate_decided_at", table_name="matches")
    op.drop_index("ix_matches_decided_at_sighting_id", table_name="matches")
    op.drop_table("matches")
    op.drop_index(
        "ix_holds_live",
        table_name="holds",
        sqlite_where=sa.text("state = 'live'"),
        postgresql_where=sa.text("state = 'live'"),
    )
    op.drop_table("holds")
    op.drop_index(
        "uq_visits_standing",
        table_name="visits",
        sqlite_where=sa.text("state = 'open' AND left_at IS NULL"),
        postgresql_where=sa.text("state = 'open' AND left_at IS NULL"),
    )
    op.drop_index("ix_visits_vehicle_id_station_opened_at", table_name="visits")
    op.drop_index(
        "ix_visits_open_pump",
        table_name="visits",
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.drop_index(
        "ix_visits_open_age",
        table_name="visits",
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.drop_index("ix_visits_account_id_opened_at", table_name="visits")
    op.drop_table("visits")
    op.drop_index("ix_plate_keys_vehicle_id", table_name="plate_keys")
    op.drop_table("plate_keys")
    op.drop_table("wallets")
    op.drop_index(
        "uq_vehicles_bound_plate",
        table_name="vehicles",
        sqlite_where=sa.text("unbound_at IS NULL"),
        postgresql_where=sa.text("unbound_at IS NULL"),
    )
    op.drop_index("ix_vehicles_account_id", table_name="vehicles")
    op.drop_table("vehicles")
    op.drop_index("ix_sessions_expires_at", table_name="sessions")
    op.drop_table("sessions")
    op.drop_index("ix_recharge_orders_account_id", table_name="recharge_orders")
    op.drop_table("recharge_orders")
    op.drop_table("ledger_accounts")
    op.drop_index("ix_evidence_looks_sha256", table_name="evidence_looks")
    op.drop_table("evidence_looks")
    op.drop_table("departures")
    op.drop_index("ix_sightings_station_pump_first_seen_at", table_name="sightings")
    op.drop_index("ix_sightings_recorded_at_id", table_name="sightings")
    op.drop_table("sightings")
    op.drop_table("pumps")
    op.drop_index(
        "ix_outbox_pending",
        table_name="outbox",
        sqlite_where=sa.text("published_at IS NULL"),
        postgresql_where=sa.text("published_at IS NULL"),
    )
    op.drop_table("outbox")
    op.drop_table("operators")
    op.drop_index("ix_nonces_expires_at", table_name="nonces")
    op.drop_table("nonces")
    op.drop_table("idempotency_keys")
    op.drop_table("devices")
    op.drop_index(
        "uq_channel_payments_applied_order",
        table_name="channel_payments",
        sqlite_where=sa.text("outcome = 'applied'"),
        postgresql_where=sa.text("outcome = 'applied'"),
    )
    op.drop_table("channel_payments")
    op.drop_table("camera_status")
    op.drop_table("accounts")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(sa.text("DROP FUNCTION platepay_refuse()"))
