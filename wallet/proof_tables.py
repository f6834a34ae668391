"""Tables of proof and privacy: what a decision was made of, who looked at evidence, what was erased."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Table,
)

from wallet.columns import id_column, metadata, one_of, time_column

# Code and rules that decide together, under the hash of both.
deciders = Table(
    "deciders",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("code_sha256", String(64), nullable=False),
    Column("rules", JSON, nullable=False),
    Column("configuration", JSON, nullable=False),
    time_column("first_used_at"),
)

# What usually came to a station when sightings there were weighed, under its hash.
traffic_snapshots = Table(
    "traffic_snapshots",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("station", String(64), nullable=False),
    Column("traffic", JSON, nullable=False),
    time_column("first_used_at"),
)

# What a decision was made of besides the sighting and the posterior, so that it can be made again; and what
# a second set of rules would have done.
decision_inputs = Table(
    "decision_inputs",
    metadata,
    id_column("sighting_id", primary_key=True),
    Column("decider_id", String(64)),
    Column("inputs", JSON, nullable=False),
    Column("shadow_id", String(64)),
    Column("shadow", JSON),
    id_column("erasure_id"),
    ForeignKeyConstraint(["sighting_id"], ["sightings.id"]),
    ForeignKeyConstraint(["decider_id"], ["deciders.id"]),
    ForeignKeyConstraint(["shadow_id"], ["deciders.id"]),
    ForeignKeyConstraint(["erasure_id"], ["erasures.id"]),
)

# The readings a sighting was made of; the hash in `sightings` covers them.
sighting_readings = Table(
    "sighting_readings",
    metadata,
    id_column("sighting_id", primary_key=True),
    Column("readings", JSON, nullable=False),
    Column("corners", JSON, nullable=False),
    Column("reading_count", Integer, nullable=False),
    Column("readings_sha256", String(64), nullable=False),
    id_column("erasure_id"),
    ForeignKeyConstraint(["sighting_id"], ["sightings.id"]),
    ForeignKeyConstraint(["erasure_id"], ["erasures.id"]),
)

# What was erased, when and why; never what it was.
erasures = Table(
    "erasures",
    metadata,
    id_column("id", primary_key=True),
    Column("kind", String(20), nullable=False),
    id_column("subject", nullable=False),
    Column("reason", String(40), nullable=False),
    Column("actor", String(100), nullable=False),
    Column("erased", JSON, nullable=False),
    time_column("recorded_at"),
    one_of("kind", "sighting", "account"),
    Index("ix_erasures_subject", "subject"),
)

# Every look at evidence, written before it is shown.
evidence_reads = Table(
    "evidence_reads",
    metadata,
    id_column("id", primary_key=True),
    Column("actor", String(100), nullable=False),
    id_column("operator_id"),
    Column("kind", String(20), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("purpose", String(200), nullable=False),
    time_column("read_at"),
    ForeignKeyConstraint(["operator_id"], ["operators.id"]),
    one_of("kind", "picture", "sighting", "dispute_pack", "export"),
    Index("ix_evidence_reads_subject", "subject"),
)

# Which sightings a plate was read in, under the plate's keyed hash; goes with the sighting's text.
plate_index = Table(
    "plate_index",
    metadata,
    Column("plate_hash", String(64), primary_key=True),
    id_column("sighting_id", primary_key=True),
    ForeignKeyConstraint(["sighting_id"], ["sightings.id"]),
    Index("ix_plate_index_sighting_id", "sighting_id"),
    sqlite_with_rowid=False,
)
