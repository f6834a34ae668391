"""Tables of what a decision knows beforehand: registered look-alikes, and what usually comes to a station."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Index, Integer, String, Table

from wallet.columns import id_column, metadata, time_column

# Two bindings whose plates are taken for each other. A pair counts while both bindings last; the plate that
# sorts first is first, so that a pair is one row.
twins = Table(
    "twins",
    metadata,
    id_column("first_vehicle_id", primary_key=True),
    id_column("second_vehicle_id", primary_key=True),
    Column("first_plate", String(12), nullable=False),
    Column("second_plate", String(12), nullable=False),
    Column("alike_ppm", Integer, nullable=False),
    time_column("found_at"),
    ForeignKeyConstraint(["first_vehicle_id"], ["vehicles.id"]),
    ForeignKeyConstraint(["second_vehicle_id"], ["vehicles.id"]),
    CheckConstraint("first_plate < second_plate", name="in_order"),
    CheckConstraint("alike_ppm > 0 AND alike_ppm <= 1000000", name="alike_ppm_range"),
    Index("ix_twins_second_vehicle_id", "second_vehicle_id"),
)

# Cars that were read at a station in the time looked back over, by the first two characters of their plates;
# the prefix "" has all of them. Counted again every night.
station_traffic = Table(
    "station_traffic",
    metadata,
    Column("station", String(64), primary_key=True),
    Column("prefix", String(4), primary_key=True),
    Column("cars", Integer, nullable=False),
    Column("customers", Integer, nullable=False),
    time_column("counted_at"),
    CheckConstraint("cars >= 0 AND customers >= 0 AND customers <= cars", name="customers_are_cars"),
)

# When which nightly count was done last, and what it found.
nightly_counts = Table(
    "nightly_counts",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("found", Integer, nullable=False),
    time_column("done_at"),
    CheckConstraint("found >= 0", name="not_negative"),
)
