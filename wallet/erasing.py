"""The one way past the triggers that keep facts: an erasure that is written down, and takes only what it may.

An erased row keeps its id, its times, its hash and its place in every sum. The trigger lets an update through
where it names an erasure, empties what may be emptied and leaves the rest alone; another refuses an erasure
that is not in `erasures`.
"""

from __future__ import annotations

from collections.abc import Mapping

EMPTY_LIST = "[]"
EMPTY_OBJECT = "{}"
NO_PLATE = ""
NO_POSTERIOR = '{"candidates":[],"none_ppm":0}'

# What an erasure changes in a table of facts, or in one that is kept.
ERASED: Mapping[str, tuple[str, ...]] = {
    "sightings": ("text", "positions", "evidence_frame", "evidence_crop", "erasure_id"),
    "matches": ("plate", "runner_up", "reasons", "posterior", "erasure_id"),
    "sighting_readings": ("readings", "corners", "erasure_id"),
    "decision_inputs": ("inputs", "erasure_id"),
    "vehicles": ("plate", "erasure_id"),
    "visits": ("plate", "erasure_id"),
    "accounts": ("name", "phone", "erasure_id"),
    "reviews": ("reasons", "erasure_id"),
    "review_answers": ("plate", "reason", "erasure_id"),
    "review_ends": ("plate", "erasure_id"),
    "corrections": ("text", "plate", "label", "evidence_crop", "erasure_id"),
}
TABLES = tuple(ERASED)

# SQL over OLD and NEW, true where the update is more than an erasure; never null.
_NAMES_NONE = "NEW.erasure_id IS NULL OR COALESCE(OLD.erasure_id, NEW.erasure_id) <> NEW.erasure_id"
_MORE_THAN_ERASED: Mapping[str, str] = {
    "sightings": " OR ".join(
        (
            _NAMES_NONE,
            "NEW.text IS NOT NULL",
            f"CAST(NEW.positions AS TEXT) <> '{EMPTY_LIST}'",
            "COALESCE(NEW.evidence_frame, OLD.evidence_frame, '') <> COALESCE(OLD.evidence_frame, '')",
            "COALESCE(NEW.evidence_crop, OLD.evidence_crop, '') <> COALESCE(OLD.evidence_crop, '')",
            "NEW.id <> OLD.id",
            "NEW.station <> OLD.station",
            "NEW.camera <> OLD.camera",
            "COALESCE(NEW.pump, '') <> COALESCE(OLD.pump, '')",
            "NEW.first_seen_at <> OLD.first_seen_at",
            "NEW.last_seen_at <> OLD.last_seen_at",
            "NEW.colour <> OLD.colour",
            "NEW.wrong_ppm <> OLD.wrong_ppm",
            "NEW.looks <> OLD.looks",
            "COALESCE(NEW.detector_model, '') <> COALESCE(OLD.detector_model, '')",
            "COALESCE(NEW.reader_model, '') <> COALESCE(OLD.reader_model, '')",
            "NEW.body_hash <> OLD.body_hash",
            "NEW.recorded_at <> OLD.recorded_at",
        )
    ),
    "matches": " OR ".join(
        (
            _NAMES_NONE,
            f"COALESCE(NEW.plate, '') <> '{NO_PLATE}'",
            "NEW.runner_up IS NOT NULL",
            f"CAST(NEW.posterior AS TEXT) <> '{NO_POSTERIOR}'",
            "NEW.sighting_id <> OLD.sighting_id",
            "NEW.outcome <> OLD.outcome",
            "COALESCE(NEW.account_id, '') <> COALESCE(OLD.account_id, '')",
            "COALESCE(NEW.vehicle_id, '') <> COALESCE(OLD.vehicle_id, '')",
            "COALESCE(NEW.visit_id, '') <> COALESCE(OLD.visit_id, '')",
            "NEW.wrong_ppm <> OLD.wrong_ppm",
            "NEW.amount_fen <> OLD.amount_fen",
            "NEW.expected_loss_fen <> OLD.expected_loss_fen",
            "NEW.runner_up_ppm <> OLD.runner_up_ppm",
            "NEW.hold_fen <> OLD.hold_fen",
            "NEW.joined <> OLD.joined",
            "NEW.decided_at <> OLD.decided_at",
        )
    ),
    "sighting_readings": " OR ".join(
        (
            _NAMES_NONE,
            f"CAST(NEW.readings AS TEXT) <> '{EMPTY_LIST}'",
            f"CAST(NEW.corners AS TEXT) <> '{EMPTY_LIST}'",
            "NEW.sighting_id <> OLD.sighting_id",
            "NEW.reading_count <> OLD.reading_count",
            "NEW.readings_sha256 <> OLD.readings_sha256",
        )
    ),
    "decision_inputs": " OR ".join(
        (
            _NAMES_NONE,
            f"CAST(NEW.inputs AS TEXT) <> '{EMPTY_OBJECT}'",
            "NEW.sighting_id <> OLD.sighting_id",
            "COALESCE(NEW.decider_id, '') <> COALESCE(OLD.decider_id, '')",
            "COALESCE(NEW.shadow_id, '') <> COALESCE(OLD.shadow_id, '')",
            "COALESCE(CAST(NEW.shadow AS TEXT), '') <> COALESCE(CAST(OLD.shadow AS TEXT), '')",
        )
    ),
    "review_answers": " OR ".join(
        (
            _NAMES_NONE,
            "NEW.plate IS NOT NULL",
            "NEW.reason IS NOT NULL",
            "NEW.id <> OLD.id",
            "NEW.review_id <> OLD.review_id",
            "NEW.action <> OLD.action",
            "NEW.is_misread <> OLD.is_misread",
            "NEW.answered_by <> OLD.answered_by",
            "NEW.recorded_at <> OLD.recorded_at",
        )
    ),
    "review_ends": " OR ".join(
        (
            _NAMES_NONE,
            "NEW.plate IS NOT NULL",
            "NEW.review_id <> OLD.review_id",
            "NEW.ended_as <> OLD.ended_as",
            "COALESCE(NEW.answer_id, '') <> COALESCE(OLD.answer_id, '')",
            "COALESCE(NEW.account_id, '') <> COALESCE(OLD.account_id, '')",
            "COALESCE(NEW.visit_id, '') <> COALESCE(OLD.visit_id, '')",
            "COALESCE(NEW.sale_id, '') <> COALESCE(OLD.sale_id, '')",
            "COALESCE(NEW.refund_id, '') <> COALESCE(OLD.refund_id, '')",
            "NEW.moved_fen <> OLD.moved_fen",
            "NEW.recorded_at <> OLD.recorded_at",
        )
    ),
    "corrections": " OR ".join(
        (
            _NAMES_NONE,
            "NEW.text IS NOT NULL",
            f"NEW.plate <> '{NO_PLATE}'",
            f"COALESCE(NEW.label, '') <> '{NO_PLATE}'",
            "NEW.evidence_crop IS NOT NULL",
            "NEW.id <> OLD.id",
            "NEW.review_id <> OLD.review_id",
            "NEW.sighting_id <> OLD.sighting_id",
            "NEW.verdict <> OLD.verdict",
            "NEW.decided_by <> OLD.decided_by",
            "NEW.recorded_at <> OLD.recorded_at",
        )
    ),
}


def unless_erasing(table: str) -> str | None:
    """When an update of this table of facts is refused: None for always."""
    return _MORE_THAN_ERASED.get(table)


def is_no_reasons_erasure() -> str:
    """True where an update of a closed review item is anything but its reasons being emptied."""
    same = ("id", "kind", "state", "subject", "amount_fen", "created_at")
    return (
        f"{_NAMES_NONE} OR CAST(NEW.reasons AS TEXT) <> '{EMPTY_LIST}' OR "
        + " OR ".join(f"NEW.{column} <> OLD.{column}" for column in same)
        + " OR COALESCE(NEW.closed_at, OLD.created_at) <> COALESCE(OLD.closed_at, OLD.created_at)"
    )


def changes_plate() -> str:
    """True where a visit's plate becomes another one, or is emptied without naming an erasure."""
    return f"NEW.plate <> OLD.plate AND (NEW.erasure_id IS NULL OR NEW.plate <> '{NO_PLATE}')"


def is_no_plate_erasure() -> str:
    """True where an update of a binding that has ended is anything but its plate being emptied."""
    return (
        f"{_NAMES_NONE} OR NEW.plate <> '{NO_PLATE}' OR NEW.id <> OLD.id OR NEW.account_id <> OLD.account_id"
        " OR NEW.colour <> OLD.colour OR NEW.bound_at <> OLD.bound_at OR NEW.unbound_at IS NULL"
        " OR NEW.unbound_at <> COALESCE(OLD.unbound_at, NEW.unbound_at)"
    )


RECORDED_FUNCTION = (
    "CREATE FUNCTION platepay_erasure() RETURNS trigger LANGUAGE plpgsql AS $$ "
    "BEGIN IF NOT EXISTS (SELECT 1 FROM erasures WHERE id = NEW.erasure_id) THEN "
    "RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', "
    "MESSAGE = TG_TABLE_NAME || ': an erasure is written down first'; END IF; RETURN NEW; END $$"
)


def sqlite_recorded(table: str) -> str:
    """The trigger that refuses an erasure nobody wrote down, on SQLite."""
    missing = "NOT EXISTS (SELECT 1 FROM erasures WHERE id = NEW.erasure_id)"
    return (
        f"CREATE TRIGGER {table}_erasure_recorded BEFORE UPDATE ON {table} FOR EACH ROW"
        f" WHEN NEW.erasure_id IS NOT NULL AND {missing}"
        f" BEGIN SELECT RAISE(ABORT, '{table}: an erasure is written down first'); END"
    )


def postgresql_recorded(table: str) -> str:
    """The same on PostgreSQL."""
    return (
        f"CREATE TRIGGER {table}_erasure_recorded BEFORE UPDATE ON {table} FOR EACH ROW"
        " WHEN (NEW.erasure_id IS NOT NULL) EXECUTE FUNCTION platepay_erasure()"
    )
