"""Limits, guarantees, stopped plates, prices, tariffs and places of stations.

Expand only: of the tables before only lists of words grew, and two triggers allow one step more: a visit
whose hold expired may be paid by a sale that comes late.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from api.migrations.steps import add_guard, drop_guard, guard_facts, refuse_to_lose, replace_check

revision = "0004"
down_revision = "0003"

FACTS = ("limits", "guarantees", "plate_stops", "plate_releases", "station_prices", "station_tariffs")
# What the version before cannot keep.
UNKNOWN_BEFORE = (
    *((table, "1 = 1") for table in (*FACTS, "station_places")),
    ("visits", "ended_by = 'plate_stopped'"),
    ("reviews", "kind IN ('outside_limits', 'not_me', 'clone_suspected')"),
)
ENDS = "'captured', 'zero_sale', 'left_without_sale', 'stayed_too_long', 'voided_by_operator'"
EXPIRED = "ended_by IN ('left_without_sale', 'stayed_too_long')"
KINDS = (
    "'sighting', 'sale_without_visit', 'another_car_at_pump', 'cars_at_one_pump', 'amount_above_hold', "
    "'payment_refused'"
)
# Of each the table, the constraint, and its condition before and after.
CHECKS = (
    ("visits", "ended_by_known", f"ended_by IN ({ENDS})", f"ended_by IN ({ENDS}, 'plate_stopped')"),
    (
        "reviews",
        "kind_known",
        f"kind IN ({KINDS})",
        f"kind IN ({KINDS}, 'outside_limits', 'not_me', 'clone_suspected')",
    ),
)
# Of each its name and table, when it refused before and after, and what it says.
TRIGGERS = (
    (
        "holds_closed_for_ever",
        "holds",
        "OLD.state <> 'live'",
        "OLD.state = 'captured' OR (OLD.state = 'voided' AND (NEW.state <> 'captured'"
        " OR NEW.amount_fen <> OLD.amount_fen OR NEW.closed_at <> OLD.closed_at))",
        "a closed hold stays closed",
    ),
    (
        "visits_end_once",
        "visits",
        "OLD.state <> 'open' AND NEW.state <> OLD.state",
        "OLD.state <> 'open' AND NEW.state <> OLD.state AND NOT (NEW.state = 'captured'"
        " AND OLD.ended_by IN ('left_without_sale', 'stayed_too_long'))",
        "a visit that has ended stays ended",
    ),
)


def upgrade() -> None:
    """To this version."""
    _make_stations()
    _make_limits()
    _make_stops()
    for table, constraint, before, after in CHECKS:
        replace_check(table, constraint, before, after)
    op.create_index(
        "ix_visits_expired_pump",
        "visits",
        ["station", "pump", "settled_at"],
        unique=False,
        sqlite_where=sa.text(EXPIRED),
        postgresql_where=sa.text(EXPIRED),
    )
    for name, table, _, after, says in TRIGGERS:
        drop_guard(name, table)
        add_guard(name, table, "UPDATE", after, says)
    guard_facts(FACTS)


def downgrade() -> None:
    """Back to the version before, where no row would be lost by it."""
    refuse_to_lose("0003", UNKNOWN_BEFORE)
    for name, table, before, _, says in TRIGGERS:
        drop_guard(name, table)
        add_guard(name, table, "UPDATE", before, says)
    op.drop_index("ix_visits_expired_pump", table_name="visits")
    for table, constraint, before, after in CHECKS:
        replace_check(table, constraint, after, before)
    op.drop_table("plate_releases")
    op.drop_table("guarantees")
    op.drop_index("ix_plate_stops_plate", table_name="plate_stops")
    for table in ("plate_stops", "limits", "station_tariffs", "station_prices", "station_places"):
        op.drop_table(table)


def _make_stations() -> None:
    op.create_table(
        "station_places",
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("latitude_udeg", sa.Integer(), nullable=False),
        sa.Column("longitude_udeg", sa.Integer(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "latitude_udeg >= -90000000 AND latitude_udeg <= 90000000",
            name=op.f("ck_station_places_latitude_range"),
        ),
        sa.CheckConstraint(
            "longitude_udeg >= -180000000 AND longitude_udeg <= 180000000",
            name=op.f("ck_station_places_longitude_range"),
        ),
        sa.PrimaryKeyConstraint("station", name=op.f("pk_station_places")),
    )
    op.create_table(
        "station_prices",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("grade", sa.String(length=40), nullable=False),
        sa.Column("unit_price_fen", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("unit_price_fen > 0", name=op.f("ck_station_prices_price_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_station_prices")),
        sa.UniqueConstraint(
            "station", "grade", "valid_from", name=op.f("uq_station_prices_station_grade_valid_from")
        ),
    )
    op.create_table(
        "station_tariffs",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("what", sa.String(length=40), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_fen >= 0", name=op.f("ck_station_tariffs_amount_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_station_tariffs")),
        sa.UniqueConstraint("station", "valid_from", name=op.f("uq_station_tariffs_station_valid_from")),
    )


def _make_limits() -> None:
    op.create_table(
        "limits",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("vehicle_id", sa.String(length=64), nullable=True),
        sa.Column("grades", sa.JSON(), nullable=True),
        sa.Column("litres_per_fill_ml", sa.BigInteger(), nullable=True),
        sa.Column("amount_per_fill_fen", sa.BigInteger(), nullable=True),
        sa.Column("amount_per_day_fen", sa.BigInteger(), nullable=True),
        sa.Column("fills_per_day", sa.Integer(), nullable=True),
        sa.Column("stations", sa.JSON(), nullable=True),
        sa.Column("opens_minute", sa.Integer(), nullable=True),
        sa.Column("closes_minute", sa.Integer(), nullable=True),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("tank_ml", sa.BigInteger(), nullable=True),
        sa.Column("fuel", sa.String(length=10), nullable=True),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("fuel IN ('petrol', 'diesel')", name=op.f("ck_limits_fuel_known")),
        sa.CheckConstraint(
            "(opens_minute IS NULL) = (closes_minute IS NULL)", name=op.f("ck_limits_hours_have_two_ends")
        ),
        sa.CheckConstraint(
            "COALESCE(litres_per_fill_ml, 1) > 0 AND COALESCE(amount_per_fill_fen, 1) > 0"
            " AND COALESCE(amount_per_day_fen, 1) > 0 AND COALESCE(fills_per_day, 1) > 0"
            " AND COALESCE(tank_ml, 1) > 0",
            name=op.f("ck_limits_above_zero"),
        ),
        sa.CheckConstraint(
            "COALESCE(opens_minute, 0) >= 0 AND COALESCE(opens_minute, 0) < 1440"
            " AND COALESCE(closes_minute, 1) > 0 AND COALESCE(closes_minute, 1) <= 1440"
            " AND COALESCE(opens_minute, 0) <> COALESCE(closes_minute, 1)",
            name=op.f("ck_limits_hours_of_a_day"),
        ),
        sa.CheckConstraint("number >= 1", name=op.f("ck_limits_numbered")),
        sa.CheckConstraint(
            "subject = COALESCE(vehicle_id, account_id)", name=op.f("ck_limits_of_one_subject")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_limits_account_id")),
        sa.ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"], name=op.f("fk_limits_vehicle_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_limits")),
        sa.UniqueConstraint("subject", "number", name=op.f("uq_limits_subject_number")),
    )
    op.create_table(
        "guarantees",
        sa.Column("visit_id", sa.String(length=64), nullable=False),
        sa.Column("vehicle_limits_id", sa.String(length=64), nullable=True),
        sa.Column("account_limits_id", sa.String(length=64), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "vehicle_limits_id IS NOT NULL OR account_limits_id IS NOT NULL",
            name=op.f("ck_guarantees_has_some_limits"),
        ),
        sa.ForeignKeyConstraint(
            ["account_limits_id"], ["limits.id"], name=op.f("fk_guarantees_account_limits_id")
        ),
        sa.ForeignKeyConstraint(
            ["vehicle_limits_id"], ["limits.id"], name=op.f("fk_guarantees_vehicle_limits_id")
        ),
        sa.ForeignKeyConstraint(["visit_id"], ["visits.id"], name=op.f("fk_guarantees_visit_id")),
        sa.PrimaryKeyConstraint("visit_id", name=op.f("pk_guarantees")),
    )


def _make_stops() -> None:
    op.create_table(
        "plate_stops",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("cause", sa.String(length=200), nullable=False),
        sa.Column("plate", sa.String(length=12), nullable=False),
        sa.Column("vehicle_id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('frozen', 'clone')", name=op.f("ck_plate_stops_kind_known")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_plate_stops_account_id")),
        sa.ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"], name=op.f("fk_plate_stops_vehicle_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plate_stops")),
        sa.UniqueConstraint("kind", "cause", name=op.f("uq_plate_stops_kind_cause")),
    )
    op.create_index("ix_plate_stops_plate", "plate_stops", ["plate"], unique=False)
    op.create_table(
        "plate_releases",
        sa.Column("stop_id", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["stop_id"], ["plate_stops.id"], name=op.f("fk_plate_releases_stop_id")),
        sa.PrimaryKeyConstraint("stop_id", name=op.f("pk_plate_releases")),
    )
