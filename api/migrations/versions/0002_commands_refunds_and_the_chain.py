"""Commands with stored answers, charges, refunds, adjustments, leases of the outbox, the chain of blocks.

Expand only: every new column may be left out, every list of words only grew, so the version before goes on
working on these tables while the services are replaced one after the other.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from api.migrations import WouldLoseRows

revision = "0002"
down_revision = "0001"

FACTS = (
    "commands",
    "key_conflicts",
    "charges",
    "refunds",
    "adjustments",
    "adjustment_decisions",
    "blocks",
    "seals",
    "audit_proofs",
)
# What the version before cannot keep: going back with such rows would lose money, so it is refused.
UNKNOWN_BEFORE = (
    ("charges", "1 = 1"),
    ("refunds", "1 = 1"),
    ("adjustments", "1 = 1"),
    ("commands", "1 = 1"),
    ("transfers", "kind NOT IN ('recharge', 'bonus', 'capture', 'suspense')"),
    ("visits", "ended_by = 'voided_by_operator'"),
)

# Lists of words before and after: (table, constraint, before, after).
WORDS = (
    (
        "ledger_accounts",
        "kind_known",
        "kind IN ('principal', 'bonus', 'clearing', 'revenue', 'marketing', 'suspense')",
        "kind IN ('principal', 'bonus', 'clearing', 'revenue', 'marketing', 'suspense', 'adjustment', 'fee')",
    ),
    (
        "visits",
        "ended_by_known",
        "ended_by IN ('captured', 'zero_sale', 'left_without_sale', 'stayed_too_long')",
        "ended_by IN ('captured', 'zero_sale', 'left_without_sale', 'stayed_too_long', 'voided_by_operator')",
    ),
    (
        "transfers",
        "kind_known",
        "kind IN ('recharge', 'bonus', 'capture', 'suspense')",
        "kind IN ('recharge', 'bonus', 'capture', 'suspense', 'charge', 'refund', 'reversal', "
        "'adjustment', 'fee')",
    ),
)
# Columns that transfers gained, each with the table it names a row of.
CAUSES = (
    ("charge_id", "charges"),
    ("refund_id", "refunds"),
    ("adjustment_id", "adjustments"),
    ("reverses_id", "transfers"),
)
REVERSAL = "(kind = 'reversal') = (reverses_id IS NOT NULL)"
ENTRIES_VIEW = (
    "CREATE VIEW entries AS SELECT id AS transfer_id, from_account AS ledger_account, "
    "-amount_fen AS amount_fen, recorded_at FROM transfers UNION ALL SELECT id AS "
    "transfer_id, to_account AS ledger_account, amount_fen AS amount_fen, recorded_at FROM "
    "transfers"
)


def upgrade() -> None:
    """To this version."""
    _new_tables()
    _outbox_columns()
    if op.get_bind().dialect.name == "sqlite":
        _expand_sqlite()
    else:
        _expand_postgresql()
    op.create_index(
        "uq_transfers_reverses_id",
        "transfers",
        ["reverses_id"],
        unique=True,
        sqlite_where=sa.text("reverses_id IS NOT NULL"),
        postgresql_where=sa.text("reverses_id IS NOT NULL"),
    )
    for statement in _guards(op.get_bind().dialect.name):
        op.execute(sa.text(statement))


def downgrade() -> None:
    """Back to the version before, where no row would be lost by it."""
    for table, unknown in UNKNOWN_BEFORE:
        rows = sa.select(sa.func.count()).select_from(sa.table(table)).where(sa.text(unknown))
        count = op.get_bind().execute(rows).scalar_one()
        if count:
            raise WouldLoseRows("0001", table, count)
    op.drop_index("uq_transfers_reverses_id", table_name="transfers")
    if op.get_bind().dialect.name == "sqlite":
        _contract_sqlite()
    else:
        _contract_postgresql()
    for column in ("last_error", "dead_at", "leased_by", "leased_until", "attempts"):
        op.drop_column("outbox", column)
    _drop_tables()


def _expand_postgresql() -> None:
    for column, _ in CAUSES:
        op.add_column("transfers", sa.Column(column, sa.String(length=64), nullable=True))
    for column, table in CAUSES:
        op.create_foreign_key(op.f(f"fk_transfers_{column}"), "transfers", table, [column], ["id"])
    for table, constraint, _, after in WORDS:
        _replace_check(table, constraint, after)
    op.create_check_constraint(op.f("ck_transfers_reversal_names_what"), "transfers", REVERSAL)


def _contract_postgresql() -> None:
    op.drop_constraint(op.f("ck_transfers_reversal_names_what"), "transfers", type_="check")
    for table, constraint, before, _ in WORDS:
        _replace_check(table, constraint, before)
    for column, _ in CAUSES:
        op.drop_column("transfers", column)


def _replace_check(table: str, constraint: str, condition: str) -> None:
    name = op.f(f"ck_{table}_{constraint}")
    op.drop_constraint(name, table, type_="check")
    op.create_check_constraint(name, table, condition)


def _expand_sqlite() -> None:
    columns = "".join(f",\n\t{column} VARCHAR(64)" for column, _ in CAUSES)
    keys = "".join(
        f",\n\tCONSTRAINT fk_transfers_{column} FOREIGN KEY({column}) REFERENCES {table} (id)"
        for column, table in CAUSES
    )
    check = f",\n\tCONSTRAINT ck_transfers_reversal_names_what CHECK ({REVERSAL})"
    more = (("recorded_at DATETIME NOT NULL", columns), ("", keys + check))
    op.execute(sa.text("DROP VIEW entries"))
    for table, _, before, after in WORDS:
        _rewrite(table, before, after, adding=more if table == "transfers" else ())
    op.execute(sa.text(ENTRIES_VIEW))


def _contract_sqlite() -> None:
    op.execute(sa.text("DROP VIEW entries"))
    for table, _, before, after in WORDS:
        _rewrite(table, after, before, dropping=CAUSES if table == "transfers" else ())
    op.execute(sa.text(ENTRIES_VIEW))


def _rewrite(
    table: str,
    old: str,
    new: str,
    *,
    adding: tuple[tuple[str, str], ...] = (),
    dropping: tuple[tuple[str, str], ...] = (),
) -> None:
    """Makes a SQLite table anew with other words in it and the same rows; foreign keys are off meanwhile."""
    bind = op.get_bind()
    made, *also = bind.execute(
        sa.text(
            "SELECT sql FROM sqlite_master WHERE tbl_name = :table AND sql IS NOT NULL"
            " ORDER BY type <> 'table'"
        ),
        {"table": table},
    ).scalars()
    columns = [row.name for row in bind.execute(sa.text(f"PRAGMA table_info({table})"))]
    _, body = made.split("(", 1)
    if body.count(old) != 1:
        raise RuntimeError(f"{table} is not as the version before made it")
    body = body.replace(old, new)
    for after, text in adding:
        body = body.replace(after, after + text, 1) if after else body.rstrip()[:-1].rstrip() + text + "\n)"
    if dropping:
        gone = {column for column, _ in dropping}
        columns = [column for column in columns if column not in gone]
        lines = [line for line in body.split("\n") if not _speaks_of(line, gone)]
        body = "\n".join(lines).rstrip().removesuffix(")").rstrip().rstrip(",") + "\n)"
    listed = ", ".join(columns)
    for statement in (
        f"CREATE TABLE {table}_new ({body}",
        f"INSERT INTO {table}_new ({listed}) SELECT {listed} FROM {table}",  # noqa: S608
        f"DROP TABLE {table}",
        f"ALTER TABLE {table}_new RENAME TO {table}",
        *also,
    ):
        bind.exec_driver_sql(statement)


def _speaks_of(line: str, columns: set[str]) -> bool:
    return any(f"{column} VARCHAR" in line or f"({column})" in line for column in columns) or (
        "ck_transfers_reversal_names_what" in line
    )


def _guards(dialect: str) -> list[str]:
    """The triggers of the new tables as they were in this version."""
    made = []
    for table in FACTS:
        for event, says in (("UPDATE", "rows are never updated"), ("DELETE", "rows are never deleted")):
            trigger = f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table} FOR EACH ROW"
            if dialect == "sqlite":
                made.append(f"{trigger} BEGIN SELECT RAISE(ABORT, '{table}: {says}'); END")
            else:
                made.append(f"{trigger} EXECUTE FUNCTION platepay_refuse('{says}')")
        if dialect == "postgresql":
            made.append(
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION platepay_refuse('rows are never deleted')"
            )
    return made


def _new_tables() -> None:
    op.create_table(
        "blocks",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("format", sa.Integer(), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("first_transfer", sa.String(length=64), nullable=True),
        sa.Column("last_transfer", sa.String(length=64), nullable=True),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("block_hash", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.String(length=64), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("number >= 1 AND row_count >= 1", name=op.f("ck_blocks_positive")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_blocks")),
        sa.UniqueConstraint("block_hash", name=op.f("uq_blocks_block_hash")),
        sa.UniqueConstraint("previous_hash", name=op.f("uq_blocks_previous_hash")),
    )
    op.create_table(
        "commands",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=40), nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(outcome = 'done') = (code = 'done')", name=op.f("ck_commands_rejected_has_code")
        ),
        sa.CheckConstraint("outcome IN ('done', 'rejected')", name=op.f("ck_commands_outcome_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commands")),
        sa.UniqueConstraint("scope", "idempotency_key", name=op.f("uq_commands_scope_idempotency_key")),
    )
    op.create_table(
        "consumed_events",
        sa.Column("consumer", sa.String(length=60), nullable=False),
        sa.Column("event_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("consumed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "event_id", name=op.f("pk_consumed_events")),
    )
    op.create_table(
        "key_conflicts",
        sa.Column("scope", sa.String(length=40), nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("scope", "idempotency_key", "body_hash", name=op.f("pk_key_conflicts")),
    )
    op.create_table(
        "adjustments",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("part", sa.String(length=10), nullable=False),
        sa.Column("change_fen", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("proposed_by", sa.String(length=100), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("part IN ('principal', 'bonus')", name=op.f("ck_adjustments_part_known")),
        sa.CheckConstraint("change_fen <> 0", name=op.f("ck_adjustments_changes_something")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_adjustments_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adjustments")),
        sa.UniqueConstraint("id", "proposed_by", name=op.f("uq_adjustments_id_proposed_by")),
    )
    op.create_table(
        "audit_proofs",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.String(length=64), nullable=False),
        sa.Column("proved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["block"], ["blocks.number"], name=op.f("fk_audit_proofs_block")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_proofs")),
    )
    op.create_table(
        "charges",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=200), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("bonus_fen", sa.BigInteger(), nullable=False),
        sa.Column("principal_fen", sa.BigInteger(), nullable=False),
        sa.Column("charged_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "amount_fen > 0 AND bonus_fen >= 0 AND principal_fen >= 0", name=op.f("ck_charges_not_negative")
        ),
        sa.CheckConstraint(
            "bonus_fen + principal_fen = amount_fen", name=op.f("ck_charges_parts_make_the_whole")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_charges_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charges")),
    )
    op.create_index("ix_charges_account_id", "charges", ["account_id"], unique=False)
    op.create_table(
        "seals",
        sa.Column("sealed_table", sa.String(length=30), nullable=False),
        sa.Column("row_id", sa.String(length=64), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("row_hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["block"], ["blocks.number"], name=op.f("fk_seals_block")),
        sa.PrimaryKeyConstraint("sealed_table", "row_id", name=op.f("pk_seals")),
        sa.UniqueConstraint("block", "place", name=op.f("uq_seals_block_place")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "adjustment_decisions",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("adjustment_id", sa.String(length=64), nullable=False),
        sa.Column("proposed_by", sa.String(length=100), nullable=False),
        sa.Column("decided_by", sa.String(length=100), nullable=False),
        sa.Column("decision", sa.String(length=10), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "decision IN ('approved', 'declined')", name=op.f("ck_adjustment_decisions_decision_known")
        ),
        sa.CheckConstraint("decided_by <> proposed_by", name=op.f("ck_adjustment_decisions_two_people")),
        sa.ForeignKeyConstraint(
            ["adjustment_id", "proposed_by"],
            ["adjustments.id", "adjustments.proposed_by"],
            name=op.f("fk_adjustment_decisions_adjustment_id_proposed_by"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adjustment_decisions")),
        sa.UniqueConstraint("adjustment_id", name=op.f("uq_adjustment_decisions_adjustment_id")),
    )
    op.create_table(
        "refunds",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("visit_id", sa.String(length=64), nullable=True),
        sa.Column("charge_id", sa.String(length=64), nullable=True),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("bonus_fen", sa.BigInteger(), nullable=False),
        sa.Column("principal_fen", sa.BigInteger(), nullable=False),
        sa.Column("refunded_fen", sa.BigInteger(), nullable=False),
        sa.Column("debited_fen", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind <> 'reversal' OR refunded_fen = debited_fen",
            name=op.f("ck_refunds_reversal_leaves_nothing"),
        ),
        sa.CheckConstraint("kind IN ('refund', 'reversal')", name=op.f("ck_refunds_kind_known")),
        sa.CheckConstraint("(visit_id IS NULL) <> (charge_id IS NULL)", name=op.f("ck_refunds_of_one_debit")),
        sa.CheckConstraint(
            "amount_fen > 0 AND bonus_fen >= 0 AND principal_fen >= 0", name=op.f("ck_refunds_not_negative")
        ),
        sa.CheckConstraint(
            "bonus_fen + principal_fen = amount_fen", name=op.f("ck_refunds_parts_make_the_whole")
        ),
        sa.CheckConstraint(
            "number >= 1 AND (number = 1) = (refunded_fen = amount_fen)", name=op.f("ck_refunds_numbered")
        ),
        sa.CheckConstraint(
            "refunded_fen >= amount_fen AND refunded_fen <= debited_fen", name=op.f("ck_refunds_within_debit")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_refunds_account_id")),
        sa.ForeignKeyConstraint(["charge_id"], ["charges.id"], name=op.f("fk_refunds_charge_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["captures.visit_id"], name=op.f("fk_refunds_visit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("charge_id", "number", name=op.f("uq_refunds_charge_id_number")),
        sa.UniqueConstraint("visit_id", "number", name=op.f("uq_refunds_visit_id_number")),
    )
    op.create_index(
        "uq_refunds_reversed_charge",
        "refunds",
        ["charge_id"],
        unique=True,
        sqlite_where=sa.text("kind = 'reversal'"),
        postgresql_where=sa.text("kind = 'reversal'"),
    )
    op.create_index(
        "uq_refunds_reversed_visit",
        "refunds",
        ["visit_id"],
        unique=True,
        sqlite_where=sa.text("kind = 'reversal'"),
        postgresql_where=sa.text("kind = 'reversal'"),
    )


def _outbox_columns() -> None:
    op.add_column("outbox", sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("outbox", sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("outbox", sa.Column("leased_by", sa.String(length=64), nullable=True))
    op.add_column("outbox", sa.Column("dead_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("outbox", sa.Column("last_error", sa.String(length=200), nullable=True))


def _drop_tables() -> None:
    op.drop_index(
        "uq_refunds_reversed_visit",
        table_name="refunds",
        sqlite_where=sa.text("kind = 'reversal'"),
        postgresql_where=sa.text("kind = 'reversal'"),
    )
    op.drop_index(
        "uq_refunds_reversed_charge",
        table_name="refunds",
        sqlite_where=sa.text("kind = 'reversal'"),
        postgresql_where=sa.text("kind = 'reversal'"),
    )
    op.drop_table("refunds")
    op.drop_table("adjustment_decisions")
    op.drop_table("seals")
    op.drop_index("ix_charges_account_id", table_name="charges")
    op.drop_table("charges")
    op.drop_table("audit_proofs")
    op.drop_table("adjustments")
    op.drop_table("key_conflicts")
    op.drop_table("consumed_events")
    op.drop_table("commands")
    op.drop_table("blocks")
