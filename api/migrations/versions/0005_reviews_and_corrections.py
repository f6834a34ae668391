"""What people answered about review items, how these ended, corrections, and known cases.

Expand only: a sale that a person looks at may be settled after all, and a stay whose hold was released may
get a second visit from a person; everything the version before wrote stays as it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from api.migrations import WouldLoseRows

revision = "0005"
down_revision = "0004"

FACTS = ("review_answers", "review_ends", "corrections", "known_cases", "known_case_answers")
NEW_KIND = "wrong_debit"
KINDS = "ck_reviews_kind_known"
FIRST_SIGHTING = "uq_visits_first_sighting_id"
UNKNOWN_BEFORE = (*((table, "1 = 1") for table in FACTS), ("reviews", f"kind = '{NEW_KIND}'"))

SETTLED_BEFORE = "OLD.state <> 'waiting'"
SETTLED = "OLD.state NOT IN ('waiting', 'review') OR (OLD.state = 'review' AND NEW.state <> 'captured')"
CLOSED = (
    "OLD.state <> 'open' OR NEW.id <> OLD.id OR NEW.kind <> OLD.kind OR NEW.subject <> OLD.subject"
    " OR NEW.amount_fen <> OLD.amount_fen OR NEW.created_at <> OLD.created_at"
)


def upgrade() -> None:
    """To this version."""
    _new_tables()
    _change_kinds(lambda kinds: [*kinds, NEW_KIND])
    _one_visit_a_sighting()
    op.create_index(
        "ix_reviews_open_kind",
        "reviews",
        ["kind", "created_at", "id"],
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index("ix_reviews_station_sale_id", "reviews", ["station", "sale_id"])
    _replace_trigger("sales_settle_once", "sales", SETTLED, "a sale that is settled stays settled")
    _make_trigger(
        "reviews_close_once", "reviews", "UPDATE", CLOSED, "a review item is closed once and keeps its facts"
    )
    for table in FACTS:
        _make_trigger(f"{table}_no_update", table, "UPDATE", None, "rows are never updated")
        _make_trigger(f"{table}_no_delete", table, "DELETE", None, "rows are never deleted")
        if op.get_bind().dialect.name == "postgresql":
            op.execute(
                sa.text(
                    f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}"
                    " FOR EACH STATEMENT EXECUTE FUNCTION platepay_refuse('rows are never deleted')"
                )
            )


def downgrade() -> None:
    """Back to the version before, where no row would be lost by it."""
    for table, unknown in UNKNOWN_BEFORE:
        rows = sa.select(sa.func.count()).select_from(sa.table(table)).where(sa.text(unknown))
        count = op.get_bind().execute(rows).scalar_one()
        if count:
            raise WouldLoseRows("0004", table, count)
    _drop_trigger("reviews_close_once", "reviews")
    _replace_trigger("sales_settle_once", "sales", SETTLED_BEFORE, "a sale that is settled stays settled")
    op.drop_index("ix_reviews_station_sale_id", table_name="reviews")
    op.drop_index("ix_reviews_open_kind", table_name="reviews")
    _change_kinds(lambda kinds: [kind for kind in kinds if kind != NEW_KIND])
    op.drop_index("uq_visits_first_sighting", table_name="visits")
    if op.get_bind().dialect.name == "sqlite":
        _rewrite("visits", lambda body: _add(body, f"CONSTRAINT {FIRST_SIGHTING} UNIQUE (first_sighting_id)"))
    else:
        op.create_unique_constraint(op.f(FIRST_SIGHTING), "visits", ["first_sighting_id"])
    for table in ("known_case_answers", "known_cases", "corrections", "review_ends", "review_answers"):
        op.drop_table(table)


# Words, constraints, triggers -------------------------------------------------------------------------------


def _change_kinds(change: Callable[[list[str]], list[str]]) -> None:
    """The list of kinds as it is here (others add to it) with this version's change."""
    bind = op.get_bind()
    if bind.dialect.name == "sqlite":

        def changed(body: str) -> str:
            found = re.search(r"kind IN \(([^)]*)\)", body)
            if found is None:
                raise RuntimeError("reviews has no list of kinds")
            return body.replace(found.group(0), _listed(change(re.findall(r"'(\w+)'", found.group(1)))))

        _rewrite("reviews", changed)
        return
    query = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name")
    kinds = re.findall(r"'(\w+)'", bind.execute(query, {"name": KINDS}).scalar_one())
    op.drop_constraint(op.f(KINDS), "reviews", type_="check")
    op.create_check_constraint(op.f(KINDS), "reviews", _listed(change(kinds)))


def _listed(kinds: list[str]) -> str:
    return "kind IN ({})".format(", ".join(f"'{kind}'" for kind in kinds))


def _one_visit_a_sighting() -> None:
    if op.get_bind().dialect.name == "sqlite":
        line = re.compile(rf",\s*CONSTRAINT {FIRST_SIGHTING} UNIQUE \(first_sighting_id\)")
        _rewrite("visits", lambda body: line.sub("", body))
    else:
        op.drop_constraint(op.f(FIRST_SIGHTING), "visits", type_="unique")
    op.create_index(
        "uq_visits_first_sighting",
        "visits",
        ["first_sighting_id"],
        unique=True,
        sqlite_where=sa.text("state <> 'voided'"),
        postgresql_where=sa.text("state <> 'voided'"),
    )


def _rewrite(table: str, change: Callable[[str], str]) -> None:
    """Makes a SQLite table anew with another body and the same rows; foreign keys are off meanwhile."""
    bind = op.get_bind()
    made, *also = bind.execute(
        sa.text(
            "SELECT sql FROM sqlite_master WHERE tbl_name = :table AND sql IS NOT NULL"
            " ORDER BY type <> 'table'"
        ),
        {"table": table},
    ).scalars()
    columns = ", ".join(row.name for row in bind.execute(sa.text(f"PRAGMA table_info({table})")))
    _, body = made.split("(", 1)
    changed = change(body)
    if changed == body:
        raise RuntimeError(f"{table} is not as the version before made it")
    for statement in (
        f"CREATE TABLE {table}_new ({changed}",
        f"INSERT INTO {table}_new ({columns}) SELECT {columns} FROM {table}",  # noqa: S608
        f"DROP TABLE {table}",
        f"ALTER TABLE {table}_new RENAME TO {table}",
        *also,
    ):
        bind.exec_driver_sql(statement)


def _add(body: str, constraint: str) -> str:
    return body.rstrip().removesuffix(")").rstrip() + f",\n\t{constraint}\n)"


def _replace_trigger(name: str, table: str, when: str, says: str) -> None:
    _drop_trigger(name, table)
    _make_trigger(name, table, "UPDATE", when, says)


def _drop_trigger(name: str, table: str) -> None:
    on = "" if op.get_bind().dialect.name == "sqlite" else f" ON {table}"
    op.execute(sa.text(f"DROP TRIGGER {name}{on}"))


def _make_trigger(name: str, table: str, event: str, when: str | None, says: str) -> None:
    trigger = f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW"
    if op.get_bind().dialect.name == "sqlite":
        condition = f" WHEN {when}" if when else ""
        op.execute(sa.text(f"{trigger}{condition} BEGIN SELECT RAISE(ABORT, '{table}: {says}'); END"))
    else:
        condition = f" WHEN ({when})" if when else ""
        op.execute(sa.text(f"{trigger}{condition} EXECUTE FUNCTION platepay_refuse('{says}')"))


# Tables -----------------------------------------------------------------------------------------------------


def _new_tables() -> None:
    op.create_table(
        "known_cases",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("sighting_id", sa.String(length=64), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("shown", sa.JSON(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("right_action", sa.String(length=10), nullable=False),
        sa.Column("right_plate", sa.String(length=12), nullable=True),
        sa.Column("planted_by", sa.String(length=100), nullable=False),
        sa.Column("planted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "right_action IN ('confirm', 'correct', 'reject')", name=op.f("ck_known_cases_right_action_known")
        ),
        sa.ForeignKeyConstraint(["sighting_id"], ["sightings.id"], name=op.f("fk_known_cases_sighting_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_known_cases")),
    )
    op.create_index("ix_known_cases_planted_at", "known_cases", ["planted_at"], unique=False)
    op.create_table(
        "known_case_answers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=10), nullable=False),
        sa.Column("plate", sa.String(length=12), nullable=True),
        sa.Column("is_right", sa.Boolean(), nullable=False),
        sa.Column("answered_by", sa.String(length=100), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "action IN ('confirm', 'correct', 'reject', 'reverse')",
            name=op.f("ck_known_case_answers_action_known"),
        ),
        sa.ForeignKeyConstraint(["case_id"], ["known_cases.id"], name=op.f("fk_known_case_answers_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_known_case_answers")),
        sa.UniqueConstraint("case_id", "answered_by", name=op.f("uq_known_case_answers_case_id_answered_by")),
    )
    op.create_table(
        "corrections",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("review_id", sa.String(length=64), nullable=False),
        sa.Column("sighting_id", sa.String(length=64), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("camera", sa.String(length=64), nullable=False),
        sa.Column("text", sa.String(length=12), nullable=True),
        sa.Column("plate", sa.String(length=12), nullable=False),
        sa.Column("verdict", sa.String(length=10), nullable=False),
        sa.Column("label", sa.String(length=12), nullable=True),
        sa.Column("evidence_crop", sa.String(length=64), nullable=True),
        sa.Column("decided_by", sa.String(length=100), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "verdict = 'wrong' OR label = plate", name=op.f("ck_corrections_right_is_labelled")
        ),
        sa.CheckConstraint("verdict IN ('wrong', 'right')", name=op.f("ck_corrections_verdict_known")),
        sa.ForeignKeyConstraint(["review_id"], ["reviews.id"], name=op.f("fk_corrections_review_id")),
        sa.ForeignKeyConstraint(["sighting_id"], ["sightings.id"], name=op.f("fk_corrections_sighting_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corrections")),
        sa.UniqueConstraint("review_id", "sighting_id", name=op.f("uq_corrections_review_id_sighting_id")),
    )
    op.create_index(
        "ix_corrections_plate_station_camera", "corrections", ["plate", "station", "camera"], unique=False
    )
    op.create_table(
        "review_answers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("review_id", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=10), nullable=False),
        sa.Column("plate", sa.String(length=12), nullable=True),
        sa.Column("is_misread", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("answered_by", sa.String(length=100), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "action IN ('confirm', 'correct', 'reject', 'reverse')",
            name=op.f("ck_review_answers_action_known"),
        ),
        sa.CheckConstraint(
            "plate IS NULL OR action IN ('correct', 'reverse')",
            name=op.f("ck_review_answers_plate_is_a_correction"),
        ),
        sa.ForeignKeyConstraint(["review_id"], ["reviews.id"], name=op.f("fk_review_answers_review_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_answers")),
        sa.UniqueConstraint("review_id", "answered_by", name=op.f("uq_review_answers_review_id_answered_by")),
    )
    op.create_table(
        "review_ends",
        sa.Column("review_id", sa.String(length=64), nullable=False),
        sa.Column("ended_as", sa.String(length=20), nullable=False),
        sa.Column("answer_id", sa.String(length=64), nullable=True),
        sa.Column("first_answer_id", sa.String(length=64), nullable=True),
        sa.Column("plate", sa.String(length=12), nullable=True),
        sa.Column("account_id", sa.String(length=64), nullable=True),
        sa.Column("visit_id", sa.String(length=64), nullable=True),
        sa.Column("station", sa.String(length=64), nullable=True),
        sa.Column("sale_id", sa.String(length=64), nullable=True),
        sa.Column("refund_id", sa.String(length=64), nullable=True),
        sa.Column("moved_fen", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(ended_as = 'reversed') = (refund_id IS NOT NULL) AND "
            "(ended_as NOT IN ('visit_opened', 'stay_joined', 'sale_settled') OR visit_id IS NOT NULL)",
            name=op.f("ck_review_ends_end_names_what_moved"),
        ),
        sa.CheckConstraint(
            "(ended_as = 'settled_elsewhere') = (answer_id IS NULL)",
            name=op.f("ck_review_ends_a_person_decided"),
        ),
        sa.CheckConstraint(
            "ended_as IN ('visit_opened', 'stay_joined', 'sale_settled', "
            "'nothing_to_take', 'nobodys_plate', 'rejected', 'reversed', 'settled_elsewhere')",
            name=op.f("ck_review_ends_ended_as_known"),
        ),
        sa.CheckConstraint("first_answer_id <> answer_id", name=op.f("ck_review_ends_two_answers")),
        sa.CheckConstraint("moved_fen >= 0", name=op.f("ck_review_ends_moved_not_negative")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_review_ends_account_id")),
        sa.ForeignKeyConstraint(["answer_id"], ["review_answers.id"], name=op.f("fk_review_ends_answer_id")),
        sa.ForeignKeyConstraint(
            ["first_answer_id"], ["review_answers.id"], name=op.f("fk_review_ends_first_answer_id")
        ),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_review_ends_refund_id")),
        sa.ForeignKeyConstraint(["review_id"], ["reviews.id"], name=op.f("fk_review_ends_review_id")),
        sa.ForeignKeyConstraint(
            ["station", "sale_id"],
            ["sales.station", "sales.sale_id"],
            name=op.f("fk_review_ends_station_sale_id"),
        ),
        sa.ForeignKeyConstraint(["visit_id"], ["visits.id"], name=op.f("fk_review_ends_visit_id")),
        sa.PrimaryKeyConstraint("review_id", name=op.f("pk_review_ends")),
        sa.UniqueConstraint("answer_id", name=op.f("uq_review_ends_answer_id")),
    )
    op.create_index("ix_review_ends_visit_id", "review_ends", ["visit_id"], unique=False)
