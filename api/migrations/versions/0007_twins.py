"""Twins, the traffic of stations, and the nightly counts; the keys of plates are not needed any more.

Expand only: the version before goes on working beside this one. The table `plate_keys` stays for it, and gets
no more rows; what it lacks is put in on the way back.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

ROWS_AT_ONCE = 1_000


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "twins",
        sa.Column("first_vehicle_id", sa.String(length=64), nullable=False),
        sa.Column("second_vehicle_id", sa.String(length=64), nullable=False),
        sa.Column("first_plate", sa.String(length=12), nullable=False),
        sa.Column("second_plate", sa.String(length=12), nullable=False),
        sa.Column("alike_ppm", sa.Integer(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("first_plate < second_plate", name=op.f("ck_twins_in_order")),
        sa.CheckConstraint("alike_ppm > 0 AND alike_ppm <= 1000000", name=op.f("ck_twins_alike_ppm_range")),
        sa.ForeignKeyConstraint(
            ["first_vehicle_id"], ["vehicles.id"], name=op.f("fk_twins_first_vehicle_id")
        ),
        sa.ForeignKeyConstraint(
            ["second_vehicle_id"], ["vehicles.id"], name=op.f("fk_twins_second_vehicle_id")
        ),
        sa.PrimaryKeyConstraint("first_vehicle_id", "second_vehicle_id", name=op.f("pk_twins")),
    )
    op.create_index("ix_twins_second_vehicle_id", "twins", ["second_vehicle_id"], unique=False)
    op.create_table(
        "station_traffic",
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("prefix", sa.String(length=4), nullable=False),
        sa.Column("cars", sa.Integer(), nullable=False),
        sa.Column("customers", sa.Integer(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "cars >= 0 AND customers >= 0 AND customers <= cars",
            name=op.f("ck_station_traffic_customers_are_cars"),
        ),
        sa.PrimaryKeyConstraint("station", "prefix", name=op.f("pk_station_traffic")),
    )
    op.create_table(
        "nightly_counts",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("found >= 0", name=op.f("ck_nightly_counts_not_negative")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_nightly_counts")),
    )


def downgrade() -> None:
    """Take the tables away, which hold nothing that cannot be counted again; give plates their keys."""
    op.drop_table("nightly_counts")
    op.drop_table("station_traffic")
    op.drop_index("ix_twins_second_vehicle_id", table_name="twins")
    op.drop_table("twins")
    connection = op.get_bind()
    without_keys = sa.text(
        "SELECT id, plate FROM vehicles v WHERE unbound_at IS NULL AND id > :after"
        " AND NOT EXISTS (SELECT 1 FROM plate_keys k WHERE k.vehicle_id = v.id) ORDER BY id LIMIT :most"
    )
    add_key = sa.text("INSERT INTO plate_keys (plate_key, vehicle_id) VALUES (:key, :id)")
    after = ""
    while rows := connection.execute(without_keys, {"after": after, "most": ROWS_AT_ONCE}).all():
        keys = [
            {"key": row.plate[:place] + "_" + row.plate[place + 1 :], "id": row.id}
            for row in rows
            for place in range(len(row.plate))
        ]
        connection.execute(add_key, keys)
        after = rows[-1].id
