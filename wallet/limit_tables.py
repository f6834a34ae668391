"""Tables of what owners allow, of plates that are stopped, and of stations: prices, tariffs, places."""

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
)

from wallet.columns import fen_column, id_column, metadata, one_of, time_column

# What an owner allows one vehicle, or all of an account (vehicle_id null). Each change is a new row with the
# next number; the highest counts. subject: the vehicle's id or the account's. Null: nothing is said of it.
limits = Table(
    "limits",
    metadata,
    id_column("id", primary_key=True),
    id_column("subject", nullable=False),
    Column("number", Integer, nullable=False),
    id_column("account_id", nullable=False),
    id_column("vehicle_id"),
    Column("grades", JSON(none_as_null=True)),
    Column("litres_per_fill_ml", BigInteger),
    Column("amount_per_fill_fen", BigInteger),
    Column("amount_per_day_fen", BigInteger),
    Column("fills_per_day", Integer),
    Column("stations", JSON(none_as_null=True)),
    Column("opens_minute", Integer),
    Column("closes_minute", Integer),
    Column("zone", String(64), nullable=False),
    Column("tank_ml", BigInteger),
    Column("fuel", String(10)),
    Column("actor", String(100), nullable=False),
    time_column("recorded_at"),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"]),
    UniqueConstraint("subject", "number"),
    CheckConstraint("number >= 1", name="numbered"),
    CheckConstraint("subject = COALESCE(vehicle_id, account_id)", name="of_one_subject"),
    CheckConstraint(
        "COALESCE(litres_per_fill_ml, 1) > 0 AND COALESCE(amount_per_fill_fen, 1) > 0"
        " AND COALESCE(amount_per_day_fen, 1) > 0 AND COALESCE(fills_per_day, 1) > 0"
        " AND COALESCE(tank_ml, 1) > 0",
        name="above_zero",
    ),
    CheckConstraint("(opens_minute IS NULL) = (closes_minute IS NULL)", name="hours_have_two_ends"),
    CheckConstraint(
        "COALESCE(opens_minute, 0) >= 0 AND COALESCE(opens_minute, 0) < 1440"
        " AND COALESCE(closes_minute, 1) > 0 AND COALESCE(closes_minute, 1) <= 1440"
        " AND COALESCE(opens_minute, 0) <> COALESCE(closes_minute, 1)",
        name="hours_of_a_day",
    ),
    one_of("fuel", "petrol", "diesel"),
)

# Which limits a visit was opened under: later changes do not touch it. No row: there were none.
guarantees = Table(
    "guarantees",
    metadata,
    id_column("visit_id", primary_key=True),
    id_column("vehicle_limits_id"),
    id_column("account_limits_id"),
    time_column("recorded_at"),
    ForeignKeyConstraint(["visit_id"], ["visits.id"]),
    ForeignKeyConstraint(["vehicle_limits_id"], ["limits.id"]),
    ForeignKeyConstraint(["account_limits_id"], ["limits.id"]),
    CheckConstraint("vehicle_limits_id IS NOT NULL OR account_limits_id IS NOT NULL", name="has_some_limits"),
)

# A plate that moves no money by itself until a person releases it. cause: the visit or sighting behind it.
plate_stops = Table(
    "plate_stops",
    metadata,
    id_column("id", primary_key=True),
    Column("kind", String(10), nullable=False),
    Column("cause", String(200), nullable=False),
    Column("plate", String(12), nullable=False),
    id_column("vehicle_id", nullable=False),
    id_column("account_id", nullable=False),
    Column("reason", String(200), nullable=False),
    Column("actor", String(100), nullable=False),
    time_column("stopped_at"),
    ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"]),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    UniqueConstraint("kind", "cause"),
    one_of("kind", "frozen", "clone"),
    Index("ix_plate_stops_plate", "plate"),
)

plate_releases = Table(
    "plate_releases",
    metadata,
    id_column("stop_id", primary_key=True),
    Column("reason", String(200), nullable=False),
    Column("actor", String(100), nullable=False),
    time_column("released_at"),
    ForeignKeyConstraint(["stop_id"], ["plate_stops.id"]),
)

# The price of a grade at a station from a moment on, until the next row.
station_prices = Table(
    "station_prices",
    metadata,
    id_column("id", primary_key=True),
    Column("station", String(64), nullable=False),
    Column("grade", String(40), nullable=False),
    fen_column("unit_price_fen"),
    time_column("valid_from"),
    Column("actor", String(100), nullable=False),
    time_column("recorded_at"),
    UniqueConstraint("station", "grade", "valid_from"),
    CheckConstraint("unit_price_fen > 0", name="price_positive"),
)

# A fixed price that is charged on arrival at a station, from a moment on. Zero ends it.
station_tariffs = Table(
    "station_tariffs",
    metadata,
    id_column("id", primary_key=True),
    Column("station", String(64), nullable=False),
    Column("what", String(40), nullable=False),
    fen_column("amount_fen"),
    time_column("valid_from"),
    Column("actor", String(100), nullable=False),
    time_column("recorded_at"),
    UniqueConstraint("station", "valid_from"),
    CheckConstraint("amount_fen >= 0", name="amount_not_negative"),
)

# Where a station is, in millionths of a degree.
station_places = Table(
    "station_places",
    metadata,
    Column("station", String(64), primary_key=True),
    Column("latitude_udeg", Integer, nullable=False),
    Column("longitude_udeg", Integer, nullable=False),
    Column("actor", String(100), nullable=False),
    time_column("recorded_at"),
    CheckConstraint("latitude_udeg >= -90000000 AND latitude_udeg <= 90000000", name="latitude_range"),
    CheckConstraint("longitude_udeg >= -180000000 AND longitude_udeg <= 180000000", name="longitude_range"),
)
