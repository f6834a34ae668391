"""Privacy and evidence: what decisions were made of, looks at evidence, and the one way to erase.

Expand only: every new column may be left out, and a trigger lets through no more than an erasure that is
written down.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from api.migrations import WouldLoseRows

revision = "0006"
down_revision = "0005"

ERASABLE_FACTS = ("sightings", "matches", "review_answers", "review_ends", "corrections")
ERASABLE = (*ERASABLE_FACTS, "vehicles", "visits", "accounts", "reviews")
NEW_FACTS = (
    "deciders",
    "traffic_snapshots",
    "decision_inputs",
    "sighting_readings",
    "erasures",
    "evidence_reads",
)

# When an update is refused: more than an erasure may change (SQL over OLD and NEW), as in this version.
UNLESS_ERASING = {
    "sightings": (
        "NEW.erasure_id IS NULL OR COALESCE(OLD.erasure_id, NEW.erasure_id) <> "
        "NEW.erasure_id OR NEW.text IS NOT NULL OR CAST(NEW.positions AS TEXT) <> '[]' OR "
        "COALESCE(NEW.evidence_frame, OLD.evidence_frame, '') <> "
        "COALESCE(OLD.evidence_frame, '') OR COALESCE(NEW.evidence_crop, OLD.evidence_crop, "
        "'') <> COALESCE(OLD.evidence_crop, '') OR NEW.id <> OLD.id OR NEW.station <> "
        "OLD.station OR NEW.camera <> OLD.camera OR COALESCE(NEW.pump, '') <> "
        "COALESCE(OLD.pump, '') OR NEW.first_seen_at <> OLD.first_seen_at OR "
        "NEW.last_seen_at <> OLD.last_seen_at OR NEW.colour <> OLD.colour OR NEW.wrong_ppm "
        "<> OLD.wrong_ppm OR NEW.looks <> OLD.looks OR COALESCE(NEW.detector_model, '') <> "
        "COALESCE(OLD.detector_model, '') OR COALESCE(NEW.reader_model, '') <> "
        "COALESCE(OLD.reader_model, '') OR NEW.body_hash <> OLD.body_hash OR NEW.recorded_at "
        "<> OLD.recorded_at"
    ),
    "matches": (
        "NEW.erasure_id IS NULL OR COALESCE(OLD.erasure_id, NEW.erasure_id) <> "
        "NEW.erasure_id OR COALESCE(NEW.plate, '') <> '' OR NEW.runner_up IS NOT NULL OR "
        'CAST(NEW.posterior AS TEXT) <> \'{"candidates":[],"none_ppm":0}\' OR NEW.sighting_id '
        "<> OLD.sighting_id OR NEW.outcome <> OLD.outcome OR COALESCE(NEW.account_id, '') <> "
        "COALESCE(OLD.account_id, '') OR COALESCE(NEW.vehicle_id, '') <> "
        "COALESCE(OLD.vehicle_id, '') OR COALESCE(NEW.visit_id, '') <> "
        "COALESCE(OLD.visit_id, '') OR NEW.wrong_ppm <> OLD.wrong_ppm OR NEW.amount_fen <> "
        "OLD.amount_fen OR NEW.expected_loss_fen <> OLD.expected_loss_fen OR "
        "NEW.runner_up_ppm <> OLD.runner_up_ppm OR NEW.hold_fen <> OLD.hold_fen OR "
        "NEW.joined <> OLD.joined OR NEW.decided_at <> OLD.decided_at"
    ),
    "sighting_readings": (
        "NEW.erasure_id IS NULL OR COALESCE(OLD.erasure_id, NEW.erasure_id) <> "
        "NEW.erasure_id OR CAST(NEW.readings AS TEXT) <> '[]' OR CAST(NEW.corners AS TEXT) "
        "<> '[]' OR NEW.sighting_id <> OLD.sighting_id OR NEW.reading_count <> "
        "OLD.reading_count OR NEW.readings_sha256 <> OLD.readings_sha256"
    ),
    "decision_inputs": (
        "NEW.erasure_id IS NULL OR COALESCE(OLD.erasure_id, NEW.erasure_id) <> "
        "NEW.erasure_id OR CAST(NEW.inputs AS TEXT) <> '{}' OR NEW.sighting_id <> "
        "OLD.sighting_id OR COALESCE(NEW.decider_id, '') <> COALESCE(OLD.decider_id, '') OR "
        "COALESCE(NEW.shadow_id, '') <> COALESCE(OLD.shadow_id, '') OR "
        "COALESCE(CAST(NEW.shadow AS TEXT), '') <> COALESCE(CAST(OLD.shadow AS TEXT), '')"
    ),
    "review_answers": (
        "NEW.erasure_id IS NULL OR COALESCE(OLD.erasure_id, NEW.erasure_id) <> "
        "NEW.erasure_id OR NEW.plate IS NOT NULL OR NEW.reason IS NOT NULL OR NEW.id <> "
        "OLD.id OR NEW.review_id <> OLD.review_id OR NEW.action <> OLD.action OR "
        "NEW.is_misread <> OLD.is_misread OR NEW.answered_by <> OLD.answered_by OR "
        "NEW.recorded_at <> OLD.recorded_at"
    ),
    "review_ends": (
        "NEW.erasure_id IS NULL OR COALESCE(OLD.erasure_id, NEW.erasure_id) <> "
        "NEW.erasure_id OR NEW.plate IS NOT NULL OR NEW.review_id <> OLD.review_id OR "
        "NEW.ended_as <> OLD.ended_as OR COALESCE(NEW.answer_id, '') <> "
        "COALESCE(OLD.answer_id, '') OR COALESCE(NEW.account_id, '') <> "
        "COALESCE(OLD.account_id, '') OR COALESCE(NEW.visit_id, '') <> "
        "COALESCE(OLD.visit_id, '') OR COALESCE(NEW.sale_id, '') <> COALESCE(OLD.sale_id, "
        "'') OR COALESCE(NEW.refund_id, '') <> COALESCE(OLD.refund_id, '') OR NEW.moved_fen "
        "<> OLD.moved_fen OR NEW.recorded_at <> OLD.recorded_at"
    ),
    "corrections": (
        "NEW.erasure_id IS NULL OR COALESCE(OLD.erasure_id, NEW.erasure_id) <> "
        "NEW.erasure_id OR NEW.text IS NOT NULL OR NEW.plate <> '' OR COALESCE(NEW.label, "
        "'') <> '' OR NEW.evidence_crop IS NOT NULL OR NEW.id <> OLD.id OR NEW.review_id <> "
        "OLD.review_id OR NEW.sighting_id <> OLD.sighting_id OR NEW.verdict <> OLD.verdict "
        "OR NEW.decided_by <> OLD.decided_by OR NEW.recorded_at <> OLD.recorded_at"
    ),
}
VISITS_NOW = (
    "NEW.id <> OLD.id OR NEW.station <> OLD.station OR NEW.account_id <> OLD.account_id OR "
    "NEW.vehicle_id <> OLD.vehicle_id OR NEW.first_sighting_id <> OLD.first_sighting_id OR "
    "NEW.plate <> OLD.plate AND (NEW.erasure_id IS NULL OR NEW.plate <> '')"
)
VEHICLES_NOW = (
    "(NEW.erasure_id IS NULL OR COALESCE(OLD.erasure_id, NEW.erasure_id) <> NEW.erasure_id "
    "OR NEW.plate <> '' OR NEW.id <> OLD.id OR NEW.account_id <> OLD.account_id OR "
    "NEW.colour <> OLD.colour OR NEW.bound_at <> OLD.bound_at OR NEW.unbound_at IS NULL OR "
    "NEW.unbound_at <> COALESCE(OLD.unbound_at, NEW.unbound_at)) AND (OLD.unbound_at IS NOT "
    "NULL OR NEW.id <> OLD.id OR NEW.account_id <> OLD.account_id OR NEW.plate <> OLD.plate)"
)
REVIEWS_NOW = (
    "(NEW.erasure_id IS NULL OR COALESCE(OLD.erasure_id, NEW.erasure_id) <> NEW.erasure_id "
    "OR CAST(NEW.reasons AS TEXT) <> '[]' OR NEW.id <> OLD.id OR NEW.kind <> OLD.kind OR "
    "NEW.state <> OLD.state OR NEW.subject <> OLD.subject OR NEW.amount_fen <> "
    "OLD.amount_fen OR NEW.created_at <> OLD.created_at OR COALESCE(NEW.closed_at, "
    "OLD.created_at) <> COALESCE(OLD.closed_at, OLD.created_at)) AND (OLD.state <> 'open' OR "
    "NEW.id <> OLD.id OR NEW.kind <> OLD.kind OR NEW.subject <> OLD.subject OR "
    "NEW.amount_fen <> OLD.amount_fen OR NEW.created_at <> OLD.created_at)"
)
VISITS_BEFORE = (
    "NEW.id <> OLD.id OR NEW.station <> OLD.station OR NEW.account_id <> OLD.account_id OR "
    "NEW.vehicle_id <> OLD.vehicle_id OR NEW.plate <> OLD.plate OR "
    "NEW.first_sighting_id <> OLD.first_sighting_id"
)
REVIEWS_BEFORE = (
    "OLD.state <> 'open' OR NEW.id <> OLD.id OR NEW.kind <> OLD.kind OR NEW.subject <> OLD.subject"
    " OR NEW.amount_fen <> OLD.amount_fen OR NEW.created_at <> OLD.created_at"
)
REVIEWS_SAY = "a review item is closed once and keeps its facts"
VEHICLES_BEFORE = (
    "OLD.unbound_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.account_id <> OLD.account_id OR "
    "NEW.plate <> OLD.plate"
)
RECORDED = "an erasure is written down first"
RECORDED_FUNCTION = (
    "CREATE FUNCTION platepay_erasure() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NOT "
    "EXISTS (SELECT 1 FROM erasures WHERE id = NEW.erasure_id) THEN RAISE EXCEPTION USING "
    "ERRCODE = 'integrity_constraint_violation', MESSAGE = TG_TABLE_NAME || ': an erasure is "
    "written down first'; END IF; RETURN NEW; END $$"
)
NEVER = {"UPDATE": "rows are never updated", "DELETE": "rows are never deleted"}


def upgrade() -> None:
    """To this version."""
    _new_tables()
    for table in ERASABLE:
        op.add_column(table, sa.Column("erasure_id", sa.String(length=64), nullable=True))
    _new_indexes()
    if _dialect() == "postgresql":
        op.execute(sa.text(RECORDED_FUNCTION))
    for table in ERASABLE_FACTS:
        _replace(table, f"{table}_no_update", UNLESS_ERASING[table], NEVER["UPDATE"])
    _replace("visits", "visits_same_visit", VISITS_NOW, "a visit keeps its vehicle and account")
    _replace("vehicles", "vehicles_unbound_once", VEHICLES_NOW, "a binding ends once")
    _replace("reviews", "reviews_close_once", REVIEWS_NOW, REVIEWS_SAY)
    says = "an account that was deleted stays as it is"
    _guard("accounts", "accounts_deleted_once", "UPDATE", "OLD.erasure_id IS NOT NULL", says)
    for table in NEW_FACTS:
        _guard(table, f"{table}_no_update", "UPDATE", UNLESS_ERASING.get(table), NEVER["UPDATE"])
        _guard(table, f"{table}_no_delete", "DELETE", None, NEVER["DELETE"])
        if _dialect() == "postgresql":
            _execute(
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION platepay_refuse('rows are never deleted')"
            )
    for table in (*ERASABLE, "sighting_readings", "decision_inputs"):
        _refuse_unrecorded(table)


def downgrade() -> None:
    """Back to the version before, where nothing was erased or looked at: it knows neither.

    What decisions were made of is lost: they stand, and cannot be made again.
    """
    for table in ("erasures", "evidence_reads"):
        rows = sa.select(sa.func.count()).select_from(sa.table(table))
        count = op.get_bind().execute(rows).scalar_one()
        if count:
            raise WouldLoseRows("0005", table, count)
    for table in ERASABLE:
        _drop(table, f"{table}_erasure_recorded")
    _drop("accounts", "accounts_deleted_once")
    _replace("reviews", "reviews_close_once", REVIEWS_BEFORE, REVIEWS_SAY)
    _replace("vehicles", "vehicles_unbound_once", VEHICLES_BEFORE, "a binding ends once")
    _replace("visits", "visits_same_visit", VISITS_BEFORE, "a visit keeps its vehicle and account")
    for table in ERASABLE_FACTS:
        _replace(table, f"{table}_no_update", None, NEVER["UPDATE"])
    _drop_indexes()
    op.drop_table("plate_index")
    for table in ("sighting_readings", "decision_inputs", "evidence_reads"):
        op.drop_table(table)
    for table in ("traffic_snapshots", "deciders", "erasures"):
        op.drop_table(table)
    if _dialect() == "postgresql":
        op.execute(sa.text("DROP FUNCTION platepay_erasure()"))
    for table in ERASABLE:
        op.drop_column(table, "erasure_id")


def _dialect() -> str:
    return op.get_bind().dialect.name


def _execute(statement: str) -> None:
    # As it stands: a colon in a trigger is no parameter.
    op.get_bind().exec_driver_sql(statement)


def _replace(table: str, name: str, when: str | None, says: str) -> None:
    _drop(table, name)
    _guard(table, name, "UPDATE", when, says)


def _drop(table: str, name: str) -> None:
    _execute(f"DROP TRIGGER {name}" + (f" ON {table}" if _dialect() == "postgresql" else ""))


def _guard(table: str, name: str, event: str, when: str | None, says: str) -> None:
    trigger = f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW"
    if _dialect() == "sqlite":
        condition = f" WHEN {when}" if when else ""
        _execute(f"{trigger}{condition} BEGIN SELECT RAISE(ABORT, '{table}: {says}'); END")
    else:
        condition = f" WHEN ({when})" if when else ""
        _execute(f"{trigger}{condition} EXECUTE FUNCTION platepay_refuse('{says}')")


def _refuse_unrecorded(table: str) -> None:
    trigger = f"CREATE TRIGGER {table}_erasure_recorded BEFORE UPDATE ON {table} FOR EACH ROW"
    if _dialect() == "sqlite":
        missing = "NOT EXISTS (SELECT 1 FROM erasures WHERE id = NEW.erasure_id)"
        _execute(
            f"{trigger} WHEN NEW.erasure_id IS NOT NULL AND {missing}"
            f" BEGIN SELECT RAISE(ABORT, '{table}: {RECORDED}'); END"
        )
    else:
        _execute(f"{trigger} WHEN (NEW.erasure_id IS NOT NULL) EXECUTE FUNCTION platepay_erasure()")


def _new_indexes() -> None:
    op.create_index("ix_sightings_evidence_frame", "sightings", ["evidence_frame"])
    op.create_index("ix_sightings_evidence_crop", "sightings", ["evidence_crop"])
    for name, table, columns, where in (
        (
            "ix_sightings_pictures_to_erase",
            "sightings",
            ["erasure_id"],
            "erasure_id IS NOT NULL AND evidence_crop IS NOT NULL",
        ),
        (
            "ix_matches_not_erased",
            "matches",
            ["outcome", "decided_at"],
            "outcome <> 'auto' AND erasure_id IS NULL",
        ),
    ):
        op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _drop_indexes() -> None:
    op.drop_index("ix_matches_not_erased", table_name="matches")
    for name in ("pictures_to_erase", "evidence_crop", "evidence_frame"):
        op.drop_index(f"ix_sightings_{name}", table_name="sightings")


def _new_tables() -> None:
    op.create_table(
        "deciders",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("code_sha256", sa.String(length=64), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("configuration", sa.JSON(), nullable=False),
        sa.Column("first_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deciders")),
    )
    op.create_table(
        "traffic_snapshots",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("traffic", sa.JSON(), nullable=False),
        sa.Column("first_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_traffic_snapshots")),
    )
    op.create_table(
        "erasures",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("erased", sa.JSON(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('sighting', 'account')", name=op.f("ck_erasures_kind_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
    )
    op.create_index("ix_erasures_subject", "erasures", ["subject"])
    op.create_table(
        "evidence_reads",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("operator_id", sa.String(length=64), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=200), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('picture', 'sighting', 'dispute_pack', 'export')",
            name=op.f("ck_evidence_reads_kind_known"),
        ),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operators.id"], name=op.f("fk_evidence_reads_operator_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence_reads")),
    )
    op.create_index("ix_evidence_reads_subject", "evidence_reads", ["subject"])
    op.create_table(
        "decision_inputs",
        sa.Column("sighting_id", sa.String(length=64), nullable=False),
        sa.Column("decider_id", sa.String(length=64), nullable=True),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("shadow_id", sa.String(length=64), nullable=True),
        sa.Column("shadow", sa.JSON(), nullable=True),
        sa.Column("erasure_id", sa.String(length=64), nullable=True),
        *_belongs_to("decision_inputs", sighting_id="sightings", decider_id="deciders", shadow_id="deciders"),
        *_belongs_to("decision_inputs", erasure_id="erasures"),
        sa.PrimaryKeyConstraint("sighting_id", name=op.f("pk_decision_inputs")),
    )
    op.create_table(
        "sighting_readings",
        sa.Column("sighting_id", sa.String(length=64), nullable=False),
        sa.Column("readings", sa.JSON(), nullable=False),
        sa.Column("corners", sa.JSON(), nullable=False),
        sa.Column("reading_count", sa.Integer(), nullable=False),
        sa.Column("readings_sha256", sa.String(length=64), nullable=False),
        sa.Column("erasure_id", sa.String(length=64), nullable=True),
        *_belongs_to("sighting_readings", sighting_id="sightings", erasure_id="erasures"),
        sa.PrimaryKeyConstraint("sighting_id", name=op.f("pk_sighting_readings")),
    )
    op.create_table(
        "plate_index",
        sa.Column("plate_hash", sa.String(length=64), nullable=False),
        sa.Column("sighting_id", sa.String(length=64), nullable=False),
        *_belongs_to("plate_index", sighting_id="sightings"),
        sa.PrimaryKeyConstraint("plate_hash", "sighting_id", name=op.f("pk_plate_index")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_plate_index_sighting_id", "plate_index", ["sighting_id"])


def _belongs_to(table: str, **columns: str) -> list[sa.ForeignKeyConstraint]:
    return [
        sa.ForeignKeyConstraint([column], [f"{of}.id"], name=op.f(f"fk_{table}_{column}"))
        for column, of in columns.items()
    ]
