"""Tables of who may do what: operators, sessions, devices, nonces, cameras, looks at evidence."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Table,
    Text,
)

from wallet.columns import id_column, metadata, one_of, time_column

operators = Table(
    "operators",
    metadata,
    id_column("id", primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("role", String(20), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    time_column("locked_until", nullable=True),
    time_column("created_at"),
    time_column("disabled_at", nullable=True),
    CheckConstraint("failures >= 0", name="failures_not_negative"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    id_column("operator_id", nullable=False),
    time_column("created_at"),
    time_column("expires_at"),
    time_column("ended_at", nullable=True),
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
    time_column("created_at"),
    time_column("disabled_at", nullable=True),
    one_of("role", "camera", "pump"),
    CheckConstraint("key_version >= 1", name="key_version_positive"),
)

nonces = Table(
    "nonces",
    metadata,
    Column("device_id", String(100), primary_key=True),
    Column("nonce", String(64), primary_key=True),
    time_column("expires_at"),
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
    time_column("last_frame_at", nullable=True),
    time_column("reported_at"),
)

evidence_looks = Table(
    "evidence_looks",
    metadata,
    id_column("id", primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("operator_id", String(64), ForeignKey("operators.id"), nullable=False),
    Column("purpose", String(200), nullable=False),
    time_column("looked_at"),
    Index("ix_evidence_looks_sha256", "sha256"),
)
