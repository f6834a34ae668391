"""On PostgreSQL too, indexes by which the registered plates one step from a text are found in a dozen looks.

Expand only: they hold nothing but what stands in the column; the version before does not ask for them. While
they are made nobody can bind a plate: a minute or so for millions of plates.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

# substr counts from 1: the plate without its first character, without its second, and so on.
WITHOUT = (
    "(substr(plate, 2))",
    "(substr(plate, 1, 1) || substr(plate, 3))",
    "(substr(plate, 1, 2) || substr(plate, 4))",
    "(substr(plate, 1, 3) || substr(plate, 5))",
    "(substr(plate, 1, 4) || substr(plate, 6))",
    "(substr(plate, 1, 5) || substr(plate, 7))",
    "(substr(plate, 1, 6) || substr(plate, 8))",
    "(substr(plate, 1, 7) || substr(plate, 9))",
)


def upgrade() -> None:
    """Add the indexes."""
    if op.get_bind().dialect.name != "postgresql":
        return
    bound = sa.text("unbound_at IS NULL")
    for place, plate in enumerate(WITHOUT):
        op.create_index(
            f"ix_vehicles_bound_without_{place}",
            "vehicles",
            [sa.text(plate)],
            postgresql_where=bound,
        )


def downgrade() -> None:
    """Take them away."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for place in reversed(range(len(WITHOUT))):
        op.drop_index(f"ix_vehicles_bound_without_{place}", table_name="vehicles")
