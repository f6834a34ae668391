"""Tables of what people answered, what came of it, what was corrected, and known cases to score people by."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    String,
    Table,
    UniqueConstraint,
)

from wallet.columns import fen_column, id_column, metadata, one_of, time_column

ACTIONS = ("confirm", "correct", "reject", "reverse")

# What one person answered about one item, once; two agreeing answers are needed above an amount.
review_answers = Table(
    "review_answers",
    metadata,
    id_column("id", primary_key=True),
    id_column("review_id", nullable=False),
    Column("action", String(10), nullable=False),
    Column("plate", String(12)),
    Column("is_misread", Boolean, nullable=False),
    Column("reason", String(200)),
    Column("answered_by", String(100), nullable=False),
    time_column("recorded_at"),
    id_column("erasure_id"),
    UniqueConstraint("review_id", "answered_by"),
    ForeignKeyConstraint(["review_id"], ["reviews.id"]),
    one_of("action", *ACTIONS),
    CheckConstraint("plate IS NULL OR action IN ('correct', 'reverse')", name="plate_is_a_correction"),
)

# How an item ended, once. answer_id: the answer that decided; first_answer_id: the other person's, if two
# were needed. visit, sale, refund: what it moved.
review_ends = Table(
    "review_ends",
    metadata,
    id_column("review_id", primary_key=True),
    Column("ended_as", String(20), nullable=False),
    id_column("answer_id", unique=True),
    id_column("first_answer_id"),
    Column("plate", String(12)),
    id_column("account_id"),
    id_column("visit_id"),
    Column("station", String(64)),
    Column("sale_id", String(64)),
    id_column("refund_id"),
    fen_column("moved_fen"),
    time_column("recorded_at"),
    id_column("erasure_id"),
    ForeignKeyConstraint(["review_id"], ["reviews.id"]),
    ForeignKeyConstraint(["answer_id"], ["review_answers.id"]),
    ForeignKeyConstraint(["first_answer_id"], ["review_answers.id"]),
    ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    ForeignKeyConstraint(["visit_id"], ["visits.id"]),
    ForeignKeyConstraint(["station", "sale_id"], ["sales.station", "sales.sale_id"]),
    ForeignKeyConstraint(["refund_id"], ["refunds.id"]),
    one_of(
        "ended_as",
        "visit_opened",
        "stay_joined",
        "sale_settled",
        "nothing_to_take",
        "nobodys_plate",
        "rejected",
        "reversed",
        "settled_elsewhere",
    ),
    CheckConstraint("(ended_as = 'settled_elsewhere') = (answer_id IS NULL)", name="a_person_decided"),
    CheckConstraint("first_answer_id <> answer_id", name="two_answers"),
    CheckConstraint("moved_fen >= 0", name="moved_not_negative"),
    CheckConstraint(
        "(ended_as = 'reversed') = (refund_id IS NOT NULL)"
        " AND (ended_as NOT IN ('visit_opened', 'stay_joined', 'sale_settled') OR visit_id IS NOT NULL)",
        name="end_names_what_moved",
    ),
    Index("ix_review_ends_visit_id", "visit_id"),
)

# What a person said of a reading: this text, at this camera, matched to this plate, was wrong (or right).
corrections = Table(
    "corrections",
    metadata,
    id_column("id", primary_key=True),
    id_column("review_id", nullable=False),
    id_column("sighting_id", nullable=False),
    Column("station", String(64), nullable=False),
    Column("camera", String(64), nullable=False),
    Column("text", String(12)),
    Column("plate", String(12), nullable=False),
    Column("verdict", String(10), nullable=False),
    Column("label", String(12)),
    Column("evidence_crop", String(64)),
    Column("decided_by", String(100), nullable=False),
    time_column("recorded_at"),
    id_column("erasure_id"),
    ForeignKeyConstraint(["review_id"], ["reviews.id"]),
    ForeignKeyConstraint(["sighting_id"], ["sightings.id"]),
    UniqueConstraint("review_id", "sighting_id"),
    one_of("verdict", "wrong", "right"),
    CheckConstraint("verdict = 'wrong' OR label = plate", name="right_is_labelled"),
    Index("ix_corrections_plate_station_camera", "plate", "station", "camera"),
)

# Sightings whose answer is known, shown to reviewers among the others; they are no sightings and move no
# money. shown: the case as a reviewer sees it.
known_cases = Table(
    "known_cases",
    metadata,
    id_column("id", primary_key=True),
    id_column("sighting_id", nullable=False),
    Column("station", String(64), nullable=False),
    Column("shown", JSON, nullable=False),
    fen_column("amount_fen"),
    Column("right_action", String(10), nullable=False),
    Column("right_plate", String(12)),
    Column("planted_by", String(100), nullable=False),
    time_column("planted_at"),
    ForeignKeyConstraint(["sighting_id"], ["sightings.id"]),
    one_of("right_action", "confirm", "correct", "reject"),
    Index("ix_known_cases_planted_at", "planted_at"),
)

known_case_answers = Table(
    "known_case_answers",
    metadata,
    id_column("id", primary_key=True),
    id_column("case_id", nullable=False),
    Column("action", String(10), nullable=False),
    Column("plate", String(12)),
    Column("is_right", Boolean, nullable=False),
    Column("answered_by", String(100), nullable=False),
    time_column("recorded_at"),
    UniqueConstraint("case_id", "answered_by"),
    ForeignKeyConstraint(["case_id"], ["known_cases.id"]),
    one_of("action", *ACTIONS),
)
